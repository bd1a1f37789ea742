using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Journal.Tests;

/// <summary>What only the store in PostgreSQL has: addresses, refusals, and races that are run again.</summary>
public sealed class PostgreSqlStoreTests(PostgresServer server)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("postgres://")]
    [InlineData("Host=x")]
    [InlineData("nonsense p4ssw0rd")]
    [InlineData("postgres://user:p4ssw0rd@host/db?nosuchthing=1")]
    public async Task An_address_that_cannot_be_read_is_refused_without_repeating_it(string address)
    {
        var problem = Assert.Single((await OpenAsync(address)).Problems);
        Assert.Equal("store-bad-connection", problem.Code);
        Assert.DoesNotContain("p4ssw0rd", problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_and_a_database_that_is_missing_are_said()
    {
        var gone = Assert.Single((await OpenAsync($"postgres://u:p4ssw0rd@127.0.0.1:{FreePort.Next()}/db")).Problems);
        Assert.Equal("store-unreachable", gone.Code);
        Assert.DoesNotContain("p4ssw0rd", gone.ToString(), StringComparison.Ordinal);
        var good = (await server.NewDatabaseAsync()).Reveal();
        Assert.Equal("store-missing", Assert.Single((await OpenAsync(good.Replace("/test_", "/no_test_", StringComparison.Ordinal))).Problems).Code);
        Assert.Equal("store-refused", Assert.Single((await OpenAsync(good.Replace("postgres@", "nobody-here:p4ssw0rd@", StringComparison.Ordinal))).Problems).Code);
    }

    [Fact]
    public async Task Its_backup_is_left_to_its_own_tools()
    {
        var opened = await Store.OpenAsync(new StoreOptions { Folder = "/nonexistent", Connection = await server.NewDatabaseAsync() }, [], TimeProvider.System, Ct);
        await using var store = opened.Value!;
        Assert.Contains("pg_dump", Assert.Single((await store.BackupAsync("/nonexistent/file", Ct)).Problems).Fix, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_race_runs_the_write_again_and_its_first_try_has_no_effect()
    {
        var opened = await Store.OpenAsync(new StoreOptions { Folder = "/nonexistent", Connection = await server.NewDatabaseAsync() }, [new ThingsPart()], TimeProvider.System, Ct);
        await using var store = opened.Value!;
        var (tries, nudges) = (0, 0);
        await store.WriteAsync((db, _) =>
        {
            db.AfterCommit(() => nudges++);
            db.Add(new Thing { Name = "one" });
            return ++tries < 3 ? throw new PostgresException("lost", "ERROR", "ERROR", "40001") : Task.CompletedTask;
        }, Ct);
        Assert.Equal((3, 1), (tries, nudges));
    }

    [Fact]
    public async Task Two_control_planes_that_start_together_migrate_once()
    {
        var options = new StoreOptions { Folder = "/nonexistent", Connection = await server.NewDatabaseAsync() };
        var opened = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Store.OpenAsync(options, [new ThingsPart()], TimeProvider.System, Ct), Ct)));
        Assert.All(opened, o => Assert.Empty(o.Problems));
        Assert.Single(opened.Select(o => o.Value!.PlatformId).Distinct());
        foreach (var one in opened)
            await one.Value!.DisposeAsync();
    }

    private static Task<Judged<Store>> OpenAsync(string address) =>
        Store.OpenAsync(new StoreOptions { Folder = "/nonexistent", Connection = new Secret(address) }, [], TimeProvider.System, Ct);
}
