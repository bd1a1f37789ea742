namespace Groundcrew.Postgres;

/// <summary>How a server's log is followed by others, or how it follows one (ZM-31).</summary>
/// <param name="IsStandby">Whether it follows.</param>
/// <param name="Position">The end of its log: written by a primary, replayed by a standby.</param>
/// <param name="ReceivedPosition">A standby: the end of what it has received; null otherwise.</param>
/// <param name="LagSeconds">A standby: how old the newest replayed transaction is; 0 when all that was received is replayed. Null on a primary.</param>
/// <param name="Followers">Who follows it.</param>
/// <param name="Slots">What it keeps its log for.</param>
public sealed record ReplicationView(
    bool IsStandby, Lsn Position, Lsn? ReceivedPosition, double? LagSeconds, IReadOnlyList<FollowerView> Followers, IReadOnlyList<SlotView> Slots);

/// <summary>One that follows a server.</summary>
/// <param name="Name">Its <c>application_name</c>.</param>
/// <param name="Address">Where it connects from; null over the socket.</param>
/// <param name="State">PostgreSQL's word, such as <c>streaming</c>.</param>
/// <param name="SyncState">Whether commits wait for it: <c>sync</c>, <c>potential</c>, <c>quorum</c>, <c>async</c>.</param>
/// <param name="Sent">The end of what it was sent.</param>
/// <param name="Flushed">The end of what it holds durably.</param>
/// <param name="Replayed">The end of what it has replayed.</param>
/// <param name="LagBytes">What it has not flushed yet.</param>
/// <param name="FlushLagSeconds">How long a flush of it takes; null when it has nothing to do.</param>
/// <param name="ReplayLagSeconds">How long a replay of it takes; null when it has nothing to do.</param>
public sealed record FollowerView(
    string Name, string? Address, string State, string SyncState, Lsn? Sent, Lsn? Flushed, Lsn? Replayed, long LagBytes,
    double? FlushLagSeconds, double? ReplayLagSeconds);

/// <summary>A slot: the server keeps its log until the slot's owner has it, if need be until the disk is full.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsLogical">Whether it decodes changes.</param>
/// <param name="IsActive">Whether its owner is connected.</param>
/// <param name="RetainedBytes">How much of the log is kept for it.</param>
/// <param name="WalStatus">PostgreSQL's word: <c>reserved</c>, <c>extended</c>, <c>unreserved</c>, <c>lost</c>.</param>
/// <param name="SafeBytes">How much more may be written before it can be lost; null without a limit.</param>
public sealed record SlotView(string Name, bool IsLogical, bool IsActive, long RetainedBytes, string? WalStatus, long? SafeBytes);

/// <summary>How a server writes.</summary>
/// <param name="WalBytes">The log that was written since <paramref name="WalSince"/>.</param>
/// <param name="WalSince">Since when that is counted.</param>
/// <param name="WalFolderBytes">The size of the log's files that it holds now.</param>
/// <param name="TimedCheckpoints">Checkpoints that were due.</param>
/// <param name="RequestedCheckpoints">Checkpoints that came early: <c>max_wal_size</c> is small when these are many.</param>
/// <param name="CheckpointWriteSeconds">Time that checkpoints spent writing.</param>
/// <param name="CheckpointSyncSeconds">Time that checkpoints spent syncing.</param>
/// <param name="CheckpointBuffers">Pages that checkpoints wrote.</param>
/// <param name="BackgroundBuffers">Pages that the background writer wrote.</param>
/// <param name="BackendBuffers">Pages that sessions had to write themselves.</param>
/// <param name="LastCheckpointAt">When the last one was.</param>
public sealed record WritingView(
    long WalBytes, DateTimeOffset? WalSince, long WalFolderBytes, long TimedCheckpoints, long RequestedCheckpoints, double CheckpointWriteSeconds,
    double CheckpointSyncSeconds, long CheckpointBuffers, long BackgroundBuffers, long BackendBuffers, DateTimeOffset LastCheckpointAt);

/// <summary>The daily health check of a server (LO-04, LO-25, ZW-04).</summary>
/// <param name="Version">The server's version, such as <c>15.19</c>.</param>
/// <param name="StartedAt">Since when it runs.</param>
/// <param name="Connections">Its connections.</param>
/// <param name="Databases">Its databases.</param>
/// <param name="LongRunning">Statements that run longer than was asked.</param>
/// <param name="Blocked">Statements that wait for a lock.</param>
/// <param name="Replication">Who follows it.</param>
/// <param name="Findings">What needs a look; empty when nothing does.</param>
public sealed record HealthView(
    string Version, DateTimeOffset StartedAt, ConnectionsView Connections, IReadOnlyList<DatabaseView> Databases, IReadOnlyList<RunningStatement> LongRunning,
    IReadOnlyList<BlockedStatement> Blocked, ReplicationView Replication, IReadOnlyList<string> Findings);
