using System.Data;
using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The metrics of a server in the text that a scrape reads: under the names of postgres_exporter, so that dashboards and rules that
/// are written for it go on, and under those of the guides (<c>postgres_up</c>, <c>database_connections_active</c>, AZ-30).
/// A statement that fails costs its own series only, and says so in <c>pg_scrape_collector_success</c>. Thread-safe.
/// </summary>
/// <param name="open">Opens a connection to a database of the server.</param>
/// <param name="clock">Measures how long a scrape takes.</param>
internal sealed class ServerMetrics(Func<string, CancellationToken, Task<NpgsqlConnection>> open, TimeProvider clock)
{
    private const int StatementLimitMs = 5000;

    /// <summary>The most databases whose tables are read in one scrape; the largest first.</summary>
    public const int MaxDatabases = 20;

    /// <summary>The metrics of a server of this node.</summary>
    public static ServerMetrics Of(PgServer server, TimeProvider clock) => new(server.OpenAsync, clock);

    /// <summary>Reads all of them (text format 0.0.4). A server that does not answer has <c>pg_up 0</c> and nothing else.</summary>
    public async Task<string> ScrapeAsync(CancellationToken cancellation)
    {
        var began = clock.GetTimestamp();
        var metrics = new MetricRegistry();
        var up = metrics.Gauge("pg_up", "Whether the last scrape of metrics from PostgreSQL was able to connect to the server (1 for yes, 0 for no).");
        var guideUp = metrics.Gauge("postgres_up", "Whether the server answers (1 for yes, 0 for no).");
        var success = metrics.Gauge("pg_scrape_collector_success", "Whether a collector succeeded.", "collector");
        try
        {
            await using var connection = await OpenAsync(ServerLook.Home, cancellation);
            var version = connection.PostgreSqlVersion.Major;
            foreach (var series in ServerSeries.OfServer(version))
                await CollectAsync(connection, series, null, metrics, success, cancellation);
            await SettingsAsync(connection, metrics, success, cancellation);
            foreach (var database in await DatabasesAsync(connection, cancellation))
            {
                await using var inside = await OpenAsync(database, cancellation);
                foreach (var series in ServerSeries.OfDatabase)
                    await CollectAsync(inside, series, database, metrics, success, cancellation);
            }
            up.Set(1);
            guideUp.Set(1);
        }
        catch (NpgsqlException)
        {
            // The answer to "is it there" is the metric itself.
            up.Set(0);
            guideUp.Set(0);
        }
        metrics.Gauge("pg_exporter_last_scrape_duration_seconds", "Duration of the last scrape of metrics from PostgreSQL.").Set(clock.GetElapsedTime(began).TotalSeconds);
        return metrics.WriteText();
    }

    private async Task<NpgsqlConnection> OpenAsync(string database, CancellationToken cancellation)
    {
        var connection = await open(database, cancellation);
        await using var limit = new NpgsqlCommand($"SET statement_timeout = {StatementLimitMs}; SET lock_timeout = {StatementLimitMs}; SET default_transaction_read_only = on", connection);
        await limit.ExecuteNonQueryAsync(cancellation);
        return connection;
    }

    private static async Task<List<string>> DatabasesAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY pg_database_size(oid) DESC LIMIT $1", connection);
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = MaxDatabases });
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var names = new List<string>();
        while (await reader.ReadAsync(cancellation))
            names.Add(reader.GetString(0));
        return names;
    }

    /// <summary>
    /// One statement: its columns of text are labels, its columns of numbers are metrics that are named after them. A column that is
    /// named <c>=name</c> is the metric of just that name.
    /// </summary>
    private static async Task CollectAsync(
        NpgsqlConnection connection, ServerSeries series, string? database, MetricRegistry metrics, Metric success, CancellationToken cancellation)
    {
        try
        {
            await using var command = new NpgsqlCommand(series.Sql, connection);
            await using var reader = await command.ExecuteReaderAsync(cancellation);
            var columns = Enumerable.Range(0, reader.FieldCount).ToList();
            var labels = columns.Where(c => reader.GetFieldType(c) == typeof(string)).ToList();
            string[] names = database is null ? [.. labels.Select(reader.GetName)] : ["datname", .. labels.Select(reader.GetName)];
            var found = columns.Except(labels).Select(c => (Column: c, Metric: Named(metrics, series, reader.GetName(c), names))).ToList();
            while (await reader.ReadAsync(cancellation))
            {
                var values = labels.Select(c => reader.IsDBNull(c) ? "" : reader.GetString(c));
                string[] all = database is null ? [.. values] : [database, .. values];
                foreach (var (column, metric) in found)
                    if (!reader.IsDBNull(column))
                        metric.With(all).Set(NumberAt(reader, column));
            }
            success.With(series.Prefix).Set(1);
        }
        catch (PostgresException)
        {
            success.With(series.Prefix).Set(0);
        }
    }

    private static Metric Named(MetricRegistry metrics, ServerSeries series, string column, string[] labels)
    {
        var name = column.StartsWith('=') ? column[1..] : $"{series.Prefix}_{column}";
        var help = $"{series.Help} ({column.TrimStart('=')}).";
        return series.Growing.Contains(column) ? metrics.Counter(name, help, labels) : metrics.Gauge(name, help, labels);
    }

    private static double NumberAt(NpgsqlDataReader reader, int column) => reader.GetValue(column) switch
    {
        bool value => value ? 1 : 0,
        int value => value,
        long value => value,
        float value => value,
        double value => value,
        decimal value => (double)value,
        uint value => value,
        var other => throw new DataException($"Column '{reader.GetName(column)}' is no number but a {other.GetType().Name}."),
    };

    private static async Task SettingsAsync(NpgsqlConnection connection, MetricRegistry metrics, Metric success, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(
            "SELECT name, setting, coalesce(unit, ''), short_desc, vartype FROM pg_settings WHERE vartype IN ('bool', 'integer', 'real') AND name = ANY ($1)", connection);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = ServerSeries.Settings });
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            var (name, text, unit, help) = (reader.GetString(0).Replace('.', '_'), reader.GetString(1), reader.GetString(2), reader.GetString(3));
            var (suffix, factor) = ServerSeries.UnitOf(unit);
            var value = text switch { "on" => 1, "off" => 0, _ => double.Parse(text) };
            metrics.Gauge($"pg_settings_{name}{suffix}", help).Set(value < 0 ? value : value * factor);
        }
        success.With("pg_settings").Set(1);
    }
}
