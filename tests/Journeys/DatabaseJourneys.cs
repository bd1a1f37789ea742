using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>A platform whose servers have ports that nobody has, in a folder that their user may pass.</summary>
public sealed class DatabasePlatform : Platform
{
    private readonly int _databasePort = FreePort.Next();

    protected override IReadOnlyList<string> Options => ["--database-port", $"{_databasePort}"];

    public override ValueTask InitializeAsync()
    {
        File.SetUnixFileMode(Path.GetDirectoryName(Data)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        return base.InitializeAsync();
    }
}

/// <summary>A database is made, kept, looked at and brought back, by the commands that people type (U-47..U-53, T-48, T-50, T-52).</summary>
public sealed class DatabaseJourneys(DatabasePlatform platform) : IClassFixture<DatabasePlatform>
{
    [Fact]
    public async Task A_database_is_backed_up_and_comes_back_as_it_was_at_a_moment()
    {
        Expect.Ok(await platform.CrewAsync("db", "create", "acme/main", "--archive-every", "1s"));
        var url = (await platform.Client.GetAsync<DatabaseConnectionView>("databases/acme/main/connection", Platform.Token)).Url;
        Assert.Equal(url, Expect.Ok(await platform.CrewAsync("db", "connect", "acme/main")).Out.Trim());
        await SqlAsync(url, "CREATE TABLE bookings (id int PRIMARY KEY, name text NOT NULL)");
        await SqlAsync(url, "INSERT INTO bookings SELECT i, 'member ' || i FROM generate_series(1, 1000) i");
        Expect.Ok(await platform.CrewAsync("db", "backup", "acme/main"));
        await SqlAsync(url, "INSERT INTO bookings SELECT i, 'later' FROM generate_series(1001, 1500) i");
        var moment = await SqlAsync(url, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
        await SqlAsync(url, "DELETE FROM bookings");

        // The accident is in the storage, and with it the moment before.
        await Eventually.TrueAsync(async () =>
        {
            var backups = await platform.Client.GetAsync<BackupsView>("databases/acme/main/backups", Platform.Token);
            return backups.Windows.Any(w => w.To > DateTimeOffset.Parse(moment, System.Globalization.CultureInfo.InvariantCulture));
        }, "the moment can be restored");
        Assert.Contains("base-", Expect.Ok(await platform.CrewAsync("db", "backups", "acme/main")).Out, StringComparison.Ordinal);
        Expect.Ok(await platform.CrewAsync("db", "verify", "acme/main", "--tool"));
        Assert.Contains("base-", Expect.Ok(await platform.CrewAsync("db", "restore", "acme/main", "--to-time", moment, "--plan")).Out, StringComparison.Ordinal);

        Expect.Ok(await platform.CrewAsync("db", "restore", "acme/main", "--to-time", moment, "--as", "before"));
        var copy = Expect.Ok(await platform.CrewAsync("db", "connect", "acme/before")).Out.Trim();
        Assert.Equal("1500|1", await SqlAsync(copy, "SELECT count(*), min(id) FROM bookings"));
        Assert.Equal("0|", await SqlAsync(url, "SELECT count(*), min(id) FROM bookings"));

        Expect.Ok(await platform.CrewAsync("db", "drill", "acme/main"));
        Assert.Contains("restored", Expect.Ok(await platform.CrewAsync("db", "backups", "acme/main")).Out, StringComparison.Ordinal);
        Expect.Ok(await platform.CrewAsync("db", "dump", "acme/main"));
        Assert.Contains("dump", Expect.Ok(await platform.CrewAsync("db", "backups", "acme/main")).Out, StringComparison.Ordinal);

        // What was stopped with the platform comes back with it.
        Assert.Contains("with 2 database servers", Expect.Ok(await platform.DownAsync()).Out, StringComparison.Ordinal);
        Expect.Code(2, await CrewProgram.RunAsync("psql", [copy, "-X", "-c", "SELECT 1"]));
        Expect.Ok(await platform.UpAsync());
        await Eventually.TrueAsync(async () => (await CrewProgram.RunAsync("psql", [copy, "-X", "-At", "-c", "SELECT count(*) FROM bookings"])).Out.Trim() == "1500", "the copy answers again");
        Console.WriteLine("journey: a database deleted by accident, restored beside it as it was a moment before");
    }

    private static async Task<string> SqlAsync(string url, string sql) =>
        Expect.Ok(await CrewProgram.RunAsync("psql", [url, "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql])).Out.Trim();
}
