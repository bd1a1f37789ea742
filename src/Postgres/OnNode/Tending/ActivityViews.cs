namespace Groundcrew.Postgres;

/// <summary>The connections of a server (LO-26, AZ-30, T-23): how many in all, of how many, and who has them. Immutable.</summary>
/// <param name="Max">How many it accepts (<c>max_connections</c>).</param>
/// <param name="Reserved">How many of those are kept for superusers.</param>
/// <param name="Total">How many clients are connected.</param>
/// <param name="Active">How many of them run a statement.</param>
/// <param name="Idle">How many wait for their next statement, outside of a transaction.</param>
/// <param name="IdleInTransaction">How many hold a transaction open without doing anything.</param>
/// <param name="WaitingForLocks">How many wait for a lock.</param>
/// <param name="Groups">The same by database, role, program and state; the largest first.</param>
public sealed record ConnectionsView(
    int Max, int Reserved, int Total, int Active, int Idle, int IdleInTransaction, int WaitingForLocks, IReadOnlyList<ConnectionGroup> Groups)
{
    /// <summary>The share of <see cref="Max"/> that is in use, in percent.</summary>
    public double PercentOfMax => Max == 0 ? 0 : 100.0 * Total / Max;
}

/// <summary>Connections that are alike.</summary>
/// <param name="Database">The database; empty for none.</param>
/// <param name="Role">The role.</param>
/// <param name="Program">The name that the client gave itself (<c>application_name</c>).</param>
/// <param name="State">PostgreSQL's word, such as <c>active</c>, <c>idle</c>, <c>idle in transaction</c>.</param>
/// <param name="Count">How many.</param>
/// <param name="LongestSeconds">How long the one that has been longest in this state has been.</param>
public sealed record ConnectionGroup(string Database, string Role, string Program, string State, int Count, double LongestSeconds);

/// <summary>A statement that runs now (LO-29).</summary>
/// <param name="Pid">The server process.</param>
/// <param name="Database">Its database.</param>
/// <param name="Role">Its role.</param>
/// <param name="Program">Its <c>application_name</c>.</param>
/// <param name="State">PostgreSQL's word for what it does.</param>
/// <param name="Seconds">How long ago the statement began.</param>
/// <param name="TransactionSeconds">How long ago its transaction began; null outside of one.</param>
/// <param name="WaitsFor">What it waits for, such as <c>Lock: transactionid</c>; null when it does not.</param>
/// <param name="BlockedBy">The server processes that it waits for.</param>
/// <param name="Query">The statement.</param>
public sealed record RunningStatement(
    int Pid, string Database, string Role, string Program, string State, double Seconds, double? TransactionSeconds, string? WaitsFor,
    IReadOnlyList<int> BlockedBy, string Query);

/// <summary>A statement that waits for a lock, and who holds it.</summary>
/// <param name="Waiting">The one that waits.</param>
/// <param name="Lock">The lock, such as <c>ShareLock on relation events</c>.</param>
/// <param name="Blockers">Those that it waits for: often idle in a transaction that nobody ends.</param>
public sealed record BlockedStatement(RunningStatement Waiting, string Lock, IReadOnlyList<RunningStatement> Blockers);

/// <summary>By what statements are ranked (T-45: the guides do not agree).</summary>
public enum StatementOrder
{
    /// <summary>The mean time of one call (ZM-48, LO-59, ZW-32).</summary>
    Mean,

    /// <summary>The time of all calls (AZ-104).</summary>
    Total,

    /// <summary>The longest call.</summary>
    Longest,

    /// <summary>How often it was called: finds statements that are repeated for each row of another (ZZ-105).</summary>
    Calls,

    /// <summary>How many rows it gave.</summary>
    Rows,

    /// <summary>How much it read from files.</summary>
    Reads,
}

/// <summary>
/// What <c>pg_stat_statements</c> counted for one statement. Times are in milliseconds, as PostgreSQL has them; both names of its
/// columns are shown, that of version 12 (<c>total_time</c>, <c>mean_time</c>) and that of 13 and later (T-45).
/// </summary>
/// <param name="Database">The database.</param>
/// <param name="Role">The role.</param>
/// <param name="Query">The statement, with its constants taken out.</param>
/// <param name="Calls">How often it was called.</param>
/// <param name="TotalTime">The time of all calls, in milliseconds.</param>
/// <param name="MeanTime">The mean time of a call, in milliseconds.</param>
/// <param name="MaxTime">The longest call, in milliseconds.</param>
/// <param name="Rows">The rows that it gave or changed.</param>
/// <param name="BlocksHit">Blocks that were in memory.</param>
/// <param name="BlocksRead">Blocks that were read.</param>
public sealed record StatementView(
    string Database, string Role, string Query, long Calls, double TotalTime, double MeanTime, double MaxTime, long Rows, long BlocksHit, long BlocksRead)
{
    /// <summary>The same as <see cref="TotalTime"/>, by its name since PostgreSQL 13.</summary>
    public double TotalExecTime => TotalTime;

    /// <summary>The same as <see cref="MeanTime"/>, by its name since PostgreSQL 13.</summary>
    public double MeanExecTime => MeanTime;

    /// <summary>Rows of one call.</summary>
    public double RowsPerCall => Calls == 0 ? 0 : (double)Rows / Calls;
}

/// <summary>The ranked statements of a server.</summary>
/// <param name="Problem">Why there are none, and what to do; null when they were read.</param>
/// <param name="Since">Since when they are counted; null when that is not known.</param>
/// <param name="Statements">The statements.</param>
public sealed record StatementsView(string? Problem, DateTimeOffset? Since, IReadOnlyList<StatementView> Statements);
