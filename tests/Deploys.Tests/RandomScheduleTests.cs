using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>
/// Invariants 1 to 6 of the design under seeded random schedules of deploys, rollbacks, failing and flapping instances,
/// lost nodes, dead edges, passing time and crashes of the control plane. A seed that fails is a case to keep.
/// </summary>
public abstract class RandomScheduleTests(int part)
{
    private const int SeedsAPart = 3, Steps = 12;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_happens_the_invariants_hold_and_the_end_is_whole()
    {
        for (var seed = part * SeedsAPart; seed < (part + 1) * SeedsAPart; seed++)
            await new Schedule(seed).RunAsync(Ct);
    }

    private sealed class Schedule(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly List<string> _story = [];
        private World _world = null!;
        private long _generation;

        public async Task RunAsync(CancellationToken cancellation)
        {
            using var source = new SqliteSource();
            _world = await World.NewAsync(await source.NewAsync(), workers: 3, edges: 2);
            await using var world = _world;
            _world.Fleet.Behave = spec => (Math.Abs(spec.InstanceId.GetHashCode() ^ seed) % 12) switch { 0 => Behaviour.NeverReady, 1 => Behaviour.Fails, 2 => Behaviour.CrashLoops, _ => Behaviour.Ready };
            foreach (var member in _world.Fleet.Workers)
                member.Stutters = seed % 3 == 0;
            try
            {
                for (var step = 0; step < Steps; step++)
                {
                    await ActAsync(cancellation);
                    await JudgeAsync(cancellation);
                }
                await EndAsync(cancellation);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw new InvalidOperationException($"seed {seed}: {e.Message}\n{string.Join('\n', _story)}", e);
            }
        }

        private async Task ActAsync(CancellationToken cancellation)
        {
            var fleet = _world.Fleet;
            switch (_random.Next(12))
            {
                case 0 or 1 or 2:
                    Tell($"deploy: {World.Words(await _world.AskAsync(_random.Next(4) == 0 ? "staging" : World.Production))}");
                    break;
                case 3 or 4:
                    Tell($"rollback: {World.Words(await _world.RollbackAsync())}");
                    break;
                case 5:
                    Tell("the control plane is killed and started");
                    await _world.RestartAsync();
                    break;
                case 6:
                    await FlapAsync();
                    break;
                case 7:
                    var worker = fleet.Workers[_random.Next(2)];
                    Tell($"{worker.Hostname} {(worker.IsDead ? "returns" : "dies")}");
                    if (worker.IsDead)
                        worker.Return();
                    else
                        worker.Die();
                    break;
                case 8:
                    var edge = fleet.Edges[1];
                    Tell($"{edge.Hostname} {(edge.IsDead ? "returns" : "dies")}");
                    if (edge.IsDead)
                        edge.ComeBack();
                    else
                        edge.Die();
                    break;
                case 9:
                    await LoadAsync();
                    break;
                default:
                    var step = TimeSpan.FromSeconds(_random.Next(1, 40));
                    Tell($"{step.TotalSeconds} s pass");
                    for (var left = step; left > TimeSpan.Zero; left -= TimeSpan.FromSeconds(2))
                        await _world.StepAsync(TimeSpan.FromSeconds(2));
                    break;
            }
            if (_random.Next(3) == 0)
                await LetItEndAsync(cancellation);
            if (_random.Next(4) == 0)
            {
                Tell("the loops run");
                await _world.SettleAsync();
            }
        }

        private async Task FlapAsync()
        {
            var worker = _world.Fleet.Workers[_random.Next(3)];
            if (worker.Running is not { Count: > 0 } running || worker.IsDead)
                return;
            var id = running[_random.Next(running.Count)];
            Tell($"an instance on {worker.Hostname} flaps");
            await worker.SetAsync(id, InstanceState.Unready, "GET /ready answered 503");
            if (_random.Next(2) == 0)
                await worker.SetAsync(id, InstanceState.Ready);
        }

        private async Task LoadAsync()
        {
            var edge = _world.Fleet.Edges[0];
            var targets = edge.Table.Routes.SelectMany(r => r.Targets).Select(t => t.InstanceId).Distinct().ToList();
            if (targets.Count == 0)
                return;
            Tell("a request begins");
            await edge.LoadAsync(targets[_random.Next(targets.Count)], _random.Next(0, 3));
        }

        private async Task LetItEndAsync(CancellationToken cancellation)
        {
            foreach (var moving in await MovingAsync(cancellation))
                await _world.EndAsync(moving.Id);
        }

        private async Task<List<OperationView>> MovingAsync(CancellationToken cancellation)
        {
            var moving = new List<OperationView>();
            foreach (var state in new[] { OperationState.Running, OperationState.Undoing })
                moving.AddRange((await _world.Plane.Operations.ListAsync(new OperationFilter(State: state), 500, null, cancellation)).Items);
            return moving;
        }

        private async Task JudgeAsync(CancellationToken cancellation)
        {
            Assert.Empty(_world.Fleet.Violations);
            // Invariant 3: of one project, at most one rollout an environment; the schedules have two of them.
            var moving = (await MovingAsync(cancellation)).Where(o => o.Kind != "stop").ToList();
            var deploying = (await _world.Plane.Deployments.ListAsync(null, null, null, 500, null, cancellation)).Where(d => moving.Any(o => o.Id == d.Operation)).ToList();
            Assert.Equal(deploying.Count, deploying.Select(d => d.Environment).Distinct().Count());
            // Invariant 5: generations only grow.
            var generation = (await _world.Plane.Routes.CurrentAsync(cancellation)).Generation;
            Assert.True(generation >= _generation);
            _generation = generation;
            Assert.Empty((await _world.Plane.Operations.ListAsync(new OperationFilter(State: OperationState.Stuck), 5, null, cancellation)).Items);
        }

        /// <summary>Everyone returns, everything ends: what serves is whole, and nothing else runs.</summary>
        private async Task EndAsync(CancellationToken cancellation)
        {
            Tell("everyone returns");
            foreach (var worker in _world.Fleet.Workers.Where(w => w.IsDead))
                worker.Return();
            foreach (var edge in _world.Fleet.Edges.Where(e => e.IsDead))
                edge.ComeBack();
            _world.Fleet.Behave = _ => Behaviour.Ready;
            await LetItEndAsync(cancellation);
            await _world.StepAsync(TimeSpan.FromMinutes(11));
            await _world.SettleAsync();
            await JudgeAsync(cancellation);
            foreach (var deployment in await _world.Plane.Deployments.ListAsync(null, null, null, 500, null, cancellation))
                await JudgeAtTheEndAsync(deployment);
            await Eventually.TrueAsync(async () =>
            {
                var known = (await _world.InstancesAsync()).Select(i => i.Id).ToHashSet();
                return _world.Fleet.Workers.All(w => w.Running.All(known.Contains));
            }, "no node runs what the control plane does not know of");
        }

        private async Task JudgeAtTheEndAsync(DeploymentInfo deployment)
        {
            var instances = await _world.InstancesAsync(deployment.Label);
            var isCurrent = await _world.CurrentAsync(deployment.Environment) == deployment.Label;
            Assert.Equal(isCurrent, deployment.Status == DeploymentStatus.Active);
            Assert.True(isCurrent || deployment.Status is DeploymentStatus.Failed or DeploymentStatus.Stopped, $"{deployment.Label} is {deployment.Status}");
            Assert.True(isCurrent || instances.Count == 0, $"{deployment.Label} is {deployment.Status} and has {instances.Count} instances");
            Assert.True(!isCurrent || instances.Count >= 2, $"{deployment.Label} serves with {instances.Count} instances");
        }

        private void Tell(string what) => _story.Add($"{_world.Clock.GetUtcNow():HH:mm:ss} {what}");
    }
}

public sealed class RandomScheduleOneTests() : RandomScheduleTests(0);

public sealed class RandomScheduleTwoTests() : RandomScheduleTests(1);
