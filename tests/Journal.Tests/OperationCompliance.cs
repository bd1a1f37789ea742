using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Groundcrew.Journal.Tests;

public sealed record BuildPlan(string Name, int Size);

/// <summary>What operations do, on every engine.</summary>
public abstract partial class OperationCompliance(StoreSource source) : StoreTests(source)
{
    private readonly SeenSignals _signals = new();
    private readonly List<string> _log = [];

    protected override IReadOnlyList<IStorePart> Parts => [new ThingsPart()];

    [Fact]
    public async Task An_operation_does_its_steps_in_order_and_ends_succeeded()
    {
        await using var operations = await EngineAsync(Definition());
        var id = await BeginAsync(operations, Definition());
        var view = (await operations.WaitForEndAsync(id, Ct))!;
        Assert.Equal((OperationState.Ended, OutcomeKind.Succeeded, "all three"), (view.State, view.Outcome!.Value, view.Why));
        Assert.Equal(["do a 1", "do b 1", "do c 1", "finished Succeeded"], Log);
        Assert.All(view.Steps, s => Assert.Equal((StepState.Done, 1), (s.State, s.Attempt)));
        Assert.Equal(view.Steps, (await operations.FindAsync(id, Ct))!.Steps);
        Assert.Equal(["a says 7"], (await operations.LinesAsync(id, Ct)).Select(l => l.Text));
    }

    [Fact]
    public async Task A_failed_step_and_everything_before_it_are_taken_back_in_reverse()
    {
        var definition = Definition(failing: "c");
        await using var operations = await EngineAsync(definition);
        var view = (await operations.WaitForEndAsync(await BeginAsync(operations, definition), Ct))!;
        Assert.Equal((OutcomeKind.RolledBack, "'c' failed: c is impossible"), (view.Outcome!.Value, view.Why));
        Assert.Equal(["do a 1", "do b 1", "do c 1", "undo c", "undo a", "finished RolledBack"], Log);
        Assert.Equal([StepState.Undone, StepState.Kept, StepState.Undone], view.Steps.Select(s => s.State));
        Assert.Equal("b cannot be unsaid", view.Steps[1].Words);
        Assert.Equal(0, await HeldLeasesAsync());
    }

    [Fact]
    public async Task A_step_that_throws_is_tried_again_and_then_counts_as_failed()
    {
        var definition = Definition(throwing: "b");
        await using var operations = await EngineAsync(definition);
        var view = (await operations.WaitForEndAsync(await BeginAsync(operations, definition), Ct))!;
        Assert.Equal((OutcomeKind.RolledBack, "'b' failed: b broke"), (view.Outcome!.Value, view.Why));
        Assert.Equal(["do a 1", "do b 1", "do b 2", "do b 3", "undo a", "finished RolledBack"], Log);
    }

    [Fact]
    public async Task A_run_that_dies_is_taken_up_again_from_the_journal()
    {
        var writes = 0;
        var definition = Definition();
        await using var operations = new Operations(Store, _signals, Clock, NullLogger<Operations>.Instance,
            seam: point => _ = point.Write == "done" && Interlocked.Increment(ref writes) == 1 ? throw new InvalidOperationException("a fault of ours") : 0);
        operations.Register(definition);
        await operations.StartAsync(Ct);
        var id = await BeginAsync(operations, definition);
        await Eventually.TrueAsync(() => _signals.All.Any(s => s.Message.Contains("died", StringComparison.Ordinal)), "the run dies");
        await Eventually.TrueAsync(async () =>
        {
            Clock.Advance(TimeSpan.FromSeconds(5));
            return (await operations.FindAsync(id, Ct))!.State == OperationState.Ended;
        }, "it is taken up again and ends");
        Assert.Equal(OutcomeKind.Succeeded, (await operations.FindAsync(id, Ct))!.Outcome);
        Assert.Equal(["do a 1", "do a 2", "do b 1", "do c 1", "finished Succeeded"], Log);
    }

    [Fact]
    public async Task An_undo_that_keeps_failing_leaves_it_stuck_with_its_lease_until_resumed()
    {
        var mended = false;
        var definition = Definition(failing: "c", undoFails: () => !mended);
        await using var operations = await EngineAsync(definition);
        var id = await BeginAsync(operations, definition);
        var view = (await operations.WaitForEndAsync(id, Ct))!;
        Assert.Equal((OperationState.Stuck, OutcomeKind.Stuck), (view.State, view.Outcome!.Value));
        Assert.Contains("Undoing 'a' failed: stubborn", view.Why, StringComparison.Ordinal);
        var signal = Assert.Single(_signals.All);
        Assert.Equal(("operation-stuck", SignalUrgency.Urgent, "acme/web"), (signal.Kind, signal.Urgency, signal.Subject));
        Assert.IsType<BeginResult.Busy>(await TryBeginAsync(operations, definition));
        mended = true;
        Assert.Equal(ResumeResult.Resumed, await operations.ResumeAsync(id, Ct));
        Assert.Equal(OutcomeKind.RolledBack, (await operations.WaitForEndAsync(id, Ct))!.Outcome);
        Assert.Equal(0, await HeldLeasesAsync());
        Assert.Equal(ResumeResult.NotStuck, await operations.ResumeAsync(id, Ct));
        Assert.Equal(ResumeResult.NotFound, await operations.ResumeAsync(Ids.New(Clock), Ct));
        Assert.Equal(["finished Stuck", "finished RolledBack"], Log.Where(l => l.StartsWith("finished", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task One_that_is_resumed_the_moment_it_is_stuck_goes_on()
    {
        var definition = Definition(failing: "c", undoFails: () => !Log.Contains("resumed"));
        Operations? operations = null;
        var resuming = new Resuming(id =>
        {
            Add("resumed");
            operations!.ResumeAsync(id).GetAwaiter().GetResult();
        });
        await using var engine = operations = new Operations(Store, resuming, Clock, NullLogger<Operations>.Instance, null, new OperationsOptions { Backoff = TimeSpan.Zero });
        operations.Register(definition);
        await operations.StartAsync(Ct);
        resuming.Operation = await BeginAsync(operations, definition);
        await Eventually.TrueAsync(async () => (await operations.FindAsync(resuming.Operation, Ct))!.Outcome == OutcomeKind.RolledBack, "it goes on and ends");
    }

    [Fact]
    public async Task Two_operations_on_one_lease_do_not_move_at_the_same_time_and_generations_grow()
    {
        var gate = new TaskCompletionSource();
        var definition = Definition(wait: gate.Task);
        await using var operations = await EngineAsync(definition);
        var first = await BeginAsync(operations, definition);
        var busy = Assert.IsType<BeginResult.Busy>(await TryBeginAsync(operations, definition));
        Assert.Equal((first, "project:acme/web"), (busy.Holder.Id, busy.Lease));
        gate.SetResult();
        await operations.WaitForEndAsync(first, Ct);
        Clock.Advance(TimeSpan.FromDays(-30));
        var second = await BeginAsync(operations, definition);
        await operations.WaitForEndAsync(second, Ct);
        Assert.Equal([1L, 2L], Generations);
    }

    [Fact]
    public async Task Of_many_that_begin_at_once_on_one_lease_one_begins()
    {
        var gate = new TaskCompletionSource();
        var definition = Definition(wait: gate.Task);
        await using var operations = await EngineAsync(definition);
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => TryBeginAsync(operations, definition), Ct)));
        Assert.Single(results.OfType<BeginResult.Begun>());
        Assert.Equal(7, results.OfType<BeginResult.Busy>().Count());
        gate.SetResult();
    }

    [Fact]
    public async Task The_same_key_begins_once_and_another_request_under_it_is_refused()
    {
        await using var operations = await EngineAsync(Definition());
        var first = await BeginAsync(operations, Definition(), key: "k1", hash: "h1");
        await operations.WaitForEndAsync(first, Ct);
        Clock.Advance(TimeSpan.FromDays(-2));
        Assert.Equal(first, Assert.IsType<BeginResult.Replayed>(await TryBeginAsync(operations, Definition(), "k1", "h1")).Earlier.Id);
        Assert.Equal(first, Assert.IsType<BeginResult.KeyReused>(await TryBeginAsync(operations, Definition(), "k1", "h2")).Earlier.Id);
        Assert.Single((await operations.ListAsync(new OperationFilter(), 10, null, Ct)).Items);
    }

    [Fact]
    public async Task A_write_that_is_not_committed_begins_nothing()
    {
        await using var operations = await EngineAsync(Definition());
        await Assert.ThrowsAsync<InvalidDataException>(() => Store.WriteAsync(async (db, token) =>
        {
            await operations.BeginAsync(db, Definition(), new BuildPlan("x", 7), OptionsOf(null, null), token);
            throw new InvalidDataException("no");
        }, Ct));
        Assert.Empty((await operations.ListAsync(new OperationFilter(), 10, null, Ct)).Items);
        Assert.Empty(Log);
    }

    [Fact]
    public async Task What_was_begun_before_the_start_runs_at_the_start_and_what_a_stop_interrupted_goes_on()
    {
        var gate = new TaskCompletionSource();
        var definition = Definition(wait: gate.Task);
        await using var first = Engine(definition);
        var id = await BeginAsync(first, definition);
        Assert.Empty(Log);
        await first.StartAsync(Ct);
        await Eventually.TrueAsync(() => Log.Contains("do b 1"), "the second step waits");
        await first.StopAsync();
        Assert.Equal(OperationState.Running, (await first.FindAsync(id, Ct))!.State);
        gate.SetResult();
        await using var second = await EngineAsync(definition);
        await second.WaitForEndAsync(id, Ct);
        // The first step counted as begun with the operation, so the first start is its second attempt already.
        Assert.Equal(["do a 2", "do b 1", "do b 2", "do c 1", "finished Succeeded"], Log);
    }

    [Fact]
    public async Task A_step_keeps_its_start_over_a_restart()
    {
        var gate = new TaskCompletionSource();
        var started = new List<DateTimeOffset>();
        var definition = Definition(wait: gate.Task, seen: c => started.Add(c.StepStartedAt));
        await using var first = await EngineAsync(definition);
        var id = await BeginAsync(first, definition);
        await Eventually.TrueAsync(() => Log.Contains("do b 1"), "the second step waits");
        await first.StopAsync();
        Clock.Advance(TimeSpan.FromHours(1));
        gate.SetResult();
        await using var second = await EngineAsync(definition);
        await second.WaitForEndAsync(id, Ct);
        Assert.Equal(started[0], started[1]);
    }

    [Fact]
    public async Task A_hook_that_fails_leaves_the_operation_stuck_rather_than_half_recorded()
    {
        var broken = true;
        var definition = Definition(hook: _ => broken ? throw new InvalidDataException("no such row") : Task.CompletedTask);
        await using var operations = await EngineAsync(definition);
        var id = await BeginAsync(operations, definition);
        var view = (await operations.WaitForEndAsync(id, Ct))!;
        Assert.Equal((OperationState.Stuck, "Recording its end failed: no such row"), (view.State, view.Why));
        broken = false;
        await operations.ResumeAsync(id, Ct);
        Assert.Equal(OutcomeKind.Succeeded, (await operations.WaitForEndAsync(id, Ct))!.Outcome);
    }

    [Fact]
    public async Task Operations_of_another_version_are_left_alone_and_said()
    {
        await using (var old = Engine(Definition()))
            await BeginAsync(old, Definition());
        await using var operations = Engine(new OperationDefinition<BuildPlan> { Kind = "build", Steps = [Definition().Steps[0]] });
        await operations.StartAsync(Ct);
        Assert.Equal("operation-unknown", Assert.Single(_signals.All).Kind);
        Assert.Empty(Log);
    }

    private List<long> Generations { get; } = [];

    private string[] Log
    {
        get
        {
            lock (_log)
                return [.. _log];
        }
    }

    private OperationDefinition<BuildPlan> Definition(
        string failing = "", string throwing = "", Func<bool>? undoFails = null, Task? wait = null, Func<StoreContext, Task>? hook = null,
        Action<StepContext<BuildPlan>>? seen = null)
    {
        StepEnd Do(string name, StepContext<BuildPlan> c)
        {
            Add($"do {name} {c.Attempt}");
            if (throwing == name)
                throw new InvalidOperationException($"{name} broke");
            return failing == name ? StepEnd.Failed($"{name} is impossible") : StepEnd.Done;
        }
        return new OperationDefinition<BuildPlan>
        {
            Kind = "build",
            Steps =
            [
                new("a", (c, _) =>
                {
                    Generations.Add(c.Generation.Value);
                    c.Say($"a says {c.Plan.Size}");
                    return Task.FromResult(Do("a", c));
                }, Undo.By<BuildPlan>((_, _) =>
                {
                    if (undoFails?.Invoke() == true)
                        return Task.FromResult(StepEnd.Failed("stubborn"));
                    Add("undo a");
                    return Task.FromResult(StepEnd.Done);
                })),
                new("b", async (c, token) =>
                {
                    var end = Do("b", c);
                    seen?.Invoke(c);
                    if (wait is not null)
                        await wait.WaitAsync(token);
                    return end;
                }, Undo.None<BuildPlan>("b cannot be unsaid")),
                new("c", (c, _) =>
                {
                    c.Conclude("all three");
                    return Task.FromResult(Do("c", c));
                }, Undo.By<BuildPlan>((_, _) =>
                {
                    Add("undo c");
                    return Task.FromResult(StepEnd.Done);
                })),
            ],
            Finished = async (db, _, outcome) =>
            {
                await (hook?.Invoke(db) ?? Task.CompletedTask);
                db.AfterCommit(() => Add($"finished {outcome.GetType().Name}"));
            },
        };
    }

    private void Add(string line)
    {
        lock (_log)
            _log.Add(line);
    }

    private Operations Engine(OperationDefinition definition)
    {
        var operations = new Operations(Store, _signals, Clock, NullLogger<Operations>.Instance, new MetricRegistry(), new OperationsOptions { Backoff = TimeSpan.Zero });
        operations.Register(definition);
        return operations;
    }

    private async Task<Operations> EngineAsync(OperationDefinition definition)
    {
        var operations = Engine(definition);
        await operations.StartAsync(Ct);
        return operations;
    }

    private static BeginOptions OptionsOf(string? key, string? hash) => new()
    {
        Subject = "acme/web", Summary = "build it", Actor = Ann, Leases = ["project:acme/web", "a:other"], IdempotencyKey = key, RequestHash = hash,
    };

    private Task<BeginResult> TryBeginAsync(Operations operations, OperationDefinition<BuildPlan> definition, string? key = null, string? hash = null) =>
        Store.WriteAsync((db, token) => operations.BeginAsync(db, definition, new BuildPlan("x", 7), OptionsOf(key, hash), token), Ct);

    private async Task<Guid> BeginAsync(Operations operations, OperationDefinition<BuildPlan> definition, string? key = null, string? hash = null) =>
        Assert.IsType<BeginResult.Begun>(await TryBeginAsync(operations, definition, key, hash)).Operation.Id;

    /// <summary>Acts on the signal of a stuck operation while that one's run has not left yet.</summary>
    private sealed class Resuming(Action<Guid> resume) : ISignals
    {
        private readonly TaskCompletionSource<Guid> _operation = new();

        public Guid Operation
        {
            get => _operation.Task.Result;
            set => _operation.SetResult(value);
        }

        public void Raise(Signal signal) => resume(Operation);
    }

    private Task<int> HeldLeasesAsync() => Store.ReadAsync((db, token) => db.Set<LeaseRow>().CountAsync(l => l.OperationId != null, token), Ct);
}

public sealed class OperationsOnSqlite() : OperationCompliance(new SqliteSource());

public sealed class OperationsOnPostgreSql(PostgresServer server) : OperationCompliance(new PostgresSource(server));
