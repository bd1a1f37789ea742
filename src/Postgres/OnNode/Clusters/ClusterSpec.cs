using System.Text.Json.Serialization;

namespace Groundcrew.Postgres;

/// <summary>What should become of a cluster.</summary>
public enum ClusterDesire
{
    /// <summary>It runs.</summary>
    Running,

    /// <summary>It is stopped; its files stay. A fenced one may not be started by anything else.</summary>
    Stopped,

    /// <summary>It is stopped and its files are removed. Its backups stay.</summary>
    Removed,
}

/// <summary>What a server is in its cluster.</summary>
public enum ServerRole
{
    /// <summary>Takes writes.</summary>
    Primary,

    /// <summary>Follows a primary.</summary>
    Standby,
}

/// <summary>A database that a cluster should have.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Owner">The role that owns it: it may create and change tables there.</param>
/// <param name="Extensions">Extensions to be created in it.</param>
public sealed record DatabaseSpec(string Name, string Owner, IReadOnlyList<string> Extensions);

/// <summary>A role that a cluster should have.</summary>
/// <param name="Name">Its name.</param>
/// <param name="SecretName">Which of the cluster's secrets is its password; null when it cannot log in.</param>
/// <param name="Databases">The databases that it may connect to and use; the owner of one needs no mention.</param>
/// <param name="ConnectionLimit">How many connections it may have; null for no limit.</param>
/// <param name="IsGone">It should not be there any more: revoked once nobody uses it.</param>
/// <param name="ActsAs">The role that it acts as from its login on, so that what it makes belongs to that one; null to act as itself. Two logins that act as one owner are how a password is changed without a pause.</param>
public sealed record RoleSpec(
    string Name, string? SecretName, IReadOnlyList<string> Databases, int? ConnectionLimit = null, bool IsGone = false, string? ActsAs = null);

/// <summary>How a cluster's log is kept in a storage.</summary>
/// <param name="Storage">Where.</param>
/// <param name="FlushEvery">The most time that acknowledged transactions may be missing in the storage.</param>
/// <param name="IsSynchronous">RPO 0: a commit is acknowledged only when the storage has it.</param>
/// <param name="Compression">How objects are compressed.</param>
/// <param name="IsEncrypted">Objects are encrypted by the cluster's secret <see cref="ClusterSecrets.BackupKey"/>.</param>
public sealed record ArchiveSpec(StorageSpec Storage, TimeSpan FlushEvery, bool IsSynchronous = false, Compression Compression = Compression.Zstd, bool IsEncrypted = false);

/// <summary>
/// The wanted state of one server on one node: the payload of a node task of kind <see cref="TaskKind"/>, whose key is
/// <c>cluster-</c> and the server's id. Immutable.
/// </summary>
public sealed record ClusterSpec
{
    /// <summary>The kind of node tasks that carry it.</summary>
    public const string TaskKind = "cluster";

    /// <summary>This server, the same for its whole life; a cluster with a standby has two.</summary>
    public required Guid ServerId { get; init; }

    /// <summary>The cluster, the same for all of its servers; its secrets are asked for by it.</summary>
    public required Guid ClusterId { get; init; }

    /// <summary>The cluster's name, unique on the platform: <c>org-name</c>. The first part of every key in the storage.</summary>
    public required string Name { get; init; }

    /// <summary>The major version.</summary>
    public required int Version { get; init; }

    /// <summary>What should become of it.</summary>
    public ClusterDesire Desire { get; init; } = ClusterDesire.Running;

    /// <summary>What it is. A standby that becomes a primary promotes; a primary that becomes a standby is rewound.</summary>
    public ServerRole Role { get; init; } = ServerRole.Primary;

    /// <summary>A standby: the address of the primary that it follows.</summary>
    public string? PrimaryHost { get; init; }

    /// <summary>A standby: its primary's port.</summary>
    public int? PrimaryPort { get; init; }

    /// <summary>The port that it listens on.</summary>
    public required int Port { get; init; }

    /// <summary>The addresses that it listens on beside its own socket; empty for none.</summary>
    public IReadOnlyList<string> Listen { get; init; } = ["127.0.0.1"];

    /// <summary>Networks that may connect with a password (CIDR); what is not named is refused.</summary>
    public IReadOnlyList<string> Networks { get; init; } = ["127.0.0.1/32"];

    /// <summary>The memory that it may plan with, in bytes; the memory settings are derived from it.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Settings of <c>postgresql.conf</c> that go before the derived ones (LO-57).</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>The databases that it should have.</summary>
    public IReadOnlyList<DatabaseSpec> Databases { get; init; } = [];

    /// <summary>The roles that it should have.</summary>
    public IReadOnlyList<RoleSpec> Roles { get; init; } = [];

    /// <summary>Where its log and backups go; null for nowhere.</summary>
    public ArchiveSpec? Archive { get; init; }

    /// <summary>How often a restart was asked for in its life: when it grows, the server is restarted once. Settings that need a restart wait for one.</summary>
    public int Restarts { get; init; }

    /// <summary>The names of standbys (<see cref="StandbyName"/>) of which one has to confirm each commit; empty for none. The synchronous archive is added by the node.</summary>
    public IReadOnlyList<string> SynchronousStandbys { get; init; } = [];

    /// <summary>The name by which a standby follows: of its slot on the primary, and in <c>synchronous_standby_names</c>.</summary>
    public static string StandbyName(Guid serverId) => $"crew_{serverId:N}";
}

/// <summary>The names of a cluster's own secrets, beside those that <see cref="RoleSpec.SecretName"/> names.</summary>
public static class ClusterSecrets
{
    /// <summary>The password of <c>crew_replica</c>, the role that standbys and remote backups log in with.</summary>
    public const string Replication = "replication";

    /// <summary>The password of <c>crew_admin</c>, the superuser of the platform over TCP.</summary>
    public const string Admin = "admin";

    /// <summary>The key of encrypted backups: 32 bytes in base 64.</summary>
    public const string BackupKey = "backup-key";

    /// <summary>The storage's credentials, as <c>access key:secret key</c>.</summary>
    public const string Storage = "storage";
}

/// <summary>Where a server stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ServerState>))]
public enum ServerState
{
    /// <summary>Its data folder is being made: <c>initdb</c>, a copy of the primary, a rewind.</summary>
    Preparing,

    /// <summary>Its process starts, or recovers.</summary>
    Starting,

    /// <summary>It answers, with its roles and databases as wanted.</summary>
    Ready,

    /// <summary>It runs and does not answer, or is not as wanted; the words say why.</summary>
    Degraded,

    /// <summary>It is stopped, as wanted.</summary>
    Stopped,

    /// <summary>Its files are removed, as wanted.</summary>
    Removed,

    /// <summary>It cannot be made so; the words say why and what to do.</summary>
    Failed,
}

/// <summary>What a node observes of one server; the report under its task's key.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Words">For people; empty when there is nothing to say.</param>
/// <param name="Role">What it is now, by its own word; null while it does not answer.</param>
/// <param name="SystemId">PostgreSQL's number of the cluster; null before it is made.</param>
/// <param name="Timeline">Its timeline; 0 while unknown.</param>
/// <param name="Position">The end of its log: written by a primary, replayed by a standby.</param>
/// <param name="Archive">How its archive stands; null without one.</param>
/// <param name="Settings">The settings that were derived, as they are in force, by name.</param>
/// <param name="Pid">Its process; null when there is none.</param>
/// <param name="Replication">Who follows it, or whom it follows; null while it does not answer.</param>
/// <param name="PendingRestart">Settings that were changed and count only after a restart (<see cref="ClusterSpec.Restarts"/>).</param>
/// <param name="LeavingRoles">Roles that should be gone and are still used, with the number of their sessions.</param>
public sealed record ServerStatus(
    ServerState State, string Words, ServerRole? Role, string? SystemId, uint Timeline, Lsn Position, ArchiveStatus? Archive,
    IReadOnlyDictionary<string, string> Settings, int? Pid, ReplicationStatus? Replication = null,
    IReadOnlyList<string>? PendingRestart = null, IReadOnlyDictionary<string, int>? LeavingRoles = null);

/// <summary>How replication stands, seen from one server.</summary>
/// <param name="IsStreaming">A standby: whether it receives from its primary now; false on a primary.</param>
/// <param name="Received">A standby: the end of what it received.</param>
/// <param name="Delay">A standby: how old the newest replayed transaction is while there is more to replay; zero when it is caught up. Null when unknown, and on a primary.</param>
/// <param name="Slots">The slots of the server, and who reads them.</param>
public sealed record ReplicationStatus(bool IsStreaming, Lsn Received, TimeSpan? Delay, IReadOnlyList<SlotStatus> Slots);

/// <summary>One replication slot, or one follower without a slot.</summary>
/// <param name="Name">Its name: a standby's <see cref="ClusterSpec.StandbyName"/>, or the archive's.</param>
/// <param name="IsActive">Whether somebody reads it.</param>
/// <param name="State">The log that it holds (<c>reserved</c>, <c>extended</c>, <c>unreserved</c>, <c>lost</c>); empty before it was read.</param>
/// <param name="HeldBytes">How much log is kept for it.</param>
/// <param name="Flushed">What its reader has made durable; zero while nobody reads.</param>
/// <param name="Replayed">What its reader has replayed.</param>
/// <param name="Delay">How long its reader takes to replay what is written now; null when it is caught up or nobody reads.</param>
/// <param name="IsSynchronous">Whether commits wait for it.</param>
public sealed record SlotStatus(string Name, bool IsActive, string State, long HeldBytes, Lsn Flushed, Lsn Replayed, TimeSpan? Delay, bool IsSynchronous);

/// <summary>How the archive of a server's log stands.</summary>
/// <param name="Received">The end of what was received.</param>
/// <param name="Stored">The end of what the storage has.</param>
/// <param name="CaughtUpAt">Every transaction that was acknowledged before this moment is in the storage; null before the first.</param>
/// <param name="Problem">Why it does not go on; null when it does.</param>
/// <param name="Gaps">Ranges of the log that are lost for the archive since the newest base backup.</param>
public sealed record ArchiveStatus(Lsn Received, Lsn Stored, DateTimeOffset? CaughtUpAt, string? Problem, IReadOnlyList<WalGap> Gaps);

/// <summary>A range of the log that no archive has.</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="From">Its first byte.</param>
/// <param name="To">Behind its last byte.</param>
public sealed record WalGap(uint Timeline, Lsn From, Lsn To);
