using System.Net;
using System.Security.Cryptography;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>
/// Two things at once, broken uploads, full and failing disks: each has one clear end, and what serves serves on. A clock
/// that is set back is proved with virtual time, in the tests of Journal, Deploys and Fleet.
/// </summary>
public sealed class BadDayJourneys(Platform platform) : IClassFixture<Platform>
{
    private const int Stop = 19;
    private const int Continue = 18;

    [Fact]
    public async Task An_artifact_with_a_wrong_digest_is_not_kept_and_not_deployed()
    {
        using var actor = new Actor("digest");
        actor.Write();
        var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(actor.Name)));
        var upload = await platform.Http.PutAsync(new Uri($"artifacts/{digest}", UriKind.Relative), new ByteArrayContent([1, 2, 3]), Platform.Token);
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "digest-mismatch"), (upload.StatusCode, (await Platform.ProblemAsync(upload)).Code));
        Assert.False(await platform.Client.HasArtifactAsync(digest, Platform.Token));

        var deploy = await Assert.ThrowsAsync<CrewProblemException>(() => platform.Client.PostAsync<DeploymentView>(
            "deployments", new CreateDeployment { Manifest = actor.Manifest(), Service = actor.Name, Artifact = digest }, Platform.Token));
        Assert.Equal((400, "artifact-missing"), (deploy.Problem.Status, deploy.Problem.Problems.Single().Code));
        Console.WriteLine("journey: a wrong digest");
    }

    /// <summary>Invariant 3.</summary>
    [Fact]
    public async Task Of_two_deploys_of_one_project_the_second_is_told_who_moves_it()
    {
        using var actor = new Actor("twice");
        await platform.DeployAsync(actor.Write());
        await using var load = platform.Load(actor.Host);
        (actor.Mode, actor.Version) = (Mode.Waits, "2");
        var first = platform.DeployAsync(actor.Write());
        var moving = await MovingAsync(actor);

        var second = Expect.Code(8, await platform.CrewAsync("deploy", actor.Folder));
        Assert.Contains(moving.Id.ToString(), second.Error, StringComparison.Ordinal);
        actor.Mark("open");
        Assert.Equal("active", (await first).Status);
        Assert.Contains("\"version\":\"2\"", (await platform.GetAsync(actor.Host)).Body, StringComparison.Ordinal);
        await load.StopWithoutFailureAsync("two deploys of one project at once");
    }

    /// <summary>A rollback beyond the window starts the version again (T-31), and nobody deploys meanwhile (invariant 3).</summary>
    [Fact]
    public async Task A_deploy_while_a_rollback_runs_is_told_so_and_the_rollback_ends()
    {
        using var actor = new Actor("back") { Mode = Mode.Waits };
        actor.Write();
        actor.Mark("open");
        var first = await platform.DeployAsync(actor.Folder);
        (actor.Mode, actor.Version) = (Mode.Well, "2");
        var second = await platform.DeployAsync(actor.Write());
        await Eventually.TrueAsync(async () => (await platform.InstancesAsync(first.Label)).Length == 0, "the first is stopped");
        await using var load = platform.Load(actor.Host);

        actor.Unmark("open");
        var rollback = platform.CrewAsync("rollback", actor.Project);
        await MovingAsync(actor);
        Expect.Code(8, await platform.CrewAsync("deploy", actor.Folder));
        Assert.Equal(second.Label, (await platform.CurrentAsync(actor.Project)).Label);
        actor.Mark("open");
        Expect.Ok(await rollback);
        Assert.Equal(first.Label, (await platform.CurrentAsync(actor.Project)).Label);
        Assert.Contains("\"version\":\"1\"", (await platform.GetAsync(actor.Host)).Body, StringComparison.Ordinal);
        await load.StopWithoutFailureAsync("a deploy while a rollback runs");
    }

    [Fact]
    public async Task A_full_disk_ends_the_upload_with_words_and_changes_nothing()
    {
        using var actor = new Actor("full");
        var active = await platform.DeployAsync(actor.Write());
        await using var load = platform.Load(actor.Host);
        var artifacts = Path.Combine(platform.Data, "control", "artifacts");
        await using (await Mount.SmallAsync(artifacts))
        {
            await File.WriteAllBytesAsync(Path.Combine(actor.Folder, "actor.js.map"), RandomNumberGenerator.GetBytes(4 * 1024 * 1024), Platform.Token);
            var manifest = Path.Combine(actor.Folder, "crew.yaml");
            await File.WriteAllTextAsync(manifest, actor.Manifest().Replace("package: actor.js", "package: .", StringComparison.Ordinal), Platform.Token);
            var refused = Expect.Code(9, await platform.CrewAsync("deploy", actor.Folder));
            Assert.Contains("free space", refused.Error, StringComparison.Ordinal);
            Assert.Equal(active.Label, (await platform.CurrentAsync(actor.Project)).Label);
            Assert.Empty(Directory.EnumerateFiles(artifacts, "*", SearchOption.AllDirectories));
        }
        await platform.DeployAsync(actor.Folder);
        await load.StopWithoutFailureAsync("a full disk while uploading");
    }

    [Fact]
    public async Task A_store_that_cannot_be_written_is_named_and_traffic_flows_on()
    {
        using var actor = new Actor("readonly");
        await platform.DeployAsync(actor.Write());
        await using var load = platform.Load(actor.Host);
        await using (await Mount.ReadOnlyAsync(Path.Combine(platform.Data, "control")))
        {
            var before = platform.LogOf("supervisor").Length;
            await platform.KillAsync("control");
            // Its own log lies on the same disk: it speaks through the supervisor's.
            string Said() => platform.LogOf("supervisor")[before..];
            await Eventually.TrueAsync(() => Said().Contains("the control cannot start", StringComparison.Ordinal), "the control plane says why it cannot start");
            Assert.Contains("writable", Said(), StringComparison.Ordinal);
        }
        await platform.ReadyAsync();
        Assert.Equal(2, (await platform.CurrentAsync(actor.Project)).Ready);
        await load.StopWithoutFailureAsync("a store that cannot be written");
    }

    [Fact]
    public async Task A_store_that_is_no_database_is_named_and_traffic_flows_on()
    {
        using var actor = new Actor("corrupt");
        await platform.DeployAsync(actor.Write());
        await using var load = platform.Load(actor.Host);
        var folder = Path.Combine(platform.Data, "control");
        var supervisor = platform.ProcessOf("supervisor")!.Pid;
        ProcessSignals.Send(supervisor, Stop);
        await platform.KillAsync("control");
        var before = platform.LogOf("control").Length;
        using var safe = new TempFolder();
        foreach (var file in Directory.EnumerateFiles(folder, "store.db*"))
            File.Copy(file, safe[Path.GetFileName(file)]);
        foreach (var file in Directory.EnumerateFiles(folder, "store.db*"))
            await File.WriteAllBytesAsync(file, RandomNumberGenerator.GetBytes(8192), Platform.Token);
        ProcessSignals.Send(supervisor, Continue);
        await Eventually.TrueAsync(() => platform.LogOf("control")[before..].Contains("the control cannot start", StringComparison.Ordinal), "the control plane says what is wrong");
        var words = platform.LogOf("control")[before..].Split('\n').First(l => l.Contains("cannot start", StringComparison.Ordinal));
        Assert.Contains("damaged", words, StringComparison.Ordinal);
        Assert.Contains("crew store backup", words, StringComparison.Ordinal);

        ProcessSignals.Send(supervisor, Stop);
        foreach (var file in Directory.EnumerateFiles(folder, "store.db*").ToList())
            File.Delete(file);
        foreach (var file in Directory.EnumerateFiles(safe.Path))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        ProcessSignals.Send(supervisor, Continue);
        await platform.ReadyAsync();
        Assert.Equal(2, (await platform.CurrentAsync(actor.Project)).Ready);
        await load.StopWithoutFailureAsync("a corrupt store");
    }


    /// <summary>Waits until an operation of the actor's project waits for its instances.</summary>
    private async Task<OperationStatusView> MovingAsync(Actor actor)
    {
        OperationStatusView? moving = null;
        await Eventually.TrueAsync(async () =>
        {
            var all = await platform.Client.GetAsync<OperationStatusView[]>($"operations?subject={actor.Project}", Platform.Token);
            moving = all.FirstOrDefault(o => o.Kind is "deploy" or "rollback" && o.Steps.Any(s => s is { Name: "pass health checks", State: "running" }));
            return moving is not null;
        }, "the operation waits for health");
        return moving!;
    }
}
