using System.Text.Json.Serialization;

namespace Groundcrew.Fleet;

/// <summary>How a program is started: either a line for <c>/bin/sh</c> or a list of words; exactly one is set.</summary>
/// <param name="Shell">Run as <c>/bin/sh -c "exec …"</c>, so that the program is the shell's own process.</param>
/// <param name="Words">The program and its arguments; <c>${PORT}</c>, <c>${HOST}</c>, <c>${INSTANCE_DIR}</c> and the other variables of the instance are replaced.</param>
public sealed record RunCommand(string? Shell, IReadOnlyList<string>? Words);

/// <summary>One HTTP probe (U-20, T-06). Judged by status code: 200 to 399 is good (T-07).</summary>
/// <param name="Path">The path to GET, from <c>/</c>.</param>
/// <param name="InitialDelay">How long to wait after a start.</param>
/// <param name="Period">From probe to probe.</param>
/// <param name="Timeout">How long one may take.</param>
/// <param name="FailureThreshold">How many failures in a row count.</param>
public sealed record Probe(string Path, TimeSpan InitialDelay, TimeSpan Period, TimeSpan Timeout, int FailureThreshold);

/// <summary>What one instance may use (T-36); null where nothing is limited.</summary>
/// <param name="Millicores">Thousandths of a processor.</param>
/// <param name="MemoryBytes">Memory.</param>
public sealed record ResourceLimits(int? Millicores, long? MemoryBytes);

/// <summary>Everything a node needs to run one copy of a deployment. Immutable; holds references to secrets, never values.</summary>
public sealed record InstanceSpec
{
    /// <summary>The instance, also the key of its task.</summary>
    public required Guid InstanceId { get; init; }

    /// <summary>The organization.</summary>
    public required string Org { get; init; }

    /// <summary>The project.</summary>
    public required string Project { get; init; }

    /// <summary>The environment, such as <c>production</c>.</summary>
    public required string Environment { get; init; }

    /// <summary>The deployment's label.</summary>
    public required string Deployment { get; init; }

    /// <summary>The region's code.</summary>
    public required string Region { get; init; }

    /// <summary>The artifact, as <c>sha256:</c> and 64 hexadecimal digits: a gzip-compressed tar archive.</summary>
    public required string Artifact { get; init; }

    /// <summary>How to start it, in the folder of the unpacked artifact.</summary>
    public required RunCommand Run { get; init; }

    /// <summary>Plain settings, as environment variables.</summary>
    public required IReadOnlyDictionary<string, string> Variables { get; init; }

    /// <summary>Names of the environment variables whose values are secrets, to be asked for over the link.</summary>
    public required IReadOnlyList<string> SecretVariables { get; init; }

    /// <summary>Restarts the instance when it fails; null when the process being alive is enough.</summary>
    public Probe? Liveness { get; init; }

    /// <summary>Gates traffic; null when an accepted TCP connection on the port is enough.</summary>
    public Probe? Readiness { get; init; }

    /// <summary>What it may use.</summary>
    public required ResourceLimits Limits { get; init; }

    /// <summary>From SIGTERM to SIGKILL (T-34).</summary>
    public required TimeSpan Drain { get; init; }

    /// <summary>How people see it in metrics: the deployment's label and the end of its id.</summary>
    [JsonIgnore]
    public string Name => NameOf(Deployment, InstanceId);

    /// <summary>The <see cref="Name"/> of an instance.</summary>
    public static string NameOf(string deployment, Guid instance) => $"{deployment}-{instance.ToString()[^6..]}";
}

/// <summary>What should become of an instance.</summary>
public enum InstanceDesire
{
    /// <summary>Keep it running, start it again when it dies.</summary>
    Run,

    /// <summary>Stop it for good; its logs stay for a while.</summary>
    Stop,
}

/// <summary>The payload of a node task of kind <see cref="Kind"/>.</summary>
/// <param name="Spec">What to run.</param>
/// <param name="Desire">What should become of it.</param>
public sealed record InstanceTask(InstanceSpec Spec, InstanceDesire Desire)
{
    /// <summary>The kind of such tasks.</summary>
    public const string Kind = "instance";
}

/// <summary>Where an instance stands.</summary>
public enum InstanceState
{
    /// <summary>Given to a node that has not reported yet.</summary>
    Pending,

    /// <summary>The artifact is being fetched, verified and unpacked.</summary>
    Fetching,

    /// <summary>The process runs; readiness was not seen yet.</summary>
    Starting,

    /// <summary>It passed its readiness check and may take traffic.</summary>
    Ready,

    /// <summary>It was ready, and fails its readiness check now.</summary>
    Unready,

    /// <summary>It ended or was ended, and waits before the next start.</summary>
    BackingOff,

    /// <summary>SIGTERM was sent.</summary>
    Stopping,

    /// <summary>No process of it is left, as wanted.</summary>
    Stopped,

    /// <summary>It cannot run, and trying again will not help (a wrong digest, an archive that cannot be unpacked).</summary>
    Failed,
}

/// <summary>What a node reports of an instance.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Since">When it came there.</param>
/// <param name="Address">Host and port, such as <c>127.0.0.1:20001</c>, once a port is chosen.</param>
/// <param name="Pid">The process, while there is one.</param>
/// <param name="Restarts">How often it was started again.</param>
/// <param name="Reason">Why it stands there, for a person: exit code or signal, probe answer, last lines of output.</param>
/// <param name="Limits">How limits are held: <c>cgroup v2</c>, <c>cgroup v1</c>, or <c>rlimit: …</c> with what is not held.</param>
public sealed record InstanceStatus(
    InstanceState State, DateTimeOffset Since, string? Address, int? Pid, int Restarts, string? Reason, string? Limits);

/// <summary>The payload of a stream request of kind <see cref="Kind"/>: the output of one instance.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Tail">How many of the last lines; null for all that are kept.</param>
/// <param name="Since">Only lines written at or after; null for all.</param>
/// <param name="Follow">Keep sending as lines come.</param>
public sealed record LogsQuestion(Guid InstanceId, int? Tail, DateTimeOffset? Since, bool Follow)
{
    /// <summary>The kind of such requests.</summary>
    public const string Kind = "logs";
}

/// <summary>One line of output; the stream carries them as JSON, one a line.</summary>
/// <param name="At">When it was read.</param>
/// <param name="Stream"><c>stdout</c> or <c>stderr</c>; <c>crew</c> for words of the platform about the instance.</param>
/// <param name="Text">The line, without its end; cut at 16 KiB.</param>
/// <param name="InstanceId">The instance.</param>
public sealed record LogLine(DateTimeOffset At, string Stream, string Text, Guid InstanceId);
