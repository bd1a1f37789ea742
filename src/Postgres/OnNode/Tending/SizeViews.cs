namespace Groundcrew.Postgres;

/// <summary>One database of a server (LO-27).</summary>
/// <param name="Name">Its name.</param>
/// <param name="Owner">The role that owns it.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Connections">How many clients are connected to it.</param>
/// <param name="Commits">Transactions that were committed.</param>
/// <param name="Rollbacks">Transactions that were rolled back.</param>
/// <param name="HitPercent">The share of blocks that were found in memory; null when nothing was read.</param>
/// <param name="Deadlocks">Deadlocks.</param>
/// <param name="TemporaryBytes">What was written to temporary files: sorts and hashes that did not fit into <c>work_mem</c>.</param>
/// <param name="ChecksumFailures">Pages whose checksum was wrong; null when checksums are off.</param>
/// <param name="TransactionAge">How many transactions old its oldest row is: at two thousand million the server stops (wrap-around).</param>
/// <param name="MultiXactAge">The same of shared row locks.</param>
public sealed record DatabaseView(
    string Name, string Owner, long Bytes, int Connections, long Commits, long Rollbacks, double? HitPercent, long Deadlocks, long TemporaryBytes,
    long? ChecksumFailures, long TransactionAge, long MultiXactAge)
{
    /// <summary>Where PostgreSQL refuses new transactions, less the three million that it keeps for mending.</summary>
    public const long TransactionLimit = 2_147_483_648 - 3_000_000;

    /// <summary>How near the wrap-around is, in percent.</summary>
    public double WrapAroundPercent => 100.0 * Math.Max(TransactionAge, MultiXactAge) / TransactionLimit;
}

/// <summary>One table (LO-28, LO-56, ZW-33).</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="TotalBytes">All of it (<c>pg_total_relation_size</c>).</param>
/// <param name="TableBytes">Its rows (<c>pg_relation_size</c>).</param>
/// <param name="IndexBytes">Its indexes.</param>
/// <param name="LiveRows">Rows, as far as is known.</param>
/// <param name="DeadRows">Rows that were deleted or replaced, and still take room.</param>
/// <param name="BloatBytes">
/// An estimate, from the statistics of its columns, of how much of <paramref name="TableBytes"/> a table that is written anew would not need.
/// </param>
/// <param name="VacuumedAt">When it was last vacuumed, by hand or by the server.</param>
/// <param name="AnalyzedAt">When its statistics were last made, by hand or by the server.</param>
/// <param name="ChangedRows">Rows that were changed since.</param>
/// <param name="SequentialScans">How often it was read from one end to the other.</param>
/// <param name="SequentialRows">The rows that were read so.</param>
/// <param name="IndexScans">How often one of its indexes was used; null without indexes.</param>
/// <param name="TransactionAge">As in <see cref="DatabaseView"/>.</param>
public sealed record TableView(
    string Schema, string Name, long TotalBytes, long TableBytes, long IndexBytes, long LiveRows, long DeadRows, long BloatBytes,
    DateTimeOffset? VacuumedAt, DateTimeOffset? AnalyzedAt, long ChangedRows, long SequentialScans, long SequentialRows, long? IndexScans,
    long TransactionAge)
{
    /// <summary>The share of dead rows, in percent.</summary>
    public double DeadPercent => LiveRows + DeadRows == 0 ? 0 : 100.0 * DeadRows / (LiveRows + DeadRows);
}

/// <summary>One index and how it is used (ZM-49).</summary>
/// <param name="Schema">Its schema (<c>schemaname</c>).</param>
/// <param name="Table">Its table (<c>tablename</c>).</param>
/// <param name="Name">Its name (<c>indexname</c>).</param>
/// <param name="Bytes">Its size.</param>
/// <param name="BloatBytes">An estimate of how much smaller it would be if it were made anew; null where none can be made.</param>
/// <param name="Scans">How often it was used (<c>idx_scan</c>).</param>
/// <param name="RowsRead">Entries that were read (<c>idx_tup_read</c>).</param>
/// <param name="RowsFetched">Rows that were fetched by it (<c>idx_tup_fetch</c>).</param>
/// <param name="IsNeeded">It holds a constraint (primary key, unique, exclusion) or is the table's replica identity, and is needed even when nothing reads it.</param>
/// <param name="IsValid">Whether it is used at all; one that is not was left by a <c>CONCURRENTLY</c> that failed.</param>
/// <param name="SameAs">Another index with the same columns and conditions; null when there is none.</param>
/// <param name="Definition">How it was made.</param>
public sealed record IndexView(
    string Schema, string Table, string Name, long Bytes, long? BloatBytes, long Scans, long RowsRead, long RowsFetched, bool IsNeeded, bool IsValid,
    string? SameAs, string Definition)
{
    /// <summary>Nothing used it since the statistics were reset, and no constraint needs it. A standby may use it still.</summary>
    public bool IsUnused => Scans == 0 && !IsNeeded;
}

/// <summary>Where an index may be missing (ZZ-103).</summary>
/// <param name="Schema">The table's schema.</param>
/// <param name="Table">The table.</param>
/// <param name="Columns">The columns of a foreign key that no index begins with; empty for a table that is read whole too often.</param>
/// <param name="Words">Why, for people.</param>
/// <param name="Statement">What would make it, without stopping writers (ZM-95); null where the columns are not known.</param>
public sealed record MissingIndex(string Schema, string Table, IReadOnlyList<string> Columns, string Words, string? Statement);
