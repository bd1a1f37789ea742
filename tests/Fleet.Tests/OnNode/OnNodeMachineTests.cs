using Groundcrew.Fleet.OnNode;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeMachineTests
{
    // One row a state, one column an event in the order of the enum; "-" is refused, "=" stays where it is.
    // Written as next state and what is done: F(etching) S(tarting) R(eady) U(nready) B(acking off) P (stopping) O(ver) X (failed).
    private const string Grid =
        """
                    Run       Stop      Adopted  Prepared  PrepFail  PrepRefd  Launched  LaunchF  ReadyOk  Failing  ReadyLost LiveLost  Exited   Backoff
        Pending     F+Prepare O+Clean   S+Watch  -         -         -         -         -        -        -        -         -         -        -
        Fetching    =         O+Clean   -        S+Launch  B+Later   X         -         -        -        -        -         -         -        -
        Starting    =         P+End     -        -         -         -         S+Watch   B+Later  R        S        -         S+End     B+Later  -
        Ready       =         P+End     -        -         -         -         -         -        -        -        U         U+End     B+Later  -
        Unready     =         P+End     -        -         -         -         -         -        R        U        -         U+End     B+Later  -
        BackingOff  =         O+Clean   -        -         -         -         -         -        -        -        -         -         -        F+Prepare
        Stopping    -         =         -        -         -         -         -         -        -        -        -         -         O+Clean  -
        Stopped     -         =         -        -         -         -         -         -        -        -        -         -         -        -
        Failed      F+Prepare O+Clean   -        -         -         -         -         -        -        -        -         -         -        -
        """;

    private static readonly DateTimeOffset Then = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Every_event_in_every_state_does_what_the_grid_says()
    {
        var events = Enum.GetValues<InstanceEventKind>();
        var seen = 0;
        foreach (var row in Grid.Split('\n').Skip(1).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            var state = Enum.Parse<InstanceState>(row[0]);
            Assert.Equal(events.Length, row.Length - 1);
            for (var i = 0; i < events.Length; i++, seen++)
                Assert.True(row[i + 1] == Told(state, events[i]), $"{state} × {events[i]}: the grid says {row[i + 1]}, the machine {Told(state, events[i])}");
        }
        Assert.Equal(Enum.GetValues<InstanceState>().Length * events.Length, seen);
    }

    [Fact]
    public void The_wait_doubles_up_to_its_limit_and_health_forgets_failures()
    {
        var machine = new InstanceMachine(InstanceState.Starting, Then);
        var waits = new List<double>();
        for (var i = 0; i < 9; i++)
        {
            machine = machine.Step(new InstanceEvent(InstanceEventKind.Exited, "exited"), Then)!.Value.Next;
            waits.Add(machine.Delay.TotalSeconds);
            machine = machine with { State = InstanceState.Starting };
        }
        Assert.Equal([0.5, 1, 2, 4, 8, 16, 30, 30, 30], waits);
        machine = machine.Step(new InstanceEvent(InstanceEventKind.Exited, "exited", TimeSpan.FromSeconds(60)), Then)!.Value.Next;
        Assert.Equal(0.5, machine.Delay.TotalSeconds);
    }

    [Fact]
    public void Flapping_is_said_in_the_reason()
    {
        var machine = new InstanceMachine(InstanceState.Ready, Then);
        for (var i = 0; i < 2; i++)
        {
            machine = machine.Step(new InstanceEvent(InstanceEventKind.ReadinessLost, "not ready: GET /r answered 500"), Then)!.Value.Next;
            machine = machine.Step(new InstanceEvent(InstanceEventKind.ReadinessPassed), Then)!.Value.Next;
        }
        Assert.Contains("lost 2 times", machine.Reason, StringComparison.Ordinal);
        Assert.Contains("answered 500", machine.Reason, StringComparison.Ordinal);
    }

    private static string Told(InstanceState state, InstanceEventKind kind)
    {
        var machine = new InstanceMachine(state, Then);
        if (machine.Step(new InstanceEvent(kind, "why"), Then.AddSeconds(1)) is not var (next, effect))
            return "-";
        if (next == machine && effect == InstanceEffect.None)
            return "=";
        var letter = next.State switch
        {
            InstanceState.Fetching => "F",
            InstanceState.Starting => "S",
            InstanceState.Ready => "R",
            InstanceState.Unready => "U",
            InstanceState.BackingOff => "B",
            InstanceState.Stopping => "P",
            InstanceState.Stopped => "O",
            InstanceState.Failed => "X",
            _ => "?",
        };
        return effect switch
        {
            InstanceEffect.None => letter,
            InstanceEffect.StartLater => $"{letter}+Later",
            _ => $"{letter}+{effect}",
        };
    }
}
