using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Groundcrew.Journal.Tests;

/// <summary>Operations as they are seen: watched, listed, and many at once.</summary>
public abstract partial class OperationCompliance
{
    [Fact]
    public async Task A_watcher_sees_the_past_and_then_what_happens_until_the_end()
    {
        var gate = new TaskCompletionSource();
        var definition = Definition(wait: gate.Task);
        await using var operations = await EngineAsync(definition);
        var id = await BeginAsync(operations, definition);
        await Eventually.TrueAsync(() => Log.Contains("do b 1"), "the second step waits");
        var events = new List<OperationEvent>();
        await foreach (var one in operations.WatchAsync(id, Ct))
        {
            events.Add(one);
            gate.TrySetResult();
        }
        var snapshot = Assert.IsType<OperationEvent.Snapshot>(events[0]);
        Assert.Equal("a says 7", Assert.Single(snapshot.Lines).Text);
        Assert.Equal(OutcomeKind.Succeeded, Assert.IsType<OperationEvent.Ended>(events[^1]).Operation.Outcome);
        var late = new List<OperationEvent>();
        await foreach (var one in operations.WatchAsync(id, Ct))
            late.Add(one);
        Assert.IsType<OperationEvent.Snapshot>(late[0]);
        Assert.IsType<OperationEvent.Ended>(late[1]);
    }

    [Fact]
    public async Task A_slow_watcher_gets_a_snapshot_instead_of_growth_and_only_the_newest_lines_are_kept()
    {
        var (gate, said) = (new TaskCompletionSource(), new TaskCompletionSource());
        var definition = new OperationDefinition<BuildPlan>
        {
            Kind = "build",
            Steps =
            [
                new("talk", async (c, token) =>
                {
                    await gate.Task.WaitAsync(token);
                    for (var i = 1; i <= 2000; i++)
                        c.Say($"line {i}");
                    said.SetResult();
                    return StepEnd.Done;
                }, Undo.None<BuildPlan>("talk only")),
            ],
        };
        await using var operations = await EngineAsync(definition);
        var id = await BeginAsync(operations, definition);
        var events = new List<OperationEvent>();
        await foreach (var one in operations.WatchAsync(id, Ct))
        {
            events.Add(one);
            gate.TrySetResult();
            await said.Task;
        }
        Assert.True(events.Count < 1000, $"{events.Count} events");
        Assert.Equal("line 2000", events.OfType<OperationEvent.Snapshot>().Last().Lines[^1].Text);
        var lines = await operations.LinesAsync(id, Ct);
        Assert.Equal((500, "line 2000"), (lines.Count, lines[^1].Text));
        Assert.Equal(1500, (await operations.FindAsync(id, Ct))!.LinesDropped);
    }

    [Fact]
    public async Task What_was_said_before_a_stop_is_kept_and_a_run_that_died_writes_no_more()
    {
        var (gate, died) = (new TaskCompletionSource(), false);
        var definition = new OperationDefinition<BuildPlan>
        {
            Kind = "build",
            Steps =
            [
                new("talk", async (c, token) =>
                {
                    c.Say($"try {c.Attempt}");
                    Add($"try {c.Attempt}");
                    if (c.Attempt > 1)
                        await gate.Task.WaitAsync(token);
                    return StepEnd.Done;
                }, Undo.None<BuildPlan>("talk only")),
            ],
        };
        var dying = new Operations(Store, _signals, Clock, NullLogger<Operations>.Instance,
            seam: point => _ = point is { Write: "end", Moment: JournalMoment.Before } && (died = true) ? throw new InvalidOperationException("a fault of ours") : 0);
        dying.Register(definition);
        await dying.StartAsync(Ct);
        var id = await BeginAsync(dying, definition);
        await Eventually.TrueAsync(() => _signals.All.Any(s => s.Message.Contains("died", StringComparison.Ordinal)), "the run dies");
        await dying.DisposeAsync();
        Assert.True(died);

        await using (var stopped = await EngineAsync(definition))
        {
            await Eventually.TrueAsync(() => Log.Contains("try 2"), "it is tried again");
            // When the first run would have saved its line, under the number that the second gave to its own.
            Clock.Advance(TimeSpan.FromSeconds(1));
            await stopped.StopAsync();
        }
        gate.SetResult();
        await using var last = await EngineAsync(definition);
        Assert.Equal(OutcomeKind.Succeeded, (await last.WaitForEndAsync(id, Ct))!.Outcome);
        Assert.Equal(["try 2", "try 3"], (await last.LinesAsync(id, Ct)).Select(l => l.Text));
    }

    [Fact]
    public async Task Lists_are_newest_first_in_parts_and_filtered()
    {
        await using var operations = await EngineAsync(Definition());
        var ids = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            ids.Add(await BeginAsync(operations, Definition()));
            await operations.WaitForEndAsync(ids[i], Ct);
        }
        var first = await operations.ListAsync(new OperationFilter(SubjectPrefix: "acme/"), 3, null, Ct);
        var rest = await operations.ListAsync(new OperationFilter(SubjectPrefix: "acme/"), 3, PageCursor.Parse(first.Next!.ToString()), Ct);
        Assert.Equal(ids.Order(), first.Items.Concat(rest.Items).Select(o => o.Id).Order());
        Assert.Equal((3, 2), (first.Items.Count, rest.Items.Count));
        Assert.Null(rest.Next);
        Assert.Empty((await operations.ListAsync(new OperationFilter(Kind: "other"), 3, null, Ct)).Items);
        Assert.Empty((await operations.ListAsync(new OperationFilter(State: OperationState.Running), 3, null, Ct)).Items);
    }

    [Fact]
    public async Task Many_operations_at_once_all_end_and_no_more_move_than_allowed()
    {
        var (moving, most) = (0, 0);
        Step<BuildPlan> Busy(string name) => new(name, async (c, token) =>
        {
            var now = Interlocked.Increment(ref moving);
            lock (_log)
                most = Math.Max(most, now);
            await Task.Yield();
            c.Say("on the way");
            Interlocked.Decrement(ref moving);
            return StepEnd.Done;
        }, Undo.None<BuildPlan>("nothing to take back"));
        var definition = new OperationDefinition<BuildPlan> { Kind = "build", Steps = [Busy("one"), Busy("two"), Busy("three")] };
        await using var operations = new Operations(Store, _signals, Clock, NullLogger<Operations>.Instance, null, new OperationsOptions { MaxParallel = 8, Backoff = TimeSpan.Zero });
        operations.Register(definition);
        await operations.StartAsync(Ct);
        var ids = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(async () =>
        {
            var options = OptionsOf(null, null) with { Leases = [$"project:{i}"] };
            var result = await Store.WriteAsync((db, token) => operations.BeginAsync(db, definition, new BuildPlan("x", i), options, token), Ct);
            return Assert.IsType<BeginResult.Begun>(result).Operation.Id;
        }, Ct)));
        var ends = await Task.WhenAll(ids.Select(id => operations.WaitForEndAsync(id, Ct)));
        Assert.All(ends, e => Assert.Equal(OutcomeKind.Succeeded, e!.Outcome));
        Assert.InRange(most, 1, 8);
        Assert.Empty(_signals.All);
    }
}
