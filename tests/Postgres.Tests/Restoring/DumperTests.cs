using System.Globalization;
using Groundcrew.Bedrock;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Taking;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Restoring;

/// <summary>Dumps of real databases, and their way back.</summary>
public sealed class DumperTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_dump_comes_back_whole_with_its_extensions_and_belongs_to_the_role_that_was_named()
    {
        await using var stage = await StageAsync();
        await stage.SayAsync("""
            CREATE EXTENSION pg_trgm; CREATE EXTENSION pg_stat_statements; COMMENT ON EXTENSION pg_trgm IS 'ours';
            CREATE TABLE members (id serial PRIMARY KEY, name text); INSERT INTO members (name) SELECT 'member ' || g FROM generate_series(1, 5000) g;
            CREATE INDEX members_name ON members USING gin (name gin_trgm_ops); CREATE VIEW first AS SELECT * FROM members WHERE id = 1;
            """, "shop");
        var progress = new JobProgress();
        var manifest = await DumpAsync(stage, "shop_20261122_020000", progress);
        Assert.True(manifest.File.PlainBytes > 100_000 && manifest.File.Bytes < manifest.File.PlainBytes, manifest.ToString());
        Assert.Equal(progress.Total, progress.Done);
        Assert.Equal(["shop_20261122_020000"], (await stage.CatalogueAsync()).Dumps.Select(d => d.Name));

        await stage.SayAsync("CREATE ROLE keeper LOGIN");
        await RestoreAsync(stage, "shop_20261122_020000", "shop again", "keeper");

        Assert.Equal(5000L, await stage.Source.AskAsync("SELECT count(*) FROM members WHERE name LIKE '%member%'", "shop again"));
        Assert.Equal("keeper", await stage.Source.AskAsync("SELECT tableowner::text FROM pg_tables WHERE tablename = 'members'", "shop again"));
        Assert.Equal("keeper", await stage.Source.AskAsync("SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'shop again'"));
        Assert.Equal(2L, await stage.Source.AskAsync("SELECT count(*) FROM pg_extension WHERE extname LIKE 'pg\\_%'", "shop again"));
        Assert.False(Directory.Exists(stage.ScratchFolder) && Directory.EnumerateFileSystemEntries(stage.ScratchFolder).Any());

        var taken = await Assert.ThrowsAsync<JobFailedException>(() => RestoreAsync(stage, "shop_20261122_020000", "shop", "keeper"));
        Assert.Contains("There is a database 'shop' already", taken.Message);
        Assert.Contains("already", (await Assert.ThrowsAsync<JobFailedException>(() => DumpAsync(stage, "shop_20261122_020000"))).Message);
    }

    [Fact]
    public async Task A_dump_of_a_database_that_changes_meanwhile_is_of_one_moment()
    {
        await using var stage = await StageAsync();
        await stage.SayAsync("CREATE TABLE grown (id int); INSERT INTO grown SELECT generate_series(1, 1000)", "shop");
        using var stop = new CancellationTokenSource();
        var changing = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await stage.SayAsync($"ALTER TABLE grown ALTER COLUMN id TYPE {(i % 2 == 0 ? "bigint" : "int")}; CREATE TABLE new{i} AS SELECT * FROM grown", "shop");
                if (i >= 3)
                    await stage.SayAsync($"DROP TABLE new{i - 3}", "shop");
            }
        }, Cancelled);
        for (var i = 0; i < 5; i++)
        {
            // pg_dump says so when a table went away under it; that one was rewritten it does not say. What is listed comes back.
            try
            {
                await DumpAsync(stage, $"moving{i}");
            }
            catch (JobFailedException e)
            {
                Assert.Matches("pg_dump ended with code|Tables were rewritten", e.Message);
            }
        }
        await stop.CancelAsync();
        await changing;
        await DumpAsync(stage, "at_rest");
        foreach (var dump in (await stage.CatalogueAsync()).Dumps)
        {
            await RestoreAsync(stage, dump.Name, dump.Name, PgServer.Superuser);
            Assert.Equal(1000L, await stage.Source.AskAsync("SELECT count(*) FROM grown", dump.Name));
        }
    }

    [Fact]
    public async Task A_table_that_is_rewritten_before_it_is_locked_is_seen()
    {
        await using var stage = await StageAsync();
        await stage.SayAsync("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 1000)", "shop");
        await using var snapshot = await DumpSnapshot.TakeAsync(stage.Source.Server, "shop", Cancelled);
        Assert.Empty(await snapshot.RewrittenAsync(stage.Source.Server, Cancelled));
        await stage.SayAsync("ALTER TABLE t ALTER COLUMN id TYPE bigint; CREATE TABLE other (id int)", "shop");
        Assert.Equal(["public.t"], await snapshot.RewrittenAsync(stage.Source.Server, Cancelled));
    }

    [Fact]
    public async Task A_dump_whose_program_is_killed_is_never_listed()
    {
        await using var stage = await StageAsync();
        await stage.SayAsync("CREATE TABLE held (id int)", "shop");
        await using var holder = await stage.Source.Server.OpenAsync("shop", Cancelled);
        await using var transaction = await holder.BeginTransactionAsync(Cancelled);
        await new NpgsqlCommand("LOCK TABLE held", holder).ExecuteNonQueryAsync(Cancelled);

        var dumping = DumpAsync(stage, "killed");
        await Eventually.TrueAsync(async () => await stage.Source.AskAsync("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'") is 1L, "pg_dump waits");
        ProcessSignals.Send(OwnChild("pg_dump", stage.Source.Server.Options.SocketFolder), ProcessSignals.Kill);
        var killed = await Assert.ThrowsAsync<JobFailedException>(() => dumping);
        Assert.Contains("pg_dump ended with code", killed.Message);

        await NoneAsync(stage);
        var refused = DumpAsync(stage, "refused");
        await Eventually.TrueAsync(async () => await stage.Source.AskAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'") is > 0L, "pg_dump waits");
        Assert.Contains("terminating connection", (await Assert.ThrowsAsync<JobFailedException>(() => refused)).Message);

        await NoneAsync(stage);
        using var stop = new CancellationTokenSource();
        var cancelled = DumpAsync(stage, "cancelled", null, stop.Token);
        await Eventually.TrueAsync(async () => await stage.Source.AskAsync("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'") is > 0L, "pg_dump waits");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        await transaction.RollbackAsync(Cancelled);
        Assert.Empty(await stage.Archive.KeysAsync());
    }

    [Fact]
    public async Task A_storage_that_is_full_leaves_no_dump_behind()
    {
        await using var stage = await StageAsync();
        stage.Archive.Faults.Failing = key => key.EndsWith(".json", StringComparison.Ordinal) ? new BackupStorageException(StorageFailure.Full, "No room.") : null;
        await Assert.ThrowsAsync<BackupStorageException>(() => DumpAsync(stage, "full"));
        Assert.Empty(await stage.Archive.KeysAsync());
    }

    [Fact]
    public async Task A_dump_that_cannot_be_restored_leaves_no_database_behind()
    {
        await using var stage = await StageAsync();
        await stage.SayAsync("CREATE TABLE t (id int, words text); INSERT INTO t SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 20000) g", "shop");
        await DumpAsync(stage, "damaged");
        await stage.FlipAsync("damaged.dump");
        await Assert.ThrowsAnyAsync<Exception>(() => RestoreAsync(stage, "damaged", "back", PgServer.Superuser));
        Assert.Equal(0L, await stage.Source.AskAsync("SELECT count(*) FROM pg_database WHERE datname LIKE 'back%'"));
    }

    private static async Task<RestoreStage> StageAsync()
    {
        var stage = await RestoreStage.RunAsync(new Dictionary<string, string> { ["shared_preload_libraries"] = "pg_stat_statements" });
        await stage.SayAsync("CREATE DATABASE shop");
        return stage;
    }

    private static Task<DumpManifest> DumpAsync(RestoreStage stage, string name, JobProgress? progress = null, CancellationToken? cancellation = null) =>
        new Dumper(new OneServer(stage.Source.Server), stage.Opener, TimeProvider.System).TakeAsync(
            stage.Source.Server, ArchiveStage.Cluster, new(OneServer.Id, "shop", name, RestoreStage.AnyArchive, "test"), stage.Pieces, progress ?? new(), cancellation ?? Cancelled);

    private static Task RestoreAsync(RestoreStage stage, string dump, string database, string owner) =>
        new DumpRestorer(new OneServer(stage.Source.Server), stage.Opener, stage.ScratchFolder).RestoreAsync(
            stage.Source.Server, new(OneServer.Id, ArchiveStage.Cluster, dump, database, owner, RestoreStage.AnyArchive), stage.Pieces, new(), Cancelled);

    /// <summary>Ends the sessions that programs left which were killed: they wait for their lock still.</summary>
    private static Task NoneAsync(RestoreStage stage) => Eventually.TrueAsync(
        async () => await stage.Source.AskAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pg_dump'") is 0L, "no session of pg_dump");

    /// <summary>A program that this very process has started, with a word among its arguments.</summary>
    private static int OwnChild(string name, string word) => Directory.EnumerateDirectories("/proc").Select(f => int.TryParse(Path.GetFileName(f), out var pid) ? pid : 0).First(pid =>
    {
        try
        {
            var stat = pid > 0 ? File.ReadAllText($"/proc/{pid}/stat") : "";
            return stat.Contains($"({name})", StringComparison.Ordinal) && File.ReadAllText($"/proc/{pid}/cmdline").Contains(word, StringComparison.Ordinal)
                && int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture) == Environment.ProcessId;
        }
        catch (IOException)
        {
            return false; // It ended meanwhile.
        }
    });
}
