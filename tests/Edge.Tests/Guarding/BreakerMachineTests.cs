using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>Every state of the machine meets every event.</summary>
public sealed class BreakerMachineTests
{
    private const long OpenFor = 10;
    private const long OpenAtMost = 35;
    private const long Now = 1000;

    private static readonly BreakerMachine Machine = new(failures: 3, OpenFor, OpenAtMost, trials: 2);

    private static readonly Dictionary<string, BreakerMemory> States = new(StringComparer.Ordinal)
    {
        ["closed"] = Closed(0),
        ["closed, two failed"] = Closed(2),
        ["open"] = Opened(Now + 1),
        ["open, its time passed"] = Opened(Now),
        ["half-open"] = HalfOpen(trialsOut: 1, trialsWell: 0),
        ["half-open, all out"] = HalfOpen(trialsOut: 2, trialsWell: 0),
        ["half-open, one well"] = HalfOpen(trialsOut: 1, trialsWell: 1),
    };

    /// <summary>State, event, state after it, failures in a row after it, trials out and well after it; a refusal ends with an exclamation mark.</summary>
    private static readonly string[] Grid =
    [
        "closed | Succeeded | Closed 0 0 0",
        "closed | Failed | Closed 1 0 0",
        "closed | FailedTooOften | Open 1 0 0",
        "closed | TrialAsked | Closed 0 0 0 !",
        "closed | TrialSucceeded | Closed 0 0 0",
        "closed | TrialFailed | Closed 1 0 0",
        "closed | TrialLeft | Closed 0 0 0",
        "closed, two failed | Succeeded | Closed 0 0 0",
        "closed, two failed | Failed | Open 3 0 0",
        "closed, two failed | FailedTooOften | Open 3 0 0",
        "closed, two failed | TrialAsked | Closed 2 0 0 !",
        "closed, two failed | TrialSucceeded | Closed 0 0 0",
        "closed, two failed | TrialFailed | Open 3 0 0",
        "closed, two failed | TrialLeft | Closed 2 0 0",
        "open | Succeeded | Open 3 0 0",
        "open | Failed | Open 3 0 0",
        "open | FailedTooOften | Open 3 0 0",
        "open | TrialAsked | Open 3 0 0 !",
        "open | TrialSucceeded | Open 3 0 0",
        "open | TrialFailed | Open 3 0 0",
        "open | TrialLeft | Open 3 0 0",
        "open, its time passed | Succeeded | Open 3 0 0",
        "open, its time passed | Failed | Open 3 0 0",
        "open, its time passed | FailedTooOften | Open 3 0 0",
        "open, its time passed | TrialAsked | HalfOpen 3 1 0",
        "open, its time passed | TrialSucceeded | Open 3 0 0",
        "open, its time passed | TrialFailed | Open 3 0 0",
        "open, its time passed | TrialLeft | Open 3 0 0",
        "half-open | Succeeded | HalfOpen 3 1 0",
        "half-open | Failed | HalfOpen 3 1 0",
        "half-open | FailedTooOften | HalfOpen 3 1 0",
        "half-open | TrialAsked | HalfOpen 3 2 0",
        "half-open | TrialSucceeded | HalfOpen 3 0 1",
        "half-open | TrialFailed | Open 3 0 0",
        "half-open | TrialLeft | HalfOpen 3 0 0",
        "half-open, all out | Succeeded | HalfOpen 3 2 0",
        "half-open, all out | Failed | HalfOpen 3 2 0",
        "half-open, all out | FailedTooOften | HalfOpen 3 2 0",
        "half-open, all out | TrialAsked | HalfOpen 3 2 0 !",
        "half-open, all out | TrialSucceeded | HalfOpen 3 1 1",
        "half-open, all out | TrialFailed | Open 3 0 0",
        "half-open, all out | TrialLeft | HalfOpen 3 1 0",
        "half-open, one well | Succeeded | HalfOpen 3 1 1",
        "half-open, one well | Failed | HalfOpen 3 1 1",
        "half-open, one well | FailedTooOften | HalfOpen 3 1 1",
        "half-open, one well | TrialAsked | HalfOpen 3 1 1 !",
        "half-open, one well | TrialSucceeded | Closed 0 0 0",
        "half-open, one well | TrialFailed | Open 3 0 0",
        "half-open, one well | TrialLeft | HalfOpen 3 0 1",
    ];

    [Fact]
    public void Every_state_meets_every_event_as_the_table_says()
    {
        Assert.Equal(States.Count * Enum.GetValues<BreakerEvent>().Length, Grid.Select(r => r[..r.LastIndexOf('|')]).Distinct().Count());
        Assert.All(Grid, row =>
        {
            var parts = row.Split(" | ");
            var (next, granted) = Machine.Step(States[parts[0]], Enum.Parse<BreakerEvent>(parts[1]), Now);
            Assert.Equal(parts[2], $"{next.State} {next.FailuresInARow} {next.TrialsOut} {next.TrialsWell}{(granted ? "" : " !")}");
            Assert.Equal(next.State == BreakerState.Open && States[parts[0]].State != BreakerState.Open ? 2 : 1, next.Opened);
        });
    }

    [Fact]
    public void It_stays_open_for_twice_as_long_each_time_up_to_the_most()
    {
        var memory = Machine.Start(0) with { NextOpenFor = OpenFor };
        var (now, lengths) = (0L, new List<long>());
        for (var i = 0; i < 3; i++)
            memory = Machine.Step(memory, BreakerEvent.Failed, now).Next;
        for (var i = 0; i < 4; i++)
        {
            lengths.Add(memory.OpenUntil - now);
            now = memory.OpenUntil;
            memory = Machine.Step(memory, BreakerEvent.TrialAsked, now).Next;
            memory = Machine.Step(memory, BreakerEvent.TrialFailed, now).Next;
        }
        Assert.Equal([10, 20, 35, 35], lengths);
    }

    [Theory]
    [InlineData(OpenAtMost - 1, 20)]
    [InlineData(OpenAtMost, 10)]
    public void The_length_begins_anew_when_it_was_closed_for_a_while(long closedFor, long expected)
    {
        var memory = Closed(2) with { ClosedSince = Now - closedFor, NextOpenFor = 20 };
        Assert.Equal(Now + expected, Machine.Step(memory, BreakerEvent.Failed, Now).Next.OpenUntil);
    }

    [Fact]
    public void A_trial_that_never_ends_keeps_it_half_open_for_a_while_only()
    {
        var memory = HalfOpen(trialsOut: 2, trialsWell: 0);
        Assert.False(Machine.MayTry(memory, memory.LastTrial + OpenAtMost - 1));
        Assert.True(Machine.Step(memory, BreakerEvent.TrialAsked, memory.LastTrial + OpenAtMost).Granted);
    }

    [Fact]
    public void A_clock_set_back_does_not_keep_it_open() =>
        Assert.True(Machine.MayTry(Opened(Now + 1), Now - 1_000_000));

    private static BreakerMemory Closed(int failures) => new(BreakerState.Closed, failures, 0, OpenFor, Now - 5, 0, 0, 0, 1);

    private static BreakerMemory Opened(long until) => new(BreakerState.Open, 3, until, 2 * OpenFor, 0, 0, 0, 0, 1);

    private static BreakerMemory HalfOpen(int trialsOut, int trialsWell) =>
        new(BreakerState.HalfOpen, 3, Now - 5, 2 * OpenFor, 0, trialsOut, trialsWell, Now - 1, 1);
}
