using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys.Tests;

/// <summary>A store, a control plane over it and a simulated fleet around it, on one clock that stands still.</summary>
public sealed class World : IAsyncDisposable
{
    public const string Org = "acme", Project = "web", Production = ProjectInfo.Production;
    private readonly string _folder;
    private readonly bool _ownsStore;
    private readonly Func<DeploysOptions, DeploysOptions>? _change;
    private int _artifacts;

    private World(Store store, string folder, bool ownsStore, Func<DeploysOptions, DeploysOptions>? change)
    {
        (Store, _folder, _ownsStore, _change) = (store, folder, ownsStore, change);
        Plane = NewPlane();
        Fleet = new SimulatedFleet(() => Plane, Clock);
    }

    public static Actor Ann { get; } = new("ann-id", "ann", Role.Deployer, null);

    public ManualClock Clock { get; } = new();

    public Store Store { get; private set; }

    public ControlPlane Plane { get; private set; }

    public SimulatedFleet Fleet { get; }

    private static CancellationToken Ct => Xunit.TestContext.Current.CancellationToken;

    /// <summary>A world with two workers and an edge, whose engine runs.</summary>
    public static async Task<World> NewAsync(StoreOptions options, bool started = true, int workers = 2, int edges = 1, bool ownsStore = true, Func<DeploysOptions, DeploysOptions>? change = null)
    {
        var opened = await Store.OpenAsync(options, [new FleetTables(), new DeploysTables()], TimeProvider.System, Ct);
        Directory.CreateDirectory(options.Folder);
        var world = new World(opened.Value ?? throw new InvalidOperationException(string.Join("; ", opened.Problems)), options.Folder, ownsStore, change);
        for (var i = 1; i <= workers; i++)
            await world.Fleet.AddWorkerAsync($"w{i}");
        for (var i = 1; i <= edges; i++)
            await world.Fleet.AddEdgeAsync($"e{i}");
        if (started)
            await world.Plane.Operations.StartAsync(Ct);
        return world;
    }

    /// <summary>Kills the control plane and starts another over the same store; nodes and edges live on.</summary>
    public async Task RestartAsync()
    {
        await Plane.DisposeAsync();
        Plane = NewPlane();
        await Plane.Operations.StartAsync(Ct);
    }

    /// <summary>As <see cref="RestartAsync"/>, over another store: what an older backup brings back.</summary>
    public async Task RestartOnAsync(StoreOptions options)
    {
        await Plane.DisposeAsync();
        await Store.DisposeAsync();
        Store = (await Store.OpenAsync(options, [new FleetTables(), new DeploysTables()], TimeProvider.System, Ct)).Value!;
        Plane = NewPlane();
        await Plane.Operations.StartAsync(Ct);
    }

    /// <summary>An artifact that is stored, each time another.</summary>
    public async Task<string> ArtifactAsync()
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes($"artifact {Interlocked.Increment(ref _artifacts)}");
        var digest = "sha256:" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));
        var upload = await Plane.Get<Artifacts>().UploadAsync(digest, new MemoryStream(bytes), Ct);
        return upload is ArtifactUpload.Stored ? digest : throw new InvalidOperationException($"{upload}");
    }

    public async Task<DeployRequest> RequestAsync(
        string environment = Production, string project = Project, string org = Org, Func<ServiceSettings, ServiceSettings>? change = null)
    {
        var settings = new ServiceSettings
        {
            Artifact = await ArtifactAsync(), Run = new RunCommand("./server", null), InstancesPerRegion = 2, Drain = TimeSpan.FromSeconds(15),
        };
        return new DeployRequest(org, project, environment, change?.Invoke(settings) ?? settings, "name: web", "web", "abc1234", "message");
    }

    public async Task<RolloutAnswer> AskAsync(string environment = Production, string? key = null, Func<ServiceSettings, ServiceSettings>? change = null) =>
        await Plane.Deployments.DeployAsync(await RequestAsync(environment, change: change), Ann, key, Ct);

    /// <summary>Deploys and waits for the end, moving time on where the operation waits for it.</summary>
    public async Task<DeploymentInfo> DeployAsync(string environment = Production, Func<ServiceSettings, ServiceSettings>? change = null) =>
        await EndAsync(Accepted(await AskAsync(environment, change: change)));

    public Task<RolloutAnswer> RollbackAsync(string? to = null, string? key = null, string environment = Production) =>
        Plane.Deployments.RollbackAsync(Org, Project, environment, to, "because", Ann, key, Ct);

    public static DeploymentInfo Accepted(RolloutAnswer answer) =>
        answer is RolloutAnswer.Accepted accepted ? accepted.Deployment : throw new InvalidOperationException($"Not accepted: {Words(answer)}");

    /// <summary>Waits for the end of a deployment's operation and gives the deployment as it stands then.</summary>
    public async Task<DeploymentInfo> EndAsync(DeploymentInfo deployment)
    {
        await EndAsync(deployment.Operation);
        return (await Plane.Deployments.FindAsync(deployment.Label, Ct))!;
    }

    public async Task<OperationView> EndAsync(Guid operation)
    {
        var quiet = 0;
        while (true)
        {
            var view = (await Plane.Operations.FindAsync(operation, Ct))!;
            if (view.State is OperationState.Ended or OperationState.Stuck)
                return view;
            // Only when nothing moves by itself any more is it time that is waited for.
            await Task.Delay(5, Ct);
            if (++quiet % 40 == 0)
                await StepAsync(TimeSpan.FromSeconds(3));
            if (quiet > 4_000)
                throw new TimeoutException($"Operation {view.Kind} does not end: {string.Join("; ", view.Steps.Select(s => $"{s.Name} {s.State}"))} {string.Join("; ", Plane.Signals.All)}");
        }
    }

    /// <summary>Moves time on; whoever lives is heard of at the new time.</summary>
    public async Task StepAsync(TimeSpan step)
    {
        Clock.Advance(step);
        await Fleet.BeatAsync();
    }

    /// <summary>Runs every loop, and what they began to its end, until nothing changes.</summary>
    public async Task SettleAsync()
    {
        // A level, not a number of rounds: three rounds in a row that changed nothing, however slow the machine is.
        var (unchanged, before) = (0, "");
        for (var round = 0; unchanged < 3 && round < 60; round++)
        {
            await Fleet.BeatAsync();
            // Time moves while the loops drain, as it would.
            var loops = Task.Run(async () =>
            {
                foreach (var name in new[] { "repair", "retire", "routes" })
                    await Plane.LoopAsync(name);
            }, Ct);
            var quiet = 0;
            while (!loops.IsCompleted)
            {
                await Task.WhenAny(loops, Task.Delay(5, Ct));
                if (++quiet % 60 == 0)
                    await StepAsync(TimeSpan.FromSeconds(2));
            }
            await loops;
            foreach (var state in new[] { OperationState.Running, OperationState.Undoing })
                foreach (var moving in (await Plane.Operations.ListAsync(new OperationFilter(State: state), 500, null, Ct)).Items)
                    await EndAsync(moving.Id);
            await Fleet.QuietAsync();
            await Task.Delay(20, Ct);
            var now = await FingerprintAsync();
            // What left the table and is not stopped yet waits for its drain time, and nobody waits with it.
            var isLeaving = now == before && (await InstancesAsync()).Any(i => i.Phase == InstancePhase.Withdrawn);
            if (isLeaving)
                await StepAsync(TimeSpan.FromSeconds(2));
            unchanged = now == before && !isLeaving ? unchanged + 1 : 0;
            before = now;
        }
    }

    private ControlPlane NewPlane() => new(Store, Clock, _folder, change: _change);

    /// <summary>What settling changes: where every instance stands, and the table.</summary>
    private async Task<string> FingerprintAsync() =>
        $"{(await Plane.Routes.CurrentAsync(Ct)).Generation}: {string.Join(' ', (await InstancesAsync()).Select(i => $"{i.Id} {i.Phase} {i.Status.State}"))}";

    /// <summary>Gives the edges the table that holds now.</summary>
    public async Task SettleRoutesAsync()
    {
        await Plane.LoopAsync("routes");
        await Fleet.QuietAsync();
    }

    public async Task<string?> CurrentAsync(string environment = Production) =>
        await Plane.Deployments.CurrentAsync((await Plane.Projects.FindAsync(Org, Project, Ct))!.Id, environment, Ct);

    public Task<IReadOnlyList<InstanceInfo>> InstancesAsync(string? label = null) => Plane.Instances.ListAsync(label, Ct);

    public async Task<IReadOnlyList<string>> TargetsAsync(string host) =>
        [.. (await Plane.Routes.CurrentAsync(Ct)).Routes.Single(r => r.Host == host).Targets.Select(t => t.InstanceId.ToString()).Order(StringComparer.Ordinal)];

    /// <summary>
    /// Pointers, deployments, instances and routes as text without random names, times or generations.
    /// What is on its way and what failed on its way are the same: neither serves.
    /// </summary>
    public Task<string> ReadStateAsync(string? moving = null) => Store.ReadAsync(async (db, cancel) =>
    {
        var rows = await db.Set<DeploymentRow>().ToListAsync(cancel);
        var names = rows.OrderBy(d => d.Label == moving).ThenBy(d => d.Label, StringComparer.Ordinal).Select((d, i) => (d.Label, Name: $"D{i + 1}")).ToDictionary(p => p.Label, p => p.Name, StringComparer.Ordinal);
        string Named(string? label) => label is null ? "nothing" : names[label];
        var lines = new List<string>();
        foreach (var e in await db.Set<EnvironmentRow>().ToListAsync(cancel))
            lines.Add($"environment {e.Name} -> {Named(e.Current)}, before {Named(e.Previous)}");
        foreach (var d in rows.Where(d => d.Label != moving || d.Status == DeploymentStatus.Active))
            lines.Add($"deployment {Named(d.Label)} {d.Status}{(d.KeptUntil is null ? "" : " for a while")}");
        foreach (var group in (await Plane.Instances.ListAsync(db, null, cancel)).GroupBy(i => $"{Named(i.Deployment)} {i.Phase} {i.Status.State}", StringComparer.Ordinal))
            lines.Add($"instances {group.Key} x{group.Count()}");
        foreach (var route in (await Plane.Routes.CurrentAsync(cancel)).Routes)
        {
            var host = names.Aggregate(route.Host, (text, n) => text.Replace(n.Key, n.Value, StringComparison.Ordinal));
            lines.Add($"route {host} -> {Named(route.Deployment)} x{route.Targets.Count}");
        }
        return string.Join('\n', lines.Order(StringComparer.Ordinal));
    }, Ct);

    public async ValueTask DisposeAsync()
    {
        await Fleet.DisposeAsync();
        await Plane.DisposeAsync();
        if (_ownsStore)
            await Store.DisposeAsync();
    }

    public static string Words(RolloutAnswer answer) =>
        answer switch
        {
            RolloutAnswer.Accepted { Deployment: var d } => $"{d.Label} in {d.Environment}",
            RolloutAnswer.Refused refused => string.Join("; ", refused.Problems),
            RolloutAnswer.Busy { Holder: var holder } => $"busy with {holder.Summary}",
            _ => $"{answer}",
        };
}
