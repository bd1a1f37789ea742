namespace Groundcrew.Contract;

/// <summary>A database cluster: <c>GET /api/v1/databases</c>.</summary>
public sealed record DatabaseView
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The organization.</summary>
    public required string Org { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>creating, ready, degraded, starting, unknown (its node has not reported), stopped, failed, removed, or external.</summary>
    public required string State { get; init; }

    /// <summary>Why it stands there.</summary>
    public string? Why { get; init; }

    /// <summary>PostgreSQL's major version.</summary>
    public required int Version { get; init; }

    /// <summary>The memory that each server may plan with.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Its servers, the primary first.</summary>
    public required IReadOnlyList<DatabaseServerView> Servers { get; init; }

    /// <summary>Its databases.</summary>
    public required IReadOnlyList<DatabasePart> Databases { get; init; }

    /// <summary>Its logins, with the role that each is now.</summary>
    public required IReadOnlyList<DatabaseLoginView> Logins { get; init; }

    /// <summary>Settings of <c>postgresql.conf</c> that were asked for.</summary>
    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    /// <summary>The addresses that it listens on.</summary>
    public required IReadOnlyList<string> Listen { get; init; }

    /// <summary>Networks that may connect with a password.</summary>
    public required IReadOnlyList<string> Networks { get; init; }

    /// <summary>Where its log and its backups go, without credentials; null for nowhere.</summary>
    public BackupTarget? Backups { get; init; }

    /// <summary>How long backups are kept.</summary>
    public required RetentionPart Retention { get; init; }

    /// <summary>What recovery has to achieve.</summary>
    public required ObjectivesPart Objectives { get; init; }

    /// <summary>Checks of a restored copy.</summary>
    public required IReadOnlyList<CheckPart> Checks { get; init; }

    /// <summary>What it was restored from.</summary>
    public string? RestoredFrom { get; init; }

    /// <summary>The operation that works on it now.</summary>
    public Guid? Moving { get; init; }

    /// <summary>The operation that made it.</summary>
    public required Guid Operation { get; init; }

    /// <summary>Who asked for it.</summary>
    public required string Actor { get; init; }

    /// <summary>When.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A login and its role now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Role">The role in PostgreSQL.</param>
/// <param name="Databases">The databases that it may use; empty for all.</param>
/// <param name="Connections">How many connections it may have.</param>
public sealed record DatabaseLoginView(string Name, string Role, IReadOnlyList<string> Databases, int? Connections);

/// <summary>One server of a cluster.</summary>
public sealed record DatabaseServerView
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>Its node's hostname.</summary>
    public required string Node { get; init; }

    /// <summary>Its port.</summary>
    public required int Port { get; init; }

    /// <summary>primary or standby: what it should be.</summary>
    public required string Role { get; init; }

    /// <summary>preparing, starting, ready, degraded, stopped, removed, failed; unknown while its node has not reported.</summary>
    public required string State { get; init; }

    /// <summary>What there is to say.</summary>
    public string? Words { get; init; }

    /// <summary>The end of its log.</summary>
    public string? Position { get; init; }

    /// <summary>Its timeline.</summary>
    public long? Timeline { get; init; }

    /// <summary>A standby: how much of the primary's log it has not replayed.</summary>
    public long? LagBytes { get; init; }

    /// <summary>Every change that was acknowledged before this moment is in the storage.</summary>
    public DateTimeOffset? ArchivedUntil { get; init; }

    /// <summary>Why the log does not reach the storage.</summary>
    public string? ArchiveProblem { get; init; }

    /// <summary>The settings that were derived from the machine and the memory, as they are in force.</summary>
    public IReadOnlyDictionary<string, string> Derived { get; init; } = new Dictionary<string, string>();
}

/// <summary>An accepted change of a database.</summary>
/// <param name="Database">The database, as <c>acme/main</c>.</param>
/// <param name="Operation">The operation that does it; null when it was done at once.</param>
public sealed record DatabaseChangeView(string Database, Guid? Operation);

/// <summary>How to connect: <c>GET /api/v1/databases/{org}/{name}/connection</c>. The one call that shows a database's password; audited.</summary>
/// <param name="Login">The login.</param>
/// <param name="Role">Its role now.</param>
/// <param name="Database">The database.</param>
/// <param name="Url">The address with the password.</param>
public sealed record DatabaseConnectionView(string Login, string Role, string Database, string Url);

/// <summary>What a database's storage holds: <c>GET /api/v1/databases/{org}/{name}/backups</c>.</summary>
public sealed record BackupsView
{
    /// <summary>Base backups and dumps, newest first.</summary>
    public required IReadOnlyList<DatabaseBackupView> Backups { get; init; }

    /// <summary>The times of which every moment can be restored.</summary>
    public required IReadOnlyList<RecoveryWindowView> Windows { get; init; }

    /// <summary>The times between, of which none can.</summary>
    public required IReadOnlyList<UncoveredView> Uncovered { get; init; }

    /// <summary>The size of all of it.</summary>
    public required long Bytes { get; init; }

    /// <summary>The size of the log in it.</summary>
    public required long WalBytes { get; init; }

    /// <summary>Objects that no manifest names: of backups that are being taken, or that were broken off.</summary>
    public required int Unfinished { get; init; }

    /// <summary>What could not be read, and why.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>When the storage was read.</summary>
    public DateTimeOffset? ReadAt { get; init; }

    /// <summary>Every change that was acknowledged before this moment can be restored.</summary>
    public DateTimeOffset? RestorableUntil { get; init; }
}

/// <summary>One backup.</summary>
public sealed record DatabaseBackupView
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>base or dump.</summary>
    public required string Kind { get; init; }

    /// <summary>The database of a dump.</summary>
    public string? Database { get; init; }

    /// <summary>good (complete), verified (looked at), restored (came back in a drill), or damaged.</summary>
    public required string State { get; init; }

    /// <summary>When it was begun.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it was complete.</summary>
    public required DateTimeOffset StoppedAt { get; init; }

    /// <summary>Its size in the storage.</summary>
    public required long Bytes { get; init; }

    /// <summary>The size of what is in it.</summary>
    public required long PlainBytes { get; init; }

    /// <summary>PostgreSQL's major version.</summary>
    public required int Version { get; init; }

    /// <summary>The checksum of its first file.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Where replay begins.</summary>
    public string? Start { get; init; }

    /// <summary>From where on it is consistent.</summary>
    public string? Stop { get; init; }

    /// <summary>The history that it belongs to.</summary>
    public string? SystemId { get; init; }

    /// <summary>Its timeline.</summary>
    public long? Timeline { get; init; }

    /// <summary>Why it was taken.</summary>
    public required string Reason { get; init; }

    /// <summary>When it was looked at last and was good.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>checksums or tool.</summary>
    public string? VerifiedBy { get; init; }

    /// <summary>When it was restored last and passed.</summary>
    public DateTimeOffset? RestoredAt { get; init; }

    /// <summary>Somebody asked that it never be deleted.</summary>
    public bool IsKept { get; init; }
}

/// <summary>A time of which every moment can be restored.</summary>
/// <param name="Backup">The base backup that it begins with.</param>
/// <param name="From">Its first moment.</param>
/// <param name="To">Its last one.</param>
/// <param name="FromLsn">Its first place.</param>
/// <param name="ToLsn">Its last one.</param>
/// <param name="Timeline">The timeline that it ends on.</param>
/// <param name="SystemId">The history.</param>
public sealed record RecoveryWindowView(string Backup, DateTimeOffset From, DateTimeOffset To, string FromLsn, string ToLsn, long Timeline, string SystemId);

/// <summary>A time of which no moment can be restored.</summary>
/// <param name="From">Its first moment.</param>
/// <param name="To">Its last one; null while it goes on.</param>
public sealed record UncoveredView(DateTimeOffset From, DateTimeOffset? To);

/// <summary>What a restore will do: <c>POST /api/v1/databases/{org}/{name}/restore/plan</c>.</summary>
/// <param name="Database">The database.</param>
/// <param name="Into">What it is restored to.</param>
/// <param name="Backup">The backup that it begins with.</param>
/// <param name="Target">The moment.</param>
/// <param name="Bytes">How much has to be fetched.</param>
/// <param name="WalPieces">How many pieces of the log are replayed.</param>
/// <param name="Timeline">The timeline that it follows.</param>
/// <param name="Lost">What will be missing.</param>
/// <param name="Stops">The services that are stopped meanwhile.</param>
/// <param name="Steps">What is done, in order.</param>
public sealed record RestorePlanView(
    string Database, string Into, string Backup, string Target, long Bytes, int WalPieces, long Timeline, IReadOnlyList<string> Lost, IReadOnlyList<string> Stops,
    IReadOnlyList<string> Steps);

/// <summary>What retention would delete: <c>GET /api/v1/databases/{org}/{name}/retention</c>.</summary>
/// <param name="Policy">How long backups are kept.</param>
/// <param name="Delete">Names of backups that go.</param>
/// <param name="Objects">How many objects that are.</param>
/// <param name="Bytes">How much becomes free.</param>
/// <param name="Kept">Backups that are older than asked and stay, with the reason.</param>
public sealed record RetentionView(RetentionPart Policy, IReadOnlyList<string> Delete, int Objects, long Bytes, IReadOnlyDictionary<string, string> Kept);

/// <summary>A schedule: <c>GET /api/v1/databases/{org}/{name}/schedules</c>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Does">backup, dump, verify, drill, upkeep or retention.</param>
/// <param name="Cron">Minute, hour, day, month and weekday.</param>
/// <param name="Zone">The time zone.</param>
/// <param name="Jitter">It begins up to so much later.</param>
/// <param name="Database">Dumps and upkeep: the database.</param>
/// <param name="Template">Dumps: the template of their names.</param>
/// <param name="NextAt">When it begins next.</param>
/// <param name="LastAt">When it began last.</param>
/// <param name="LastState">running, succeeded or failed.</param>
/// <param name="LastWords">How that ended.</param>
/// <param name="LastOperation">The operation.</param>
public sealed record ScheduleView(
    Guid Id, string Does, string Cron, string Zone, string Jitter, string? Database, string? Template, DateTimeOffset? NextAt, DateTimeOffset? LastAt, string? LastState,
    string? LastWords, Guid? LastOperation);

/// <summary>A drill: <c>GET /api/v1/databases/{org}/{name}/drills</c>.</summary>
/// <param name="Operation">Its operation.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Good">Whether everything passed.</param>
/// <param name="Backup">The base backup that it began with.</param>
/// <param name="Target">The moment that it aimed at; null for the latest.</param>
/// <param name="RecoverySeconds">How long recovery took.</param>
/// <param name="LostSeconds">How much of the wanted changes was missing.</param>
/// <param name="Findings">What did not pass.</param>
public sealed record DrillView(
    Guid Operation, DateTimeOffset StartedAt, DateTimeOffset EndedAt, bool Good, string? Backup, DateTimeOffset? Target, double RecoverySeconds, double LostSeconds,
    IReadOnlyList<string> Findings);
