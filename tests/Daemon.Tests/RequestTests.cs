using System.Net.Http.Headers;
using System.Text;
using Groundcrew.Contract;
using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Requests judged whole: every problem at once, with its path, in the one shape of problems (RFC 9457).</summary>
public sealed class RequestTests(SharedHost shared) : IClassFixture<SharedHost>
{
    private readonly ControlHost _host = shared.Plain;

    [Theory]
    [InlineData("""{"name":"web","org":"acme","colour":"red"}""", "colour")]
    [InlineData("""{"name":5,"org":"acme"}""", "name")]
    [InlineData("""{"name":"web","org":"acme","auto_deploy":"yes"}""", "auto_deploy")]
    [InlineData("""{"name":"web","org":"acme","resources":{"vcpu":"two"}}""", "resources.vcpu")]
    [InlineData("""{"name":"web","org":"acme","resources":{"vcpu":1e300}}""", "resources.vcpu")]
    [InlineData("""{"name":"web","name":"shop","org":"acme"}""", "name")]
    public async Task What_the_body_may_not_hold_is_named_with_its_path(string body, string path)
    {
        var problem = Assert.Single((await _host.PostAsync("/api/v1/projects", body)).IsProblem(400, ProblemCodes.BadInput).Problems);
        Assert.Equal(("bad-json", path, 1), (problem.Code, problem.Path, problem.Line));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("{")]
    [InlineData("nonsense")]
    [InlineData("""{"name":"web\u0000","org":"acme"}""")]
    [InlineData("""{"name":"\ud800","org":"acme"}""")]
    [InlineData("""{"name":"\ud800\u0000","org":"acme"}""")]
    public async Task What_is_no_object_is_refused(string body) => (await _host.PostAsync("/api/v1/projects", body)).IsProblem(400, ProblemCodes.BadInput);

    [Fact]
    public async Task The_line_of_a_mistake_is_told() =>
        Assert.Equal(3, Assert.Single((await _host.PostAsync("/api/v1/projects", "{\n\"name\":\"web\",\n\"org\":7}")).IsProblem(400, ProblemCodes.BadInput).Problems).Line);

    [Fact]
    public async Task All_problems_come_at_once()
    {
        var project = (await _host.PostAsync("/api/v1/projects", """{"name":"-Bad","org":"","resources":{"vcpu":0.0001,"memory":-1}}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["name", "org", "resources.memory", "resources.vcpu"], project.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var deployment = (await _host.PostAsync("/api/v1/deployments", """{"project":"B_d","environment":"X!","instances_per_region":0}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["environment", "image", "instances_per_region", "org", "project"], deployment.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var token = (await _host.PostAsync("/api/v1/tokens", """{"name":"","role":"king","expiresIn":"soon"}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["expiresIn", "name", "role"], token.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("0s")]
    [InlineData("99999999d")]
    [InlineData("-1h")]
    public async Task A_token_lives_for_a_time_that_makes_sense(string expiresIn) =>
        (await _host.PostAsync("/api/v1/tokens", $$"""{"name":"ci","role":"viewer","expiresIn":"{{expiresIn}}"}""")).IsProblem(400, ProblemCodes.BadInput);

    [Theory]
    [InlineData("/api/v1/projects?limit=many")]
    [InlineData("/api/v1/deployments?cursor=there")]
    [InlineData("/api/v1/operations?cursor=there")]
    [InlineData("/api/v1/audit?cursor=there")]
    [InlineData("/api/v1/maintenance?cursor=there")]
    [InlineData("/api/v1/nodes?role=king")]
    [InlineData("/api/v1/operations?subject=%00")]
    public async Task A_bad_parameter_is_a_problem(string path) => (await _host.GetAsync(path)).IsProblem(400, ProblemCodes.BadInput);

    [Fact]
    public async Task An_empty_body_of_a_rollback_means_the_previous_deployment_and_none_is_there()
    {
        (await _host.PostAsync("/api/v1/projects", """{"name":"web","org":"empty"}""")).Ok(201);
        (await _host.PostAsync("/api/v1/projects/empty/web/rollback", null)).IsProblem(409, ProblemCodes.NothingToRollBack);
        (await _host.PostAsync("/api/v1/projects/empty/web/rollback", "{}")).IsProblem(409, ProblemCodes.NothingToRollBack);
        (await _host.PostAsync("/api/v1/projects/empty/none/rollback", null)).IsProblem(404, ProblemCodes.NotFound);
    }

    [Theory]
    [InlineData(1024 * 1024 + 1, null)]
    [InlineData(1024 * 1024 + 1, "key")]
    public async Task A_body_that_is_too_large_is_refused(int bytes, string? key)
    {
        var body = new ByteArrayContent(new byte[bytes]) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        (string, string)[] headers = key is null ? [] : [("Idempotency-Key", key)];
        (await _host.SendAsync("POST", "/api/v1/projects", _host.Admin, body, headers)).IsProblem(413, ProblemCodes.TooLarge);
    }

    [Fact]
    public async Task What_routing_refuses_has_words_too()
    {
        (await _host.GetAsync("/api/v1/nothing")).IsProblem(404, ProblemCodes.NotFound);
        Assert.Contains("it takes", (await _host.SendAsync("DELETE", "/api/v1/projects", _host.Admin, (string?)null)).IsProblem(405, ProblemCodes.BadInput).Detail, StringComparison.Ordinal);
        (await _host.SendAsync("POST", "/api/v1/projects", _host.Admin, new StringContent("name=web", Encoding.UTF8, "application/x-www-form-urlencoded")))
            .IsProblem(415, ProblemCodes.BadInput);
    }

    [Fact]
    public async Task A_name_is_taken_once()
    {
        (await _host.PostAsync("/api/v1/projects", """{"name":"web","org":"taken"}""")).Ok(201);
        (await _host.PostAsync("/api/v1/projects", """{"name":"shop","org":"taken"}""")).Ok(201);
        (await _host.PostAsync("/api/v1/projects", """{"name":"web","org":"taken"}""")).IsProblem(409, ProblemCodes.Conflict);
        (await _host.PostAsync("/api/v1/projects/taken/web/domains", """{"host":"www.example.org"}""")).Ok(201);
        (await _host.PostAsync("/api/v1/projects/taken/shop/domains", """{"host":"WWW.example.org."}""")).IsProblem(409, ProblemCodes.Conflict);
        (await _host.PostAsync("/api/v1/projects/taken/shop/domains", """{"host":"x.localhost"}""")).IsProblem(400, ProblemCodes.BadInput);
    }

    [Fact]
    public async Task Settings_are_changed_only_as_they_were_read()
    {
        (await _host.PostAsync("/api/v1/projects", """{"name":"web","org":"tags"}""")).Ok(201);
        var tag = (await _host.GetAsync("/api/v1/projects/tags/web")).Ok(200).Header("ETag")!;
        var patched = (await PatchAsync(tag)).Ok(200);
        Assert.NotEqual(tag, patched.Header("ETag"));
        (await PatchAsync(tag)).IsProblem(412, ProblemCodes.Changed);
        (await PatchAsync($"W/{patched.Header("ETag")}")).IsProblem(412, ProblemCodes.Changed);
        (await PatchAsync($"\"x\", {patched.Header("ETag")}")).Ok(200);
        (await PatchAsync("*")).Ok(200);
        (await PatchAsync(null)).Ok(200);
    }

    [Fact]
    public async Task An_artifact_is_judged_by_its_bytes()
    {
        var digest = Town.DigestOf("bytes");
        (await PutAsync(digest, "other")).IsProblem(422, ProblemCodes.DigestMismatch);
        (await PutAsync("sha256:nonsense", "bytes")).IsProblem(400, ProblemCodes.BadInput);
        (await PutAsync(digest, new string('x', 1024 * 1024 + 1))).IsProblem(413, ProblemCodes.TooLarge);
        (await _host.GetAsync($"/api/v1/artifacts/{digest}")).IsProblem(404, ProblemCodes.NotFound);
        (await PutAsync(digest, "bytes")).Ok(201);
        (await PutAsync(digest, "bytes")).Ok(201);
        (await _host.SendAsync("HEAD", $"/api/v1/artifacts/{digest}", _host.Admin, (string?)null)).Ok(200);
    }

    [Fact]
    public async Task Without_nodes_a_deployment_is_refused_for_want_of_room()
    {
        var digest = Town.DigestOf("other bytes");
        (await PutAsync(digest, "other bytes")).Ok(201);
        await _host.SendAsync("PUT", "/api/v1/secrets/acme/db", _host.Admin, """{"value":"x"}""");
        var body = System.Text.Json.JsonSerializer.Serialize(new { manifest = Town.Manifest, artifact = digest });
        (await _host.PostAsync("/api/v1/deployments", body)).IsProblem(503, ProblemCodes.NoCapacity);
        (await _host.PostAsync("/api/v1/deployments", body, ("Idempotency-Key", "k"))).IsProblem(503, ProblemCodes.NoCapacity);
        Assert.Null((await _host.PostAsync("/api/v1/deployments", body, ("Idempotency-Key", "k"))).Header("Idempotency-Replayed"));
    }

    [Theory]
    [InlineData("/link/v1/hello", "{")]
    [InlineData("/link/v1/hello", "null")]
    [InlineData("/link/v1/hello", "{}")]
    [InlineData("/link/v1/hello", """{"hostname":"w1","role":"king","region":"local"}""")]
    [InlineData("/link/v1/nodes/0198c0de-0000-7000-8000-000000000000/reports", "7")]
    public async Task A_node_that_talks_nonsense_is_told_so(string path, string body) =>
        (await _host.SendAsync("POST", path, await _host.TokenAsync(Role.Node), body)).IsProblem(400, ProblemCodes.BadInput);

    private Task<Answer> PatchAsync(string? match)
    {
        (string, string)[] headers = match is null ? [] : [("If-Match", match)];
        return _host.SendAsync("PATCH", "/api/v1/projects/tags/web", _host.Admin, """{"branch":"main"}""", headers);
    }

    private Task<Answer> PutAsync(string digest, string text) =>
        _host.SendAsync("PUT", $"/api/v1/artifacts/{digest}", _host.Admin, new ByteArrayContent(Encoding.UTF8.GetBytes(text)));
}
