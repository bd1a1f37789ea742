namespace Groundcrew.Postgres;

/// <summary>Where a database cluster stands.</summary>
public enum DatabaseState
{
    /// <summary>Its operation makes it.</summary>
    Creating,

    /// <summary>It should be there and answer.</summary>
    Ready,

    /// <summary>It could not be made; nothing of it runs.</summary>
    Failed,

    /// <summary>It was removed. Its backups stay, and it can be restored from them.</summary>
    Removed,
}

/// <summary>A cluster, as stored.</summary>
internal sealed class ClusterRow
{
    public required Guid Id { get; set; }

    public required string Org { get; set; }

    public required string Name { get; set; }

    public required DatabaseState State { get; set; }

    /// <summary>Somebody else runs it; its address is a secret.</summary>
    public required bool IsExternal { get; set; }

    /// <summary>The <see cref="DatabaseSettings"/>.</summary>
    public required string Settings { get; set; }

    /// <summary>Why it stands there; null when there is nothing to say.</summary>
    public string? Why { get; set; }

    /// <summary>The operation that changed it last.</summary>
    public required Guid Operation { get; set; }

    public required string Actor { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }

    /// <summary>What it was restored from; null for a new one.</summary>
    public string? RestoredFrom { get; set; }

    /// <summary>When the base backup was begun that its windows start with; null before, and again when the log of the archive has a gap.</summary>
    public DateTimeOffset? FirstBackupBegunAt { get; set; }
}

/// <summary>One server of a cluster on one node, as stored.</summary>
internal sealed class ServerRow
{
    public required Guid Id { get; set; }

    public required Guid ClusterId { get; set; }

    public required Guid NodeId { get; set; }

    public required ServerRole Role { get; set; }

    public required int Port { get; set; }

    public required ClusterDesire Desire { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }
}

/// <summary>What a schedule does.</summary>
public enum ScheduleKind
{
    /// <summary>A base backup.</summary>
    Base,

    /// <summary>A dump.</summary>
    Dump,

    /// <summary>Looks at the newest backup.</summary>
    Verify,

    /// <summary>Restores into a scratch cluster and checks it.</summary>
    Drill,

    /// <summary><c>VACUUM (ANALYZE)</c> and <c>REINDEX CONCURRENTLY</c> where it is needed.</summary>
    Upkeep,

    /// <summary>Deletes what retention does not keep.</summary>
    Prune,
}

/// <summary>A schedule, as stored.</summary>
internal sealed class ScheduleRow
{
    public required Guid Id { get; set; }

    public required Guid ClusterId { get; set; }

    public required ScheduleKind Kind { get; set; }

    public required string Cron { get; set; }

    public required string Zone { get; set; }

    public required TimeSpan Jitter { get; set; }

    public string? Database { get; set; }

    public string? Template { get; set; }

    /// <summary>Slots up to this moment are dealt with.</summary>
    public required DateTimeOffset HandledUntil { get; set; }

    public Guid? LastOperation { get; set; }

    public DateTimeOffset? LastStartedAt { get; set; }

    public DateTimeOffset? LastEndedAt { get; set; }

    public bool? IsLastGood { get; set; }

    public string? LastWords { get; set; }
}

/// <summary>A job that was given to a node, as stored: until the node has forgotten it.</summary>
internal sealed class JobRow
{
    public required Guid Id { get; set; }

    public required Guid ClusterId { get; set; }

    public required Guid NodeId { get; set; }

    public required Guid Operation { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }

    /// <summary>Who asked that it be broken off; null while nobody did.</summary>
    public string? CancelledBy { get; set; }

    public DateTimeOffset? DroppedAt { get; set; }
}

/// <summary>What the storage held when it was read last, as stored.</summary>
internal sealed class CatalogueRow
{
    public required Guid ClusterId { get; set; }

    public required DateTimeOffset ReadAt { get; set; }

    /// <summary>The <see cref="BackupsSeen"/>.</summary>
    public required string Seen { get; set; }
}

/// <summary>One drill, as stored.</summary>
internal sealed class DrillRow
{
    public required Guid Id { get; set; }

    public required Guid ClusterId { get; set; }

    public required Guid Operation { get; set; }

    public required DateTimeOffset StartedAt { get; set; }

    public required DateTimeOffset EndedAt { get; set; }

    public required bool IsGood { get; set; }

    public string? Backup { get; set; }

    public DateTimeOffset? Target { get; set; }

    public required TimeSpan Took { get; set; }

    public required TimeSpan Lost { get; set; }

    /// <summary>A line each.</summary>
    public required string Findings { get; set; }
}
