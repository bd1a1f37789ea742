using Groundcrew.Contract;
using Groundcrew.Daemon.Doors;
using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Who is let in, and to what (U-69, T-42): every endpoint that is mapped, with every role.</summary>
public sealed class GateTests(SharedHost shared) : IClassFixture<SharedHost>
{
    private readonly ControlHost _host = shared.Plain;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_endpoint_names_what_it_needs_and_only_health_and_the_description_are_open()
    {
        Assert.True(_host.Endpoints.Count > 45);
        Assert.All(_host.Endpoints, e => Assert.True(e.Needs is not null, $"{e.Method} {e.Pattern} names no role"));
        Assert.Equal(
            ["/health", "/health/live", "/health/ready", "/metrics", "/openapi/v1.json", "/prometheus/-/healthy", "/prometheus/-/ready", "/ready"],
            _host.Endpoints.Where(e => e.Needs!.Role is null).Select(e => e.Pattern).Order(StringComparer.Ordinal));
        Assert.All(_host.Endpoints, e => Assert.Equal(e.Pattern.StartsWith("/link/v1/", StringComparison.Ordinal), e.Needs!.Role == Role.Node));
    }

    [Fact]
    public async Task Every_endpoint_is_closed_without_a_good_token()
    {
        var (revoked, expired) = (await _host.TokenAsync(Role.Admin), await _host.TokenAsync(Role.Admin, expires: TimeProvider.System.GetUtcNow().AddSeconds(-1)));
        var access = _host.Get<Access>();
        var last = (await access.ListAsync(Ct)).Where(t => t.Role == Role.Admin && t.ExpiresAt is null).MaxBy(t => t.CreatedAt)!;
        Assert.True(await access.RevokeAsync(last.Id, Ct));
        string?[] tokens = [null, "", "gct_nonsense", revoked, expired, _host.Admin + "x", _host.Admin[..^1]];
        foreach (var (method, pattern, _, _) in Closed())
            foreach (var token in tokens)
            {
                var answer = await TryAsync(method, pattern, token);
                Assert.True(answer.Status == 401, $"{method} {pattern} with '{token}' answered {answer.Status}");
                if (method != "HEAD")
                    answer.IsProblem(401, ProblemCodes.Unauthenticated);
                Assert.Equal("Bearer", answer.Header("WWW-Authenticate"));
            }
        Assert.Equal(401, (await _host.SendAsync("GET", "/api/v1/projects", null, (string?)null, ("Authorization", $"Basic {_host.Admin}"))).Status);
    }

    [Fact]
    public async Task Every_endpoint_is_open_from_its_role_upwards_and_to_no_one_below()
    {
        var tokens = new Dictionary<Role, string>();
        foreach (var role in Enum.GetValues<Role>())
            tokens[role] = await _host.TokenAsync(role);
        foreach (var (method, pattern, needs, _) in Closed())
            foreach (var (role, token) in tokens)
            {
                var isAllowed = needs!.Role == Role.Node || role == Role.Node ? needs.Role == role : role >= needs.Role;
                var answer = await TryAsync(method, pattern, token);
                Assert.True(isAllowed ? answer.Status is not (401 or 403) : answer.Status == 403, $"{method} {pattern} as {role} answered {answer.Status}: {answer.Text}");
                if (isAllowed || method == "HEAD")
                    continue;
                Assert.Contains($"has the role {role.Word()}", answer.IsProblem(403, ProblemCodes.Forbidden).Detail, StringComparison.Ordinal);
                Assert.Contains($"needs {needs.Role!.Value.Word()}", answer.Text, StringComparison.Ordinal);
            }
    }

    [Fact]
    public async Task A_token_may_come_as_the_password_of_any_name()
    {
        string Basic(string text) => "Basic " + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text));
        Assert.Equal("admin", (await _host.SendAsync("GET", "/api/v1/whoami", null, (string?)null, ("Authorization", Basic("grafana:" + _host.Admin)))).Ok(200).As<WhoAmIView>().Role);
        foreach (var wrong in (string[])[Basic("grafana:" + _host.Admin + "x"), Basic(_host.Admin), Basic(_host.Admin + ":x"), "Basic %%%", "Basic "])
            (await _host.SendAsync("GET", "/api/v1/whoami", null, (string?)null, ("Authorization", wrong))).IsProblem(401, ProblemCodes.Unauthenticated);
    }

    [Fact]
    public async Task A_token_in_the_address_is_refused_and_counted_even_a_good_one_and_even_escaped()
    {
        string[] paths =
        [
            $"/api/v1/projects?token={_host.Admin}", "/api/v1/projects?access_token=x", "/api/v1/projects?ACCESS_TOKEN=x", "/api/v1/projects?api_key=x",
            $"/api/v1/projects?limit={_host.Admin}", $"/api/v1/projects?{_host.Admin}", $"/api/v1/projects?x={_host.Admin.Replace("gct_", "%67ct%5F", StringComparison.Ordinal)}",
            $"/api/v1/projects/acme/{_host.Admin}", $"/no/such/{_host.Admin}", "/health?token=x",
        ];
        foreach (var path in paths)
        {
            var problem = (await _host.GetAsync(path)).IsProblem(400, ProblemCodes.TokenInUrl);
            Assert.DoesNotContain(_host.Admin, problem.ToString(), StringComparison.Ordinal);
        }
        Assert.Contains($"groundcrew_requests_refused_total{{reason=\"token-in-url\"}} {paths.Length}\n", (await _host.GetAsync("/metrics")).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(_host.Log.Records, r => r.Text.Contains(_host.Admin, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_trust_in_loopback_this_machine_needs_a_token_too() =>
        (await _host.SendAsync("GET", "/api/v1/projects", null, (string?)null)).IsProblem(401, ProblemCodes.Unauthenticated);

    [Theory]
    [InlineData(200, "Accept", "*/*")]
    [InlineData(200, "Host", "localhost:8080")]
    [InlineData(200, "Host", "127.0.0.1")]
    [InlineData(401, "Host", "evil.example.org")]
    [InlineData(401, "Host", "localhost.example.org")]
    [InlineData(401, "Host", "127.0.0.1.nip.io:8080")]
    [InlineData(401, "Origin", "http://localhost:8080")]
    [InlineData(401, "Origin", "null")]
    [InlineData(401, "Sec-Fetch-Site", "cross-site")]
    [InlineData(401, "Sec-Fetch-Site", "none")]
    [InlineData(401, "X-Forwarded-For", "127.0.0.1")]
    [InlineData(401, "Forwarded", "for=127.0.0.1")]
    [InlineData(401, "Authorization", "Bearer gct_wrong")]
    [InlineData(401, "Authorization", "Basic eDp5")]
    public async Task Trusted_loopback_is_a_program_on_this_machine_and_nothing_that_came_by_a_proxy_or_a_page(int status, string header, string value)
    {
        var answer = await shared.Trusting.SendAsync("GET", "/api/v1/whoami", null, (string?)null, (header, value));
        answer.Ok(status);
        if (status == 200)
            Assert.Equal(("loopback", "admin"), (answer.As<WhoAmIView>().Name, answer.As<WhoAmIView>().Role));
    }

    private IEnumerable<(string Method, string Pattern, Needs? Needs, Microsoft.AspNetCore.Routing.RouteEndpoint Endpoint)> Closed() =>
        _host.Endpoints.Where(e => e.Needs?.Role is not null);

    /// <summary>Asks for something that is not there, so that nothing happens.</summary>
    private Task<Answer> TryAsync(string method, string pattern, string? token)
    {
        var path = pattern.Replace("{id:guid}", "0198c0de-0000-7000-8000-000000000000", StringComparison.Ordinal).Replace("{org}", "acme", StringComparison.Ordinal)
            .Replace("{digest}", Town.DigestOf("none"), StringComparison.Ordinal);
        path = System.Text.RegularExpressions.Regex.Replace(path, @"\{\w+\}", "none");
        return method is "GET" or "HEAD" or "DELETE" ? _host.SendAsync(method, path, token, (string?)null) : _host.SendAsync(method, path, token, """{"unknown":1}""");
    }
}
