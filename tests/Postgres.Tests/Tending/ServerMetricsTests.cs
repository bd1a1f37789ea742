using Groundcrew.Postgres.OnNode;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Tending;

/// <summary>What a scrape of a real server gives.</summary>
public sealed class ServerMetricsTests(TendedServer server) : IClassFixture<TendedServer>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_scrape_has_the_series_of_postgres_exporter_and_those_of_the_guides()
    {
        await server.SayAsync("CREATE TABLE events (id int); INSERT INTO events SELECT generate_series(1, 10)");
        await using var held = await server.OpenAsync();
        await using var transaction = await held.BeginTransactionAsync(Cancelled);
        await new NpgsqlCommand("LOCK TABLE events IN SHARE MODE", held).ExecuteNonQueryAsync(Cancelled);

        var text = await ServerMetrics.Of(server.Server, TimeProvider.System).ScrapeAsync(Cancelled);

        Assert.DoesNotContain(text.Split('\n'), l => l.StartsWith("pg_scrape_collector_success", StringComparison.Ordinal) && !l.EndsWith(" 1", StringComparison.Ordinal));
        var lines = text.Split('\n').Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split(' ')).ToDictionary(l => string.Join(' ', l[..^1]), l => double.Parse(l[^1]));
        Assert.Equal(1, lines["pg_up"]);
        Assert.Equal(1, lines["postgres_up"]);
        Assert.Equal(20, lines["pg_settings_max_connections"]);
        Assert.Equal(16 << 20, lines["pg_settings_shared_buffers_bytes"]);
        Assert.Equal(300, lines["pg_settings_checkpoint_timeout_seconds"]);
        Assert.Equal(0, lines["pg_settings_autovacuum"]);
        Assert.True(lines["pg_database_size_bytes{datname=\"shop\"}"] > 1_000_000);
        Assert.Equal(1, lines["pg_locks_count{datname=\"shop\",mode=\"sharelock\"}"]);
        Assert.Equal(0, lines["pg_locks_count{datname=\"shop\",mode=\"exclusivelock\"}"]);
        Assert.True(lines["database_connections_active"] >= 1);
        Assert.Equal(1, lines["database_connections_idle_in_transaction"]);
        Assert.Equal(0, lines["pg_replication_lag"]);
        Assert.Contains(lines, l => l.Key.StartsWith("pg_stat_database_xact_commit{", StringComparison.Ordinal) && l.Key.Contains("datname=\"shop\"", StringComparison.Ordinal) && l.Value > 0);
        Assert.Contains(lines, l => l.Key.StartsWith("pg_stat_activity_count{datname=\"shop\",state=\"idle in transaction\"", StringComparison.Ordinal));
        Assert.Equal(10, lines["pg_stat_user_tables_n_tup_ins{datname=\"shop\",schemaname=\"public\",relname=\"events\"}"]);
        Assert.True(lines.ContainsKey("pg_stat_bgwriter_checkpoints_timed_total"));
        Assert.Contains("# TYPE pg_stat_bgwriter_checkpoints_timed_total counter", text);
        Assert.Contains("# TYPE pg_stat_user_tables_n_live_tup gauge", text);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_down_and_nothing_else()
    {
        var metrics = new ServerMetrics((_, _) => throw new NpgsqlException("Nobody is there."), TimeProvider.System);
        var text = await metrics.ScrapeAsync(Cancelled);
        Assert.Contains("\npg_up 0\n", text);
        Assert.Contains("\npostgres_up 0\n", text);
        Assert.DoesNotContain("pg_stat", text);
    }
}
