using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Tending;

/// <summary>Looks at a real server that is busy in known ways.</summary>
public sealed class ServerLookTests(TendedServer server) : IClassFixture<TendedServer>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connections_are_counted_in_all_and_by_state()
    {
        await using var idle = await server.OpenAsync();
        await using var held = await server.OpenAsync();
        await using var transaction = await held.BeginTransactionAsync(Cancelled);
        await new NpgsqlCommand("SELECT 1", held).ExecuteNonQueryAsync(Cancelled);

        var seen = await server.Look.ConnectionsAsync(Cancelled);

        Assert.Equal(20, seen.Max);
        Assert.Equal(seen.Total, seen.Groups.Sum(g => g.Count));
        Assert.True(seen.Idle >= 1 && seen.Active >= 1, seen.ToString());
        Assert.Equal(1, seen.IdleInTransaction);
        Assert.Equal(100.0 * seen.Total / 20, seen.PercentOfMax);
        Assert.Contains(seen.Groups, g => g is { Database: "shop", Role: PgServer.Superuser, State: "idle in transaction" });
    }

    [Fact]
    public async Task A_statement_that_waits_for_a_lock_is_shown_with_who_holds_it()
    {
        await server.SayAsync("CREATE TABLE locked (id int)");
        await using var holder = await server.OpenAsync();
        await using var waiter = await server.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync(Cancelled);
        await new NpgsqlCommand("LOCK TABLE locked", holder).ExecuteNonQueryAsync(Cancelled);
        var waiting = new NpgsqlCommand("SELECT count(*) FROM locked", waiter).ExecuteScalarAsync(Cancelled);
        IReadOnlyList<BlockedStatement> blocked = [];
        await Eventually.TrueAsync(async () => (blocked = await server.Look.BlockedAsync(Cancelled)).Count > 0, "a blocked statement");

        var one = Assert.Single(blocked);
        Assert.Equal(waiter.ProcessID, one.Waiting.Pid);
        Assert.Equal([holder.ProcessID], one.Waiting.BlockedBy);
        Assert.Equal("LOCK TABLE locked", Assert.Single(one.Blockers).Query);
        Assert.Equal("idle in transaction", one.Blockers[0].State);
        Assert.Contains("AccessShareLock on relation", one.Lock);
        Assert.Contains(await server.Look.TablesAsync("shop", 1000, Cancelled), t => t.Name == "locked");
        Assert.Contains("pg_stat_user_tables_n_live_tup{datname=\"shop\",schemaname=\"public\",relname=\"locked\"}", await ServerMetrics.Of(server.Server, TimeProvider.System).ScrapeAsync(Cancelled));
        var running = await server.Look.LongRunningAsync(TimeSpan.Zero, Cancelled);
        Assert.Contains(running, r => r.Pid == waiter.ProcessID && r.WaitsFor == "Lock: relation");

        await transaction.RollbackAsync(Cancelled);
        Assert.Equal(0L, await waiting);
        Assert.Empty(await server.Look.BlockedAsync(Cancelled));
    }

    [Fact]
    public async Task Sizes_dead_rows_and_bloat_of_tables_are_seen()
    {
        await server.SayAsync("CREATE TABLE bulky (id int, words text); INSERT INTO bulky SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i; ANALYZE bulky");
        var full = (await server.Look.TablesAsync("shop", 100, Cancelled)).Single(t => t.Name == "bulky");
        Assert.Equal(20000, full.LiveRows);
        Assert.NotNull(full.AnalyzedAt);
        Assert.Null(full.VacuumedAt);
        Assert.True(full.TotalBytes >= full.TableBytes && full.TableBytes > 2_000_000);
        Assert.True(full.BloatBytes < full.TableBytes / 10, $"{full.BloatBytes} of {full.TableBytes}");

        await server.SayAsync("DELETE FROM bulky WHERE id % 4 <> 0");
        await Eventually.TrueAsync(async () => (await server.Look.TablesAsync("shop", 100, Cancelled)).Single(t => t.Name == "bulky").DeadRows == 15000, "dead rows");
        await server.SayAsync("VACUUM ANALYZE bulky");
        await Eventually.TrueAsync(async () => (await server.Look.TablesAsync("shop", 100, Cancelled)).Single(t => t.Name == "bulky").DeadRows == 0, "a vacuum");

        var hollow = (await server.Look.TablesAsync("shop", 100, Cancelled)).Single(t => t.Name == "bulky");
        Assert.InRange(hollow.BloatBytes, hollow.TableBytes * 6 / 10, hollow.TableBytes * 8 / 10);
        Assert.NotNull(hollow.VacuumedAt);
    }

    [Fact]
    public async Task Unused_doubled_and_missing_indexes_are_named()
    {
        await server.SayAsync("""
            CREATE TABLE owners (id int PRIMARY KEY);
            CREATE TABLE things (id int PRIMARY KEY, owner int REFERENCES owners, name text);
            CREATE INDEX things_name ON things (name); CREATE INDEX things_name_again ON things (name); CREATE INDEX things_part ON things (name) WHERE id > 5;
            """);
        var indexes = (await server.Look.IndexesAsync("shop", Cancelled)).Where(i => i.Table is "things").ToDictionary(i => i.Name);
        Assert.True(indexes["things_pkey"].IsNeeded);
        Assert.False(indexes["things_pkey"].IsUnused);
        Assert.True(indexes["things_name"].IsUnused);
        Assert.Equal("things_name_again", indexes["things_name"].SameAs);
        Assert.Null(indexes["things_part"].SameAs);

        var missing = (await server.Look.MissingIndexesAsync("shop", Cancelled)).Single(m => m.Table is "things");
        Assert.Equal(["owner"], missing.Columns);
        await server.SayAsync(missing.Statement!);
        Assert.DoesNotContain(await server.Look.MissingIndexesAsync("shop", Cancelled), m => m.Table is "things");
    }

    [Fact]
    public async Task Statements_are_ranked_as_asked_and_have_both_names_of_their_columns()
    {
        await server.SayAsync("SELECT pg_stat_statements_reset()");
        for (var i = 0; i < 5; i++)
            await server.SayAsync("SELECT 1 AS often");
        await server.SayAsync("SELECT pg_sleep(0.05)");
        await server.SayAsync("SELECT g AS many FROM generate_series(1, 5000) g");

        async Task<string> FirstAsync(StatementOrder order) => (await server.Look.StatementsAsync("shop", order, 1, Cancelled)).Statements.Single().Query;
        Assert.Contains("pg_sleep", await FirstAsync(StatementOrder.Mean));
        Assert.Contains("pg_sleep", await FirstAsync(StatementOrder.Longest));
        Assert.Contains("AS many", await FirstAsync(StatementOrder.Rows));
        var often = (await server.Look.StatementsAsync("shop", StatementOrder.Calls, 100, Cancelled)).Statements.Single(s => s.Query.Contains("AS often", StringComparison.Ordinal));
        Assert.Equal(5, often.Calls);
        Assert.Equal(often.MeanTime, often.MeanExecTime);
        Assert.Equal(1, often.RowsPerCall);
        Assert.Equal("shop", often.Database);

        var absent = await server.Look.StatementsAsync("postgres", StatementOrder.Mean, 1, Cancelled);
        Assert.Contains("CREATE EXTENSION", absent.Problem);
    }

    [Fact]
    public async Task Followers_slots_and_writing_are_seen()
    {
        await server.SayAsync("SELECT pg_create_physical_replication_slot('kept', true)");
        await server.SayAsync("CREATE TABLE more AS SELECT g FROM generate_series(1, 10000) g");
        var seen = await server.Look.ReplicationAsync(Cancelled);
        Assert.False(seen.IsStandby);
        Assert.Null(seen.LagSeconds);
        Assert.True(seen.Position > default(Lsn));
        var slot = seen.Slots.Single(s => s.Name == "kept");
        Assert.True(slot is { IsActive: false, IsLogical: false, RetainedBytes: > 0 }, slot.ToString());

        var writing = await server.Look.WritingAsync(Cancelled);
        Assert.True(writing is { WalBytes: > 0, WalFolderBytes: >= Lsn.SegmentBytes }, writing.ToString());
    }

    [Fact]
    public async Task The_health_check_names_what_needs_a_look()
    {
        var calm = await server.Look.HealthAsync(Cancelled);
        Assert.StartsWith("15.", calm.Version);
        Assert.DoesNotContain(calm.Findings, f => f.Contains("connections are in use", StringComparison.Ordinal));
        Assert.Contains(calm.Databases, d => d is { Name: "shop", Bytes: > 1_000_000, ChecksumFailures: 0, WrapAroundPercent: < 1 });

        var connections = new List<NpgsqlConnection>();
        for (var i = 0; i < 15; i++)
            connections.Add(await server.OpenAsync());
        var full = await server.Look.HealthAsync(Cancelled);
        Assert.Contains(full.Findings, f => f.Contains("of 20 connections are in use", StringComparison.Ordinal));
        foreach (var connection in connections)
            await connection.DisposeAsync();
    }

    [Fact]
    public async Task A_look_is_limited_in_time_and_changes_nothing()
    {
        var impatient = new ServerLook(server.Server.OpenAsync, TimeSpan.FromMilliseconds(200));
        var slow = await Assert.ThrowsAsync<IOException>(() => impatient.ExplainAsync("shop", "SELECT pg_sleep(60)", Cancelled));
        Assert.Contains("57014", slow.Message);
        await server.SayAsync("CREATE TABLE explained (id int)");
        var writing = await Assert.ThrowsAsync<IOException>(() => server.Look.ExplainAsync("shop", "INSERT INTO explained VALUES (1)", Cancelled));
        Assert.Contains("read-only", writing.Message);
        Assert.Contains(await server.Look.ExplainAsync("shop", "SELECT 1", Cancelled), l => l.StartsWith("Execution Time", StringComparison.Ordinal));
        await Assert.ThrowsAsync<IOException>(() => server.Look.ExplainAsync("shop", "SELECT 1; COMMIT; INSERT INTO explained VALUES (1)", Cancelled));
        Assert.Equal(0L, await server.AskAsync("SELECT count(*) FROM explained"));
    }
}
