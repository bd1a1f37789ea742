using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Groundcrew.Cli.Tests;

public sealed class CommandTests
{
    [Theory]
    [InlineData(400, ExitCode.Refused)]
    [InlineData(401, ExitCode.NotAllowed)]
    [InlineData(403, ExitCode.NotAllowed)]
    [InlineData(404, ExitCode.NotFound)]
    [InlineData(409, ExitCode.Conflict)]
    [InlineData(412, ExitCode.Conflict)]
    [InlineData(500, ExitCode.Unable)]
    [InlineData(503, ExitCode.Unable)]
    [InlineData(507, ExitCode.Unable)]
    public async Task An_answer_of_the_control_plane_becomes_its_exit_code(int status, ExitCode expected)
    {
        await using var control = await FakeControl.StartAsync();
        control.Refuses("GET projects/acme/web", status, "some-code", "This is why.");
        using var crew = new Crew(control);

        var ran = await crew.AsScriptAsync("rollback", "acme/web");

        ran.Ends(expected);
        Assert.Contains("This is why.", ran.Error, StringComparison.Ordinal);
        Assert.Empty(ran.Out);
        Assert.Equal("some-code", (await crew.AsScriptAsync("rollback", "acme/web", "--json")).Json().GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("projects", "[]", "crew deploy DIR")]
    [InlineData("deployments", "[]", "crew deploy DIR")]
    [InlineData("instances", "[]", "crew deploy DIR")]
    [InlineData("operations", "[]", "crew deploy DIR")]
    [InlineData("routes", "[]", "crew deploy DIR")]
    [InlineData("regions", "[]", "crew regions add CODE")]
    [InlineData("tokens", "[]", "crew tokens create")]
    [InlineData("nodes", "[]", "crew up")]
    public async Task An_empty_list_says_what_comes_next_and_is_an_empty_array(string verb, string json, string next)
    {
        await using var control = await FakeControl.StartAsync();
        control.Says($"GET {verb}", Array.Empty<object>());
        using var crew = new Crew(control);

        var words = await crew.AsScriptAsync(verb);

        words.Ends(ExitCode.Ok);
        Assert.Empty(words.Out);
        Assert.Contains(next, words.Error, StringComparison.Ordinal);
        Assert.Equal(json, (await crew.AsScriptAsync(verb, "--json")).Out.Trim());
    }

    [Theory]
    [InlineData("deplyo", "deploy")]
    [InlineData("rolback", "rollback")]
    [InlineData("statsu", "status")]
    public async Task A_typo_gets_the_nearest_verb_on_stderr(string typed, string nearest)
    {
        using var crew = new Crew();

        var ran = await crew.AsScriptAsync(typed);

        ran.Ends(ExitCode.Usage);
        Assert.Empty(ran.Out);
        Assert.Contains($"Did you mean: {nearest}?", ran.Error, StringComparison.Ordinal);
        Assert.Contains("--help", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_project_is_written_as_org_and_project()
    {
        using var crew = new Crew();
        var ran = await crew.AsScriptAsync("health", "web");
        ran.Ends(ExitCode.Usage);
        Assert.Contains("ORG/PROJECT", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_platform_it_says_how_to_start_one()
    {
        using var crew = new Crew();
        var ran = await crew.AsScriptAsync("projects");
        ran.Ends(ExitCode.Unreachable);
        Assert.Contains("crew up", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_of_a_platform_that_is_away_says_what_is_known()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = new Crew(control);
        await control.DieAsync();

        var ran = await crew.AsScriptAsync("status");

        ran.Ends(ExitCode.Unreachable);
        Assert.Contains($"{control.Port} (does not answer)", ran.Error, StringComparison.Ordinal);
        Assert.Contains($"crew up --data {crew.Data}", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_admin_token_of_a_folder_never_goes_to_another_address()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = new Crew(control);

        (await crew.AsScriptAsync("projects", "--url", control.Address.ToString())).Ends(ExitCode.NotAllowed);

        var file = crew.Write("token", FakeControl.Token);
        control.Says("GET projects", Array.Empty<object>());
        (await crew.AsScriptAsync("projects", "--url", control.Address.ToString(), "--token-file", file)).Ends(ExitCode.Ok);
    }

    [Fact]
    public async Task Address_and_token_of_the_surroundings_count_where_no_option_does()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET whoami", new WhoAmIView("ci", "deployer", "acme"));
        using var crew = new Crew { Environment = new CrewEnvironment(control.Address, new Secret(FakeControl.Token), "/nowhere") };

        var ran = await crew.AsScriptAsync("whoami");

        ran.Ends(ExitCode.Ok);
        Assert.Equal("ci, deployer of acme\n", ran.Out);
    }

    [Theory]
    [InlineData("secrets", "delete", "acme", "db-password")]
    [InlineData("domains", "acme/web", "remove", "app.acme.org")]
    [InlineData("nodes", "remove", "worker-1")]
    [InlineData("tokens", "revoke", "ci")]
    public async Task A_dangerous_verb_asks_for_a_name_or_for_yes(params string[] args)
    {
        await using var control = await FakeControl.StartAsync();
        var removed = 0;
        Task Remove(HttpContext http)
        {
            removed++;
            http.Response.StatusCode = 204;
            return Task.CompletedTask;
        }
        control.Says("GET nodes", new[] { Views.Node("worker-1", "worker", "drained", 0) }).Does($"DELETE nodes/{Guid.Empty}", Remove)
            .Says("GET tokens", new[] { new TokenView(Views.Operation, "ci", "viewer", null, Crew.Now, null, null) }).Does($"DELETE tokens/{Views.Operation}", Remove)
            .Does("DELETE secrets/acme/db-password", Remove).Does("DELETE projects/acme/web/domains/app.acme.org", Remove);
        using var crew = new Crew(control);

        (await crew.AsScriptAsync(args)).Ends(ExitCode.Usage);
        (await crew.RunAsync(true, "something else\n", CancellationToken.None, args)).Ends(ExitCode.Usage);
        Assert.Equal(0, removed);
        (await crew.RunAsync(true, args[^1] + "\n", CancellationToken.None, args)).Ends(ExitCode.Ok);
        (await crew.AsScriptAsync([.. args, "--yes"])).Ends(ExitCode.Ok);
        Assert.Equal(2, removed);
    }

    [Theory]
    [InlineData(false, "piped in\n", "piped in")]
    [InlineData(true, "", "typed-unseen")]
    public async Task A_secret_is_piped_in_or_typed_unseen_and_never_shown(bool terminal, string typed, string value)
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("PUT secrets/acme/db-password", new SecretView("acme", "db-password", 3, Crew.Now));
        using var crew = new Crew(control);

        var ran = await crew.RunAsync(terminal, typed, CancellationToken.None, "secrets", "set", "acme", "db-password");

        ran.Ends(ExitCode.Ok);
        Assert.DoesNotContain(value, ran.Out + ran.Error, StringComparison.Ordinal);
        Assert.Equal($"{{\"value\":\"{value}\"}}", Assert.Single(control.Asked).Body);
    }

    [Fact]
    public async Task A_new_token_is_alone_on_stdout()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("POST tokens", new NewTokenView(new TokenView(Views.Operation, "ci", "deployer", null, Crew.Now, null, null), "gct_new"), 201);
        using var crew = new Crew(control);

        Assert.Equal("gct_new\n", (await crew.AsScriptAsync("tokens", "create", "ci", "--role", "deployer")).Out);
    }

    [Fact]
    public async Task Logs_carry_the_end_of_their_instances_id_and_are_harmless_on_a_terminal()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET projects/acme/web/deployments/current", Views.Deployment("web-new1234-acme", "active")).Says("GET deployments/web-new1234-acme", Views.Deployment("web-new1234-acme", "active"));
        Lines(control, ("2026-03-04T11:59:58Z", "first \\u001b[2Jline"), ("2026-03-04T11:59:59Z", "second"));
        using var crew = new Crew(control);

        Assert.Equal("9f3c21 first [2Jline\n9f3c21 second\n", (await crew.AsPersonAsync("logs", "acme/web", "--no-color")).Out);
        Assert.Equal("first \e[2Jline\nsecond\n", (await crew.AsScriptAsync("logs", "web-new1234-acme", "--plain")).Out);
        Assert.Contains("tail=100", control.Asked.Last().Line, StringComparison.Ordinal);
        var file = Path.Combine(crew.Work, "web.log");
        (await crew.AsScriptAsync("logs", "acme/web", "--output", file, "--since", "10m")).Ends(ExitCode.Ok);
        Assert.EndsWith("9f3c21 second\n", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains("since=10m", control.Asked.Last().Line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Followed_logs_go_on_over_a_restart_without_a_line_twice()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET deployments/web-new1234-acme", Views.Deployment("web-new1234-acme", "active"));
        using var pressed = new CancellationTokenSource();
        var asked = 0;
        control.Does("GET deployments/web-new1234-acme/logs", async http =>
        {
            var time = Interlocked.Increment(ref asked);
            await http.Response.WriteAsync(Line("2026-03-04T11:59:58Z", "one"));
            await http.Response.Body.FlushAsync();
            if (time == 2)
                await http.Response.WriteAsync(Line("2026-03-04T11:59:59Z", "two"));
            else if (time == 3)
                await pressed.CancelAsync();
            else
                http.Abort();
        });
        using var crew = new Crew(control);
        var file = Path.Combine(crew.Work, "f.log");

        var ran = await crew.RunAsync(false, "", pressed.Token, "logs", "web-new1234-acme", "-f", "--plain", "--output", file);

        ran.Ends(ExitCode.Ok);
        Assert.Equal("one\ntwo\n", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        Assert.Contains("follow=true", control.Asked.Last().Line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_drain_is_waited_for_until_nothing_is_left()
    {
        await using var control = await FakeControl.StartAsync();
        var left = 2;
        control.Says("GET nodes", new[] { Views.Node("worker-1", "worker", "ready", 2) }).Says($"POST nodes/{Guid.Empty}/drain", Views.Node("worker-1", "worker", "draining", 2), 202)
            .Does($"GET nodes/{Guid.Empty}", http => http.Response.WriteAsJsonAsync(--left > 0 ? Views.Node("worker-1", "worker", "draining", left) : Views.Node("worker-1", "worker", "drained", 0), Json.Options));
        using var crew = new Crew(control);

        var ran = await crew.AsScriptAsync("nodes", "drain", "worker-1", "--wait");

        ran.Ends(ExitCode.Ok);
        Assert.Contains("is drained", ran.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_starter_manifest_is_well_and_never_overwritten()
    {
        using var crew = new Crew();

        (await crew.AsScriptAsync("manifest", "init", crew.Work)).Ends(ExitCode.Ok);
        (await crew.AsScriptAsync("manifest", "check", crew.Work)).Ends(ExitCode.Ok);
        (await crew.AsScriptAsync("manifest", "check", crew.Work, "--environment", "production")).Ends(ExitCode.Ok);
        (await crew.AsScriptAsync("manifest", "check", crew.Work, "--json")).Json();
        (await crew.AsScriptAsync("manifest", "init", crew.Work)).Ends(ExitCode.Conflict);
    }

    [Fact]
    public async Task Schema_reference_and_completion_need_no_platform()
    {
        using var crew = new Crew();
        (await crew.AsScriptAsync("manifest", "schema")).Json();
        Assert.Contains("services:", (await crew.AsScriptAsync("manifest", "reference")).Out, StringComparison.Ordinal);
        foreach (var shell in new[] { "bash", "zsh", "fish" })
            Assert.Contains("[suggest", (await crew.AsScriptAsync("completion", shell)).Out, StringComparison.Ordinal);
        Assert.Contains("rollback", (await crew.AsScriptAsync("[suggest:3]", "rol")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rollback_is_asked_for_with_its_reason_and_followed()
    {
        await using var control = await FakeControl.StartAsync();
        var end = Views.Op("ended", "succeeded");
        control.Says("GET projects/acme/web", Views.Project("acme", "web", "web-old1234-acme")).Says("POST projects/acme/web/rollback", Views.Deployment("web-old1234-acme", "deploying"), 202)
            .Does($"GET operations/{Views.Operation}/events", http => FakeControl.EventAsync(http, end))
            .Says("GET deployments/web-old1234-acme", Views.Deployment("web-old1234-acme", "active")).Says("GET projects/acme/web/deployments", Array.Empty<object>());
        using var crew = new Crew(control);

        var ran = await crew.AsScriptAsync("rollback", "acme/web", "--reason", "errors");

        ran.Ends(ExitCode.Ok);
        Assert.Contains("acme/web in production is web-old1234-acme", ran.Out, StringComparison.Ordinal);
        Assert.Equal("{\"reason\":\"errors\"}", control.Asked.Single(a => a.Line.StartsWith("POST", StringComparison.Ordinal)).Body);
    }

    private static string Line(string at, string text) => $"{{\"at\":\"{at}\",\"stream\":\"out\",\"text\":\"{text}\",\"instanceId\":\"019c0000-0000-7000-8000-0000009f3c21\"}}\n";

    private static void Lines(FakeControl control, params (string At, string Text)[] lines) =>
        control.Does("GET deployments/web-new1234-acme/logs", http => http.Response.WriteAsync(string.Concat(lines.Select(l => Line(l.At, l.Text)))));
}
