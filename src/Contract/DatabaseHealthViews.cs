namespace Groundcrew.Contract;

/// <summary>The health check of a database server (LO-04): <c>GET /api/v1/databases/{org}/{name}/health</c>.</summary>
/// <param name="Version">The server's version.</param>
/// <param name="StartedAt">Since when it runs.</param>
/// <param name="Connections">Its connections.</param>
/// <param name="Databases">Its databases.</param>
/// <param name="LongRunning">Statements that run long.</param>
/// <param name="Blocked">Statements that wait for a lock.</param>
/// <param name="Replication">Who follows it.</param>
/// <param name="Findings">What needs a look; empty when nothing does.</param>
public sealed record DatabaseHealthView(
    string Version, DateTimeOffset StartedAt, DatabaseConnectionsView Connections, IReadOnlyList<DatabaseSizeView> Databases, IReadOnlyList<RunningStatementView> LongRunning,
    IReadOnlyList<BlockedStatementView> Blocked, DatabaseReplicationView Replication, IReadOnlyList<string> Findings);

/// <summary>The connections of a server (T-23).</summary>
/// <param name="Max">How many it accepts.</param>
/// <param name="Reserved">How many of those are kept for superusers.</param>
/// <param name="Total">How many there are.</param>
/// <param name="Active">How many of them run a statement.</param>
/// <param name="Idle">How many wait for their next one.</param>
/// <param name="IdleInTransaction">How many hold a transaction open without doing anything.</param>
/// <param name="WaitingForLocks">How many wait for a lock.</param>
/// <param name="PercentOfMax">The share that is in use.</param>
/// <param name="Groups">The same by database, role, program and state.</param>
public sealed record DatabaseConnectionsView(
    int Max, int Reserved, int Total, int Active, int Idle, int IdleInTransaction, int WaitingForLocks, double PercentOfMax, IReadOnlyList<ConnectionGroupView> Groups);

/// <summary>Connections that are alike.</summary>
/// <param name="Database">The database.</param>
/// <param name="Role">The role.</param>
/// <param name="Program">The client's name for itself.</param>
/// <param name="State">What they do.</param>
/// <param name="Count">How many.</param>
/// <param name="LongestSeconds">For how long at most.</param>
public sealed record ConnectionGroupView(string Database, string Role, string Program, string State, int Count, double LongestSeconds);

/// <summary>One database of a server.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Connections">Its connections.</param>
/// <param name="Commits">Transactions that were committed.</param>
/// <param name="Rollbacks">Transactions that were rolled back.</param>
/// <param name="HitPercent">The share of blocks that were found in memory.</param>
/// <param name="Deadlocks">Deadlocks.</param>
/// <param name="TemporaryBytes">What went to temporary files.</param>
/// <param name="ChecksumFailures">Pages with a wrong checksum.</param>
/// <param name="TransactionAge">How many transactions old its oldest row is.</param>
/// <param name="WrapAroundPercent">How near the server is to refusing transactions.</param>
public sealed record DatabaseSizeView(
    string Name, string Owner, long Bytes, int Connections, long Commits, long Rollbacks, double? HitPercent, long Deadlocks, long TemporaryBytes, long? ChecksumFailures,
    long TransactionAge, double WrapAroundPercent);

/// <summary>A statement that runs now.</summary>
/// <param name="Pid">The server process.</param>
/// <param name="Database">Its database.</param>
/// <param name="Role">Its role.</param>
/// <param name="Program">The client's name for itself.</param>
/// <param name="State">What it does.</param>
/// <param name="Seconds">Since when.</param>
/// <param name="WaitsFor">What it waits for.</param>
/// <param name="Query">The statement.</param>
public sealed record RunningStatementView(int Pid, string Database, string Role, string Program, string State, double Seconds, string? WaitsFor, string Query);

/// <summary>A statement that waits for a lock, and who holds it.</summary>
/// <param name="Waiting">The one that waits.</param>
/// <param name="Lock">The lock.</param>
/// <param name="Blockers">Those that it waits for.</param>
public sealed record BlockedStatementView(RunningStatementView Waiting, string Lock, IReadOnlyList<RunningStatementView> Blockers);

/// <summary>How a server's log is followed.</summary>
/// <param name="IsStandby">Whether it follows another.</param>
/// <param name="Position">The end of its log.</param>
/// <param name="LagSeconds">A standby: how old the newest replayed transaction is.</param>
/// <param name="Followers">Who follows it.</param>
/// <param name="Slots">What it keeps its log for.</param>
public sealed record DatabaseReplicationView(bool IsStandby, string Position, double? LagSeconds, IReadOnlyList<DatabaseFollowerView> Followers, IReadOnlyList<DatabaseSlotView> Slots);

/// <summary>One that follows a server.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Where it is.</param>
/// <param name="State">What it does.</param>
/// <param name="SyncState">Whether commits wait for it.</param>
/// <param name="LagBytes">What it does not have durably yet.</param>
public sealed record DatabaseFollowerView(string Name, string? Address, string State, string SyncState, long LagBytes);

/// <summary>A replication slot.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsActive">Whether its owner is connected.</param>
/// <param name="RetainedBytes">How much of the log is kept for it.</param>
/// <param name="WalStatus">PostgreSQL's word for how safe that is.</param>
public sealed record DatabaseSlotView(string Name, bool IsActive, long RetainedBytes, string? WalStatus);

/// <summary>The ranked statements of a database: <c>GET /api/v1/databases/{org}/{name}/statements</c>.</summary>
/// <param name="Problem">Why there are none.</param>
/// <param name="Since">Since when they are counted.</param>
/// <param name="Statements">The statements.</param>
public sealed record DatabaseStatementsView(string? Problem, DateTimeOffset? Since, IReadOnlyList<DatabaseStatementView> Statements);

/// <summary>What was counted for one statement; times in milliseconds, under both names of PostgreSQL's columns (T-45).</summary>
/// <param name="Database">The database.</param>
/// <param name="Role">The role.</param>
/// <param name="Query">The statement, without its constants.</param>
/// <param name="Calls">How often it was called.</param>
/// <param name="TotalTime">The time of all calls.</param>
/// <param name="MeanTime">The mean time of a call.</param>
/// <param name="MaxTime">The longest call.</param>
/// <param name="TotalExecTime">As <paramref name="TotalTime"/>.</param>
/// <param name="MeanExecTime">As <paramref name="MeanTime"/>.</param>
/// <param name="Rows">The rows that it gave or changed.</param>
public sealed record DatabaseStatementView(
    string Database, string Role, string Query, long Calls, double TotalTime, double MeanTime, double MaxTime, double TotalExecTime, double MeanExecTime, long Rows);

/// <summary>The tables of a database, the largest first: <c>GET /api/v1/databases/{org}/{name}/tables</c>.</summary>
/// <param name="Tables">The tables.</param>
/// <param name="Indexes">Their indexes.</param>
/// <param name="Missing">Where an index may be missing.</param>
public sealed record DatabaseTablesView(IReadOnlyList<DatabaseTableView> Tables, IReadOnlyList<DatabaseIndexView> Indexes, IReadOnlyList<MissingIndexView> Missing);

/// <summary>One table.</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="TotalBytes">All of it.</param>
/// <param name="IndexBytes">Its indexes.</param>
/// <param name="LiveRows">Its rows.</param>
/// <param name="DeadRows">Rows that are gone and still take room.</param>
/// <param name="DeadPercent">Their share.</param>
/// <param name="BloatBytes">An estimate of what it would not need if it were written anew.</param>
/// <param name="VacuumedAt">When it was last vacuumed.</param>
/// <param name="AnalyzedAt">When its statistics were last made.</param>
public sealed record DatabaseTableView(
    string Schema, string Name, long TotalBytes, long IndexBytes, long LiveRows, long DeadRows, double DeadPercent, long BloatBytes, DateTimeOffset? VacuumedAt, DateTimeOffset? AnalyzedAt);

/// <summary>One index.</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Table">Its table.</param>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Scans">How often it was used.</param>
/// <param name="IsUnused">Nothing used it, and no constraint needs it.</param>
/// <param name="IsValid">Whether it can be used at all.</param>
/// <param name="SameAs">Another one that does the same.</param>
public sealed record DatabaseIndexView(string Schema, string Table, string Name, long Bytes, long Scans, bool IsUnused, bool IsValid, string? SameAs);

/// <summary>Where an index may be missing.</summary>
/// <param name="Schema">The table's schema.</param>
/// <param name="Table">The table.</param>
/// <param name="Columns">The columns.</param>
/// <param name="Words">Why.</param>
/// <param name="Statement">What would make it.</param>
public sealed record MissingIndexView(string Schema, string Table, IReadOnlyList<string> Columns, string Words, string? Statement);
