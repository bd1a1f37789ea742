using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Groundcrew.Cli.Tests;

public sealed class DeployTests
{
    private const string Manifest = "system: acme\nservices:\n  web:\n    run: ./web\n";

    [Fact]
    public async Task A_deploy_is_judged_packed_uploaded_followed_and_told()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("ended", "succeeded", null, Views.Step("Start 2 instances", "done", "1 of 2 ready", "2 of 2 ready"), Views.Step("Swap routes", "done")));

        var ran = await crew.AsScriptAsync("deploy", crew.Work, "--message", "Faster", "--commit", "abc");

        ran.Ends(ExitCode.Ok);
        Assert.Contains("http://web-new1234-acme.localhost:8000", ran.Out, StringComparison.Ordinal);
        Assert.Contains("http://web-acme.localhost:8000", ran.Out, StringComparison.Ordinal);
        Assert.Contains("crew rollback acme/web", ran.Out, StringComparison.Ordinal);
        Assert.Contains("web-old1234-acme stays running until 12:10 UTC (in 10 min)", ran.Out, StringComparison.Ordinal);
        Assert.Contains("2 of 2 ready", ran.Error, StringComparison.Ordinal);
        Assert.Contains("✓ Swap routes", ran.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', ran.Out + ran.Error);
        var sent = JsonSerializer.Deserialize<CreateDeployment>(control.Asked.Single(a => a.Line == "POST deployments").Body, Json.Options)!;
        Assert.Equal(("web", "production", "abc", "Faster", Manifest), (sent.Service, sent.Environment, sent.CommitSha, sent.CommitMessage, sent.Manifest));
        Assert.Equal(["crew.yaml", "web"], Names(control.Artifacts[sent.Artifact!]));
    }

    [Fact]
    public async Task A_person_sees_the_steps_move_and_a_file_gets_no_escape_sequence()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("ended", "succeeded", null, Views.Step("Swap routes", "done")));

        var ran = await crew.AsPersonAsync("deploy", crew.Work);

        ran.Ends(ExitCode.Ok);
        Assert.Contains('\e', ran.Error);
        Assert.Contains("Swap routes", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_is_all_that_stdout_holds()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("ended", "succeeded"));

        var ran = await crew.AsScriptAsync("deploy", crew.Work, "--json");

        ran.Ends(ExitCode.Ok);
        Assert.Equal("web-new1234-acme", ran.Json()[0].GetProperty("label").GetString());
        Assert.Contains("Deploying acme/web", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_stored_already_is_not_sent_again()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("ended", "succeeded"));
        await crew.AsScriptAsync("deploy", crew.Work);

        var again = await crew.AsScriptAsync("deploy", crew.Work);

        again.Ends(ExitCode.Ok);
        Assert.Contains("already stored", again.Error, StringComparison.Ordinal);
        Assert.Single(control.Asked, a => a.Line.StartsWith("PUT artifacts/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_rolled_back_deploy_says_why_and_that_the_old_version_serves()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("ended", "rolledBack", "0 of 2 were ready after 60s"));

        var ran = await crew.AsScriptAsync("deploy", crew.Work);

        ran.Ends(ExitCode.Failed);
        Assert.Contains("0 of 2 were ready after 60s", ran.Error, StringComparison.Ordinal);
        Assert.Contains("The version before serves on", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stuck_deploy_says_how_to_go_on()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("stuck", "stuck", "the node is gone"));

        var ran = await crew.AsScriptAsync("deploy", crew.Work);

        ran.Ends(ExitCode.Stuck);
        Assert.Contains($"crew operations resume {Views.Operation}", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_control_plane_that_dies_in_the_middle_does_not_fail_the_deploy()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        var began = new TaskCompletionSource();
        control.Does($"GET operations/{Views.Operation}/events", async http =>
        {
            await FakeControl.EventAsync(http, Views.Op("running", null, null, Views.Step("Start 2 instances", "running", "1 of 2 ready")));
            await http.Response.Body.FlushAsync();
            began.TrySetResult();
            await Task.Delay(Timeout.Infinite, http.RequestAborted);
        });

        var running = crew.AsScriptAsync("deploy", crew.Work);
        await began.Task.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
        await control.DieAsync();
        Ends(control, Views.Op("ended", "succeeded", null, Views.Step("Start 2 instances", "done", "1 of 2 ready", "2 of 2 ready")));
        await control.StartAgainAsync();
        var ran = await running;

        ran.Ends(ExitCode.Ok);
        Assert.Single(ran.Error.Split('\n'), l => l.Trim() == "1 of 2 ready");
        Assert.Contains("2 of 2 ready", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_control_plane_that_stays_away_ends_the_waiting_and_says_that_the_deploy_is_kept()
    {
        await using var control = await FakeControl.StartAsync();
        var clock = new ManualClock();
        using var crew = Ready(control, clock);
        var began = new TaskCompletionSource();
        control.Does($"GET operations/{Views.Operation}/events", async http =>
        {
            await FakeControl.EventAsync(http, Views.Op("running"));
            await http.Response.Body.FlushAsync();
            began.TrySetResult();
            await Task.Delay(Timeout.Infinite, http.RequestAborted);
        });
        var running = crew.AsScriptAsync("deploy", crew.Work);
        await began.Task.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
        await control.DieAsync();

        await Eventually.TrueAsync(() =>
        {
            clock.Advance(TimeSpan.FromMilliseconds(250));
            return running.IsCompleted;
        }, "the command gives up");

        var ran = await running;
        ran.Ends(ExitCode.Unreachable);
        Assert.Contains($"crew operations watch {Views.Operation}", ran.Error, StringComparison.Ordinal);
        Assert.True(clock.GetUtcNow() - new ManualClock().GetUtcNow() >= TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_request_whose_answer_was_lost_is_repeated_under_its_key()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("ended", "succeeded"));
        var lost = 0;
        control.Does("POST deployments", async http =>
        {
            if (Interlocked.Increment(ref lost) == 1)
            {
                http.Abort();
                return;
            }
            http.Response.StatusCode = 202;
            await http.Response.WriteAsJsonAsync(Views.Deployment("web-new1234-acme", "deploying"), Json.Options);
        });

        var ran = await crew.AsScriptAsync("deploy", crew.Work);

        ran.Ends(ExitCode.Ok);
        var keys = control.Asked.Where(a => a.Line == "POST deployments").Select(a => a.Key).ToList();
        Assert.True(keys.Count >= 2 && keys.Distinct().Count() == 1 && keys[0] is not null, string.Join(", ", keys));
    }

    [Fact]
    public async Task Ctrl_C_leaves_the_deploy_running_and_says_so()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        using var pressed = new CancellationTokenSource();
        control.Does($"GET operations/{Views.Operation}/events", async http =>
        {
            await FakeControl.EventAsync(http, Views.Op("running"));
            await http.Response.Body.FlushAsync();
            await pressed.CancelAsync();
        });

        var ran = await crew.RunAsync(false, "", pressed.Token, "deploy", crew.Work);

        ran.Ends(ExitCode.Interrupted);
        Assert.Contains($"crew operations watch {Views.Operation}", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_waiting_it_returns_once_it_is_accepted()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);

        var ran = await crew.AsScriptAsync("deploy", crew.Work, "--wait", "false");

        ran.Ends(ExitCode.Ok);
        Assert.Equal("web-new1234-acme\n", ran.Out);
        Assert.DoesNotContain(control.Asked, a => a.Line.Contains("operations", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_problem_of_the_manifest_is_told_with_its_line_and_nothing_is_sent()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        var file = crew.Write("crew.yaml", "system: acme\nservices:\n  web:\n    runs: ./web\n    instances: 0\n");

        var ran = await crew.AsScriptAsync("deploy", crew.Work);

        ran.Ends(ExitCode.Refused);
        Assert.Contains($"{file}:4: services.web.runs: ", ran.Error, StringComparison.Ordinal);
        Assert.Contains($"{file}:5: services.web.instances: ", ran.Error, StringComparison.Ordinal);
        Assert.Empty(control.Asked);
    }

    [Fact]
    public async Task A_failing_build_stops_the_deploy_with_its_words_and_code()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        crew.Write("crew.yaml", Manifest + "    build: echo compiling; echo broken >&2; exit 3\n");

        var ran = await crew.AsScriptAsync("deploy", crew.Work);

        ran.Ends(ExitCode.Failed);
        Assert.Contains("compiling", ran.Error, StringComparison.Ordinal);
        Assert.Contains("broken", ran.Error, StringComparison.Ordinal);
        Assert.Contains("The build ended with code 3", ran.Error, StringComparison.Ordinal);
        Assert.Empty(control.Asked);
    }

    [Fact]
    public async Task The_first_service_that_fails_leaves_the_rest_alone()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        crew.Write("crew.yaml", Manifest + "  worker:\n    run: ./web\n");
        Ends(control, Views.Op("ended", "rolledBack", "not ready"));

        var ran = await crew.AsScriptAsync("deploy", crew.Work);

        ran.Ends(ExitCode.Failed);
        Assert.Contains("Not deployed, because of that: worker", ran.Error, StringComparison.Ordinal);
        Assert.Single(control.Asked, a => a.Line == "POST deployments");
    }

    [Fact]
    public async Task A_project_name_needs_one_service()
    {
        using var crew = new Crew();
        crew.Write("crew.yaml", Manifest + "  worker:\n    run: ./web\n");

        (await crew.AsScriptAsync("deploy", crew.Work, "--project", "shop")).Ends(ExitCode.Usage);
    }

    [Fact]
    public async Task A_dry_run_needs_no_control_plane_and_does_nothing()
    {
        using var crew = new Crew();
        crew.Write("crew.yaml", Manifest + "    build: touch built\n");

        var ran = await crew.AsScriptAsync("deploy", crew.Work, "--dry-run");

        ran.Ends(ExitCode.Ok);
        Assert.Contains("touch built", ran.Out, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(crew.Work, "built")));
        (await crew.AsScriptAsync("deploy", crew.Work, "--dry-run", "--json")).Json().GetProperty("web");
    }

    [Fact]
    public async Task The_commit_is_what_git_says_of_the_folder()
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = Ready(control);
        Ends(control, Views.Op("ended", "succeeded"));
        const string Commit = "git init -q . && git add -A && git -c user.name=t -c user.email=t@t commit -qm 'First subject'";
        using (var git = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Commit]) { WorkingDirectory = crew.Work })!)
            await git.WaitForExitAsync(TestContext.Current.CancellationToken);

        (await crew.AsScriptAsync("deploy", crew.Work)).Ends(ExitCode.Ok);

        var sent = JsonSerializer.Deserialize<CreateDeployment>(control.Asked.Single(a => a.Line == "POST deployments").Body, Json.Options)!;
        Assert.Equal("First subject", sent.CommitMessage);
        Assert.Equal(40, sent.CommitSha?.Length);
        Assert.DoesNotContain(Names(control.Artifacts[sent.Artifact!]), n => n.Contains(".git", StringComparison.Ordinal));
    }

    private static Crew Ready(FakeControl control, TimeProvider? clock = null)
    {
        control.Says("POST deployments", Views.Deployment("web-new1234-acme", "deploying"), 202)
            .Says("GET deployments/web-new1234-acme", Views.Deployment("web-new1234-acme", "active"))
            .Says("GET projects/acme/web", Views.Project("acme", "web", "web-new1234-acme"))
            .Says("GET projects/acme/web/deployments", new[] { Views.Deployment("web-new1234-acme", "active"), Views.Deployment("web-old1234-acme", "inactive") });
        var crew = clock is null ? new Crew(control) : new Crew(control) { Clock = clock };
        crew.Write("crew.yaml", Manifest);
        crew.Write("web", "#!/bin/sh\n", DurableFiles.Private | UnixFileMode.UserExecute);
        return crew;
    }

    private static void Ends(FakeControl control, OperationStatusView end) => control
        .Does($"GET operations/{Views.Operation}/events", http => FakeControl.EventAsync(http, end))
        .Says($"GET operations/{Views.Operation}", end);

    private static List<string> Names(byte[] archive)
    {
        using var tar = new TarReader(new GZipStream(new MemoryStream(archive), CompressionMode.Decompress));
        var names = new List<string>();
        while (tar.GetNextEntry() is { } entry)
            names.Add(entry.Name);
        return names;
    }
}
