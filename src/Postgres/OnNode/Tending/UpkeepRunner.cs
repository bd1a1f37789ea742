using System.Globalization;
using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The upkeep of a database (LO-49..55, AZ-80): one table or index after the other, the worst first, so that it can be broken off
/// between two and what was done stays done. It waits for a lock only briefly, so that it never stands in the way of the
/// database's own work; what is locked is tried once more at the end. Thread-safe.
/// </summary>
/// <param name="servers">The servers of this node.</param>
/// <param name="clock">Measures how long each takes.</param>
internal sealed class UpkeepRunner(IServers servers, TimeProvider clock) : IJobRunner
{
    private const string NoLockInTime = PostgresErrorCodes.LockNotAvailable;

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is Maintain;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (Maintain)job.Work;
        var server = servers.Find(work.ServerId)?.Server ?? throw new JobFailedException("This node has no such server.");
        try
        {
            return await RunAsync(server.OpenAsync, work, progress, cancellation);
        }
        catch (NpgsqlException e)
        {
            throw new JobFailedException($"The upkeep of database '{work.Database}' ended early: {e.Message}", e);
        }
    }

    /// <summary>The same for any server that can be reached.</summary>
    internal async Task<UpkeepDone> RunAsync(Func<string, CancellationToken, Task<NpgsqlConnection>> open, Maintain work, JobProgress progress, CancellationToken cancellation)
    {
        await using var connection = await open(work.Database, cancellation);
        // Waiting for a lock holds up everybody who asks for one behind us.
        await RunAsync(connection, "SET lock_timeout = '5s'; SET statement_timeout = 0; SET application_name = 'crew upkeep'", cancellation);
        var leftovers = await UpkeepTargets.LeftoversAsync(connection, cancellation);
        var lines = new List<string>();
        foreach (var leftover in leftovers)
            lines.Add(await DropAsync(connection, leftover, cancellation));
        var targets = work.Upkeep switch
        {
            Upkeep.Vacuum => await UpkeepTargets.TablesAsync(connection, work.Only, cancellation),
            Upkeep.Reindex => await UpkeepTargets.IndexesAsync(connection, open, work, cancellation),
            _ => throw new JobFailedException($"'{work.Upkeep}' is no upkeep that this node knows."),
        };
        if (targets.Count == 0 && work.Only.Count > 0)
            throw new JobFailedException($"Database '{work.Database}' has no {(work.Upkeep is Upkeep.Vacuum ? "table" : "index or table")} of the name '{string.Join("' or '", work.Only)}'.");
        progress.Expect(targets.Sum(t => t.Bytes));
        var freed = await DoAllAsync(connection, targets, lines, progress, cancellation);
        if (targets.Count == 0)
            lines.Add("Nothing needed it.");
        return new(lines, Math.Max(0, freed));
    }

    private async Task<long> DoAllAsync(
        NpgsqlConnection connection, IReadOnlyList<UpkeepTarget> targets, List<string> lines, JobProgress progress, CancellationToken cancellation)
    {
        var waiting = new Queue<(UpkeepTarget Target, bool IsSecond)>(targets.Select(t => (t, false)));
        long freed = 0;
        var number = 0;
        while (waiting.TryDequeue(out var next))
        {
            cancellation.ThrowIfCancellationRequested();
            progress.Say($"{next.Target.Words} ({Math.Min(++number, targets.Count)} of {targets.Count})");
            try
            {
                freed += await DoAsync(connection, next.Target, lines, cancellation);
                progress.Add(next.Target.Bytes);
            }
            catch (PostgresException e) when (e.SqlState == NoLockInTime && !next.IsSecond)
            {
                waiting.Enqueue((next.Target, true));
            }
            catch (PostgresException e) when (WhySkipped(e.SqlState) is { } why)
            {
                lines.Add($"{next.Target.Words}: skipped, {why}.");
                progress.Add(next.Target.Bytes);
            }
            finally
            {
                if (next.Target.LeavesBehind)
                    await CleanAsync(connection, lines);
            }
        }
        return freed;
    }

    private static string? WhySkipped(string code) => code switch
    {
        NoLockInTime => "somebody else has it locked",
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedObject => "it is not there any more",
        PostgresErrorCodes.FeatureNotSupported => "PostgreSQL cannot rebuild it without stopping writers",
        _ => null,
    };

    private async Task<long> DoAsync(NpgsqlConnection connection, UpkeepTarget target, List<string> lines, CancellationToken cancellation)
    {
        var began = clock.GetTimestamp();
        await RunAsync(connection, target.Statement, cancellation);
        var after = await UpkeepTargets.SizeAsync(connection, target.Relation, cancellation);
        var took = clock.GetElapsedTime(began).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        lines.Add($"{target.Words}: {took} s, {Size(target.Bytes)} before, {Size(after)} after.");
        return target.Bytes - after;
    }

    /// <summary>A rebuild that was broken off leaves an index that nothing uses and every write still feeds.</summary>
    private static async Task CleanAsync(NpgsqlConnection connection, List<string> lines)
    {
        if (connection.State != System.Data.ConnectionState.Open)
            return;
        foreach (var leftover in await UpkeepTargets.LeftoversAsync(connection, CancellationToken.None))
            lines.Add(await DropAsync(connection, leftover, CancellationToken.None));
    }

    private static async Task<string> DropAsync(NpgsqlConnection connection, string index, CancellationToken cancellation)
    {
        try
        {
            await RunAsync(connection, $"DROP INDEX CONCURRENTLY IF EXISTS {index}", cancellation);
            return $"DROP INDEX {index}: it was left by a rebuild that was broken off.";
        }
        catch (PostgresException e) when (e.SqlState == NoLockInTime)
        {
            return $"DROP INDEX {index}: skipped, somebody else has it locked; the next upkeep drops it.";
        }
    }

    private static async Task RunAsync(NpgsqlConnection connection, string statement, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static string Size(long bytes) => Quantity.FormatBytes(bytes);
}
