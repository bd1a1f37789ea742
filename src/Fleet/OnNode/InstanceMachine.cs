namespace Groundcrew.Fleet.OnNode;

/// <summary>What can happen to an instance.</summary>
internal enum InstanceEventKind
{
    /// <summary>The control plane wants it to run.</summary>
    RunWanted,

    /// <summary>The control plane wants it stopped for good.</summary>
    StopWanted,

    /// <summary>After an agent's start its process was found running.</summary>
    Adopted,

    /// <summary>Artifact and secrets are there.</summary>
    Prepared,

    /// <summary>They could not be had now.</summary>
    PrepareFailed,

    /// <summary>They never will be right (a wrong digest).</summary>
    PrepareRefused,

    /// <summary>The process was started.</summary>
    Launched,

    /// <summary>It could not be started.</summary>
    LaunchFailed,

    /// <summary>The readiness check passed.</summary>
    ReadinessPassed,

    /// <summary>It failed, not yet often enough to count, or before it ever passed.</summary>
    ReadinessFailing,

    /// <summary>It failed as often as the threshold says.</summary>
    ReadinessLost,

    /// <summary>The liveness check failed as often as the threshold says.</summary>
    LivenessLost,

    /// <summary>No process of it is left.</summary>
    Exited,

    /// <summary>The wait before the next start passed.</summary>
    BackoffPassed,
}

/// <summary>One event. <paramref name="HealthyFor"/> is how long it had been ready when it ended.</summary>
internal sealed record InstanceEvent(InstanceEventKind Kind, string? Reason = null, TimeSpan HealthyFor = default, bool WasReady = false);

/// <summary>What the actor does after a step.</summary>
internal enum InstanceEffect
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Fetch the artifact and the secrets.</summary>
    Prepare,

    /// <summary>Start the process.</summary>
    Launch,

    /// <summary>Watch and probe a process that runs already.</summary>
    Watch,

    /// <summary>End the process: SIGTERM, the drain time, SIGKILL.</summary>
    End,

    /// <summary>Start again after <see cref="InstanceMachine.Delay"/>.</summary>
    StartLater,

    /// <summary>Remove what a stopped instance leaves, but its logs and its tombstone.</summary>
    Clean,
}

/// <summary>Where an instance stands, as far as its future depends on it. Immutable; the whole of the life cycle is <see cref="Step"/>.</summary>
internal sealed record InstanceMachine(InstanceState State, DateTimeOffset Since)
{
    /// <summary>The first wait before another start; doubled with each failure.</summary>
    public static readonly TimeSpan ShortestDelay = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest wait.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);

    /// <summary>Having been healthy for so long forgets earlier failures.</summary>
    public static readonly TimeSpan ForgetAfter = TimeSpan.FromSeconds(60);

    /// <summary>Why it stands there.</summary>
    public string? Reason { get; init; }

    /// <summary>How often it was started.</summary>
    public int Starts { get; init; }

    /// <summary>Failures in a row.</summary>
    public int Failures { get; init; }

    /// <summary>How often readiness was lost since the latest start.</summary>
    public int Flaps { get; init; }

    /// <summary>How often it was started again.</summary>
    public int Restarts => Math.Max(0, Starts - 1);

    /// <summary>The wait before the next start.</summary>
    public TimeSpan Delay =>
        TimeSpan.FromSeconds(Math.Min(ShortestDelay.TotalSeconds * Math.Pow(2, Math.Clamp(Failures - 1, 0, 16)), LongestDelay.TotalSeconds));

    /// <summary>Whether a process runs or is being ended.</summary>
    public bool HasProcess => State is InstanceState.Starting or InstanceState.Ready or InstanceState.Unready or InstanceState.Stopping;

    /// <summary>The next state and what to do; null when the event cannot happen in this state. Pure.</summary>
    public (InstanceMachine Next, InstanceEffect Effect)? Step(InstanceEvent happened, DateTimeOffset now) => (State, happened.Kind) switch
    {
        (InstanceState.Pending, InstanceEventKind.RunWanted) => (To(InstanceState.Fetching, now, null), InstanceEffect.Prepare),
        (InstanceState.Failed, InstanceEventKind.RunWanted) => (To(InstanceState.Fetching, now, null), InstanceEffect.Prepare),
        (InstanceState.Stopping or InstanceState.Stopped, InstanceEventKind.RunWanted) => null,
        (_, InstanceEventKind.RunWanted) => (this, InstanceEffect.None),

        (InstanceState.Stopped, InstanceEventKind.StopWanted) => (this, InstanceEffect.None),
        (InstanceState.Stopping, InstanceEventKind.StopWanted) => (this, InstanceEffect.None),
        (_, InstanceEventKind.StopWanted) when HasProcess => (To(InstanceState.Stopping, now, "asked to stop"), InstanceEffect.End),
        (_, InstanceEventKind.StopWanted) => (To(InstanceState.Stopped, now, "stopped as asked; no process was running"), InstanceEffect.Clean),

        (InstanceState.Pending, InstanceEventKind.Adopted) =>
            (To(happened.WasReady ? InstanceState.Ready : InstanceState.Starting, now, happened.Reason) with { Starts = Math.Max(1, Starts) }, InstanceEffect.Watch),

        (InstanceState.Fetching, InstanceEventKind.Prepared) => (To(InstanceState.Starting, now, null) with { Flaps = 0 }, InstanceEffect.Launch),
        (InstanceState.Fetching, InstanceEventKind.PrepareFailed) => Later(happened, now),
        (InstanceState.Fetching, InstanceEventKind.PrepareRefused) => (To(InstanceState.Failed, now, happened.Reason), InstanceEffect.None),

        (InstanceState.Starting, InstanceEventKind.Launched) => (this with { Reason = happened.Reason, Starts = Starts + 1 }, InstanceEffect.Watch),
        (InstanceState.Starting, InstanceEventKind.LaunchFailed) => Later(happened, now),
        (InstanceState.Starting, InstanceEventKind.ReadinessPassed) => (To(InstanceState.Ready, now, null), InstanceEffect.None),
        (InstanceState.Unready, InstanceEventKind.ReadinessPassed) => (To(InstanceState.Ready, now, Flapped), InstanceEffect.None),
        (InstanceState.Starting or InstanceState.Unready, InstanceEventKind.ReadinessFailing) => (this with { Reason = happened.Reason }, InstanceEffect.None),
        (InstanceState.Ready, InstanceEventKind.ReadinessLost) => (To(InstanceState.Unready, now, happened.Reason) with { Flaps = Flaps + 1 }, InstanceEffect.None),

        (InstanceState.Starting, InstanceEventKind.LivenessLost) => (this with { Reason = happened.Reason }, InstanceEffect.End),
        (InstanceState.Ready, InstanceEventKind.LivenessLost) => (To(InstanceState.Unready, now, happened.Reason), InstanceEffect.End),
        (InstanceState.Unready, InstanceEventKind.LivenessLost) => (this with { Reason = happened.Reason }, InstanceEffect.End),

        (InstanceState.Stopping, InstanceEventKind.Exited) => (To(InstanceState.Stopped, now, happened.Reason), InstanceEffect.Clean),
        (InstanceState.Starting or InstanceState.Ready or InstanceState.Unready, InstanceEventKind.Exited) => Later(happened, now),

        (InstanceState.BackingOff, InstanceEventKind.BackoffPassed) => (To(InstanceState.Fetching, now, Reason), InstanceEffect.Prepare),
        _ => null,
    };

    private string Flapped => $"ready again; the readiness check was lost {(Flaps == 1 ? "once" : $"{Flaps} times")} since the start, last: {Reason}";

    private InstanceMachine To(InstanceState state, DateTimeOffset now, string? reason) => this with { State = state, Since = now, Reason = reason };

    private (InstanceMachine, InstanceEffect) Later(InstanceEvent happened, DateTimeOffset now)
    {
        var failures = happened.HealthyFor >= ForgetAfter ? 1 : Failures + 1;
        var next = To(InstanceState.BackingOff, now, happened.Reason) with { Failures = failures };
        return (next, InstanceEffect.StartLater);
    }
}
