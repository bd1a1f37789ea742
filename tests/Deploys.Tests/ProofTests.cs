using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Proof;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>Worlds for the proofs: each a copy of one that was brought to its beginning once.</summary>
internal static class ProofWorlds
{
    private static readonly StopPlanSteps Kept = new();

    /// <summary>The kinds that have a proof here; the test of coverage compares them with what is registered.</summary>
    public static readonly IReadOnlySet<string> Covered = new HashSet<string>(StringComparer.Ordinal) { "deploy", "rollback", "promote", "stop" };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task ProveAsync(string kind, TempFolder folder)
    {
        var begun = folder["begun"];
        await using (var world = await World.NewAsync(new StoreOptions { Folder = begun }))
        {
            await world.DeployAsync(kind == "promote" ? "staging" : World.Production);
            if (kind != "promote")
                await world.DeployAsync();
            await world.SettleAsync();
        }
        var copies = 0;
        async Task<World> CopyAsync()
        {
            var copy = folder[$"copy-{++copies}"];
            Directory.CreateDirectory(copy);
            foreach (var file in Directory.EnumerateFiles(begun, "store.db*"))
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            var world = await World.NewAsync(new StoreOptions { Folder = copy }, started: false, ownsStore: false);
            await Eventually.TrueAsync(async () => (await world.InstancesAsync()).All(i => i.TakesTraffic), "the instances are ready again");
            await world.SettleRoutesAsync();
            return world;
        }
        if (kind == "stop")
            await new OperationProof<StopPlan>(async () => await StopCaseAsync(await CopyAsync())).HoldsAsync(Ct);
        else
            await new OperationProof<RolloutPlan>(async () => await RolloutCaseAsync(await CopyAsync(), kind)).HoldsAsync(Ct);
    }

    private static async Task<OperationCase<RolloutPlan>> RolloutCaseAsync(World world, string kind)
    {
        var old = await world.Plane.Deployments.ListAsync(World.Org, World.Project, null, 10, null, Ct);
        var plan = await world.Store.WriteAsync((db, cancel) => kind == "rollback" ? BackAsync(world, db, old) : ForwardAsync(world, db, old[0], cancel), Ct);
        return new OperationCase<RolloutPlan>
        {
            Definition = world.Plane.Get<Rollout>().Definition(kind),
            Plan = plan,
            Store = world.Store,
            ReadState = () => world.ReadStateAsync(plan.Deployment),
            Leases = [Deployments.LeaseOf(plan.ProjectId, plan.Environment)],
            Cleanup = world.DisposeAsync,
        };
    }

    private static async Task<RolloutPlan> BackAsync(World world, StoreContext db, IReadOnlyList<DeploymentInfo> old)
    {
        var target = old.Single(d => d.Status == DeploymentStatus.Inactive);
        var row = await db.Set<DeploymentRow>().AsTracking().SingleAsync(d => d.Label == target.Label);
        (row.Status, row.KeptUntil) = (DeploymentStatus.Deploying, null);
        return await PlanAsync(db, row, [], [.. (await world.Plane.Instances.ListAsync(db, row.Label, Ct)).Select(i => i.Id)], target.KeptUntil);
    }

    private static async Task<RolloutPlan> ForwardAsync(World world, StoreContext db, DeploymentInfo from, CancellationToken cancellation)
    {
        var first = await db.Set<DeploymentRow>().AsNoTracking().SingleAsync(d => d.Label == from.Label, cancellation);
        var project = await db.Set<ProjectRow>().SingleAsync(cancellation);
        await world.Plane.Projects.EnvironmentAsync(db, project, World.Production, cancellation);
        db.Add(new HostRow { Label = "web-proof00-acme", ProjectId = project.Id });
        var row = new DeploymentRow
        {
            Id = Ids.New(TimeProvider.System), Label = "web-proof00-acme", ProjectId = project.Id, Org = World.Org, Project = World.Project,
            Environment = World.Production, Status = DeploymentStatus.Deploying, Settings = first.Settings, Artifact = first.Artifact,
            Actor = "proof", Operation = Ids.New(TimeProvider.System), CreatedAt = world.Clock.StoreNow(),
        };
        db.Add(row);
        await db.SaveChangesAsync(cancellation);
        var workers = (await world.Plane.Nodes.ListAsync(db, cancellation)).Where(n => n.Role == NodeRole.Worker).ToList();
        return await PlanAsync(db, row, Placement.Choose(workers, _ => 2, [], new ResourceLimits(null, null), () => Ids.New(TimeProvider.System)).Value!, [], null);
    }

    private static async Task<RolloutPlan> PlanAsync(
        StoreContext db, DeploymentRow row, IReadOnlyList<Placed> start, IReadOnlyList<Guid> running, DateTimeOffset? keptUntil)
    {
        var pointer = await db.Set<EnvironmentRow>().SingleAsync(e => e.ProjectId == row.ProjectId && e.Name == row.Environment);
        return new RolloutPlan
        {
            Deployment = row.Label, Previous = pointer.Current, Earlier = pointer.Previous, KeptUntil = keptUntil, ProjectId = row.ProjectId,
            Environment = row.Environment, Start = start, Running = running, ReadyDeadline = TimeSpan.FromMinutes(1),
            Drain = TimeSpan.FromSeconds(15), RollbackWindow = TimeSpan.FromMinutes(10),
        };
    }

    private static async Task<OperationCase<StopPlan>> StopCaseAsync(World world)
    {
        var target = (await world.Plane.Deployments.ListAsync(null, null, null, 10, null, Ct)).Single(d => d.Status == DeploymentStatus.Inactive);
        var ids = (await world.InstancesAsync(target.Label)).Select(i => i.Id).ToList();
        return new OperationCase<StopPlan>
        {
            Definition = world.Plane.Get<Retirement>().Stop,
            Plan = new StopPlan(target.Label, ids, TimeSpan.FromSeconds(15)),
            Store = world.Store,
            ReadState = () => world.ReadStateAsync(),
            Leases = [$"deployment/{target.Label}"],
            MayStay = Kept.Names,
            Cleanup = world.DisposeAsync,
        };
    }

    /// <summary>A process that ended cannot be brought back, so that both steps of a stop have no undo.</summary>
    private sealed class StopPlanSteps
    {
        public IReadOnlySet<string> Names { get; } = new HashSet<string>(StringComparer.Ordinal) { "drain", "stop instances" };
    }
}

public abstract class ProofTests(string kind) : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public Task Every_step_can_repeat_fail_and_crash() => ProofWorlds.ProveAsync(kind, _folder);

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }
}

public sealed class DeployProofTests() : ProofTests("deploy");

public sealed class RollbackProofTests() : ProofTests("rollback");

public sealed class PromoteProofTests() : ProofTests("promote");

public sealed class StopProofTests() : ProofTests("stop");

public sealed class ProofCoverageTests
{
    [Fact]
    public async Task Every_operation_of_a_control_plane_has_a_proof()
    {
        using var source = new SqliteSource();
        await using var world = await World.NewAsync(await source.NewAsync());
        Assert.Equal(ProofWorlds.Covered.Order(StringComparer.Ordinal), world.Plane.Operations.Definitions.Select(d => d.Kind).Order(StringComparer.Ordinal));
    }
}
