using Groundcrew.Fleet;
using Groundcrew.Journal.Tests;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

public abstract class SchemaCompliance(StoreSource source) : IDisposable
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_migrated_schema_is_what_the_model_says()
    {
        await using var store = await StoreSource.OpenAsync(await source.NewAsync(), [new FleetTables(), new DatabasesTables()]);
        var (model, actual) = await store.ReadAsync(async (db, token) => (SchemaReader.OfModel(db), await SchemaReader.OfDatabaseAsync(db, store.Engine, token)), Ct);
        Assert.Equal(model, actual);
        Assert.Contains(model, line => line.StartsWith("database_clusters.org text not null", StringComparison.Ordinal));
    }

    public void Dispose()
    {
        source.Dispose();
        GC.SuppressFinalize(this);
    }
}

public sealed class SchemaOnSqlite() : SchemaCompliance(new SqliteSource());

public sealed class SchemaOnPostgreSql(PostgresServer server) : SchemaCompliance(new PostgresSource(server));
