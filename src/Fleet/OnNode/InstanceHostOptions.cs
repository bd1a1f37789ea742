using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>How a node runs its instances.</summary>
public sealed record InstanceHostOptions
{
    /// <summary>Holds everything that the node knows: records, logs, artifacts, sealed secrets.</summary>
    public required string StateFolder { get; init; }

    /// <summary>The first port that instances are given, on 127.0.0.1.</summary>
    public int FirstPort { get; init; } = 20_000;

    /// <summary>The last port that instances are given.</summary>
    public int LastPort { get; init; } = 29_999;

    /// <summary>PATH of the instances.</summary>
    public string SearchPath { get; init; } = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>LANG of the instances.</summary>
    public string Language { get; init; } = "C.UTF-8";

    /// <summary>TZ of the instances.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>The size at which a log file is closed and the next one begun, in bytes.</summary>
    public long LogFileBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>How many log files of one instance are kept.</summary>
    public int LogFiles { get; init; } = 5;

    /// <summary>The most output of one stream that may wait to be read, in bytes; what is beyond is dropped and counted.</summary>
    public long MaxUnreadOutput { get; init; } = 64 * 1024 * 1024;

    /// <summary>How long record and logs of a stopped instance are kept, so that a stale task cannot revive it.</summary>
    public TimeSpan KeepStopped { get; init; } = TimeSpan.FromDays(7);

    /// <summary>The most bytes that an artifact may have, packed and unpacked.</summary>
    public long MaxArtifactBytes { get; init; } = 4L * 1024 * 1024 * 1024;

    /// <summary>The most entries that an artifact may have.</summary>
    public int MaxArtifactEntries { get; init; } = 200_000;

    /// <summary>How many unpacked artifacts that no instance uses are kept for a quick way back.</summary>
    public int KeepArtifacts { get; init; } = 3;

    /// <summary>Where the kernel's control groups are mounted; null to hold limits by rlimits only.</summary>
    public string? ControlGroups { get; init; } = "/sys/fs/cgroup";

    /// <summary>How records are made durable.</summary>
    public DurableFiles Files { get; init; } = DurableFiles.Real;
}
