using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Postgres.Tests.Taking;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Restoring;

/// <summary>Clusters that come back from their storage alone, to a moment.</summary>
public sealed class ClusterRestorerTests
{
    private const int Seed = 5;
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Any_moment_gives_exactly_the_rows_of_then()
    {
        await using var stage = await RestoreStage.RunAsync(new Dictionary<string, string> { ["track_commit_timestamp"] = "on", ["autovacuum"] = "off" });
        await stage.SayAsync("CREATE TABLE t (id int)");
        await using var receiver = stage.Archive.Receiver();
        receiver.Start();
        await stage.Archive.BackUpAsync(receiver);
        var committed = new List<DateTimeOffset>();
        await using (var connection = await stage.Source.Server.OpenAsync("postgres", Cancelled))
        {
            for (var i = 1; i <= 40; i++)
            {
                await new NpgsqlCommand($"INSERT INTO t VALUES ({i})", connection).ExecuteNonQueryAsync(Cancelled);
                await using var reader = await new NpgsqlCommand($"SELECT pg_xact_commit_timestamp(xmin) FROM t WHERE id = {i}", connection).ExecuteReaderAsync(Cancelled);
                await reader.ReadAsync(Cancelled);
                committed.Add(reader.GetFieldValue<DateTimeOffset>(0));
                if (i % 10 == 0)
                {
                    await reader.CloseAsync();
                    await new NpgsqlCommand("SELECT pg_switch_wal()", connection).ExecuteScalarAsync(Cancelled);
                }
            }
        }
        await stage.SureAsync(receiver, committed[^1]);

        var random = new Random(Seed);
        for (var i = 0; i < 4; i++)
        {
            // Committed at the very moment counts; a microsecond before it does not.
            var chosen = i == 0 ? committed.Count - 1 : random.Next(1, committed.Count);
            var before = i % 2 == 1;
            var (result, server) = await stage.RestoreAsync(new(Time: committed[chosen] - (before ? TimeSpan.FromMicroseconds(1) : TimeSpan.Zero)));
            Assert.Equal((long)chosen + (before ? 0 : 1), await TestServer.AskAsync(server, "SELECT count(*) FROM t"));
            Assert.Equal(committed[chosen - (before ? 1 : 0)], result.LastCommitAt);
            Assert.Equal(2U, result.Timeline);
            await server.StopAsync(StopMode.Fast, ArchiveStage.Limit, Cancelled);
        }
    }

    [Fact]
    public async Task After_a_kill_everything_that_the_storage_has_comes_back_from_it_alone()
    {
        await using var stage = await RestoreStage.RunAsync();
        await using (var receiver = stage.Archive.Receiver())
        {
            receiver.Start();
            await stage.Archive.BackUpAsync(receiver);
            await stage.SayAsync("CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g");
            await stage.SayAsync("INSERT INTO t VALUES (1001)");
            await stage.StoredAsync(receiver);
            await stage.Source.Server.StopAsync(StopMode.Kill, ArchiveStage.Limit, Cancelled);
        }
        Directory.Delete(stage.Source.Server.Options.DataFolder, recursive: true);

        var (result, server) = await stage.RestoreAsync(new());
        Assert.Equal(1001L, await TestServer.AskAsync(server, "SELECT count(*) FROM t"));
        Assert.NotNull(result.LastCommitAt);
        Assert.Equal("", await TestServer.AskAsync(server, "SHOW restore_command"));
        await TestServer.AskAsync(server, "INSERT INTO t VALUES (1002)");
        var above = Path.GetDirectoryName(server.Options.DataFolder)!;
        Assert.Equal(["data", "log"], Directory.EnumerateDirectories(above).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_place_and_a_named_point_are_met()
    {
        await using var stage = await RestoreStage.RunAsync();
        await using var receiver = stage.Archive.Receiver();
        receiver.Start();
        await stage.Archive.BackUpAsync(receiver);
        await stage.SayAsync("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
        var place = await stage.Archive.EndAsync();
        await stage.SayAsync("INSERT INTO t VALUES (2)");
        await stage.SayAsync("SELECT pg_create_restore_point('before the third')");
        await stage.SayAsync("INSERT INTO t VALUES (3)");
        var end = await stage.Archive.EndAsync();
        await stage.StoredAsync(receiver);

        Assert.Equal(1L, await RowsAsync(stage, new(Position: place)));
        Assert.Equal(2L, await RowsAsync(stage, new(Name: "before the third")));
        Assert.Equal(3L, await RowsAsync(stage, new(Position: end)));
        var unknown = await Assert.ThrowsAsync<JobFailedException>(() => stage.RestoreAsync(new(Name: "never made")));
        Assert.Contains("no point of the name 'never made'", unknown.Message);
    }

    [Fact]
    public async Task A_moment_that_is_not_covered_is_refused_with_the_nearest_that_is()
    {
        await using var stage = await RestoreStage.RunAsync();
        var manifest = await stage.Archive.BackUpAsync();
        var early = await Assert.ThrowsAsync<JobFailedException>(() => stage.RestoreAsync(new(Time: manifest.StoppedAt - TimeSpan.FromHours(1))));
        Assert.Contains("behind it", early.Message);
        Assert.Contains(manifest.StoppedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss"), early.Message);
        await stage.Pieces.Storage.DeleteAsync([manifest.Files[0].Key], Cancelled);
        var missing = await Assert.ThrowsAsync<JobFailedException>(() => stage.RestoreAsync(new()));
        Assert.Contains($"'{manifest.Files[0].Key}' is missing", missing.Message);
    }

    [Fact]
    public async Task A_moment_that_is_to_come_is_refused()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.Archive.BackUpAsync();
        var late = await Assert.ThrowsAsync<JobFailedException>(() => stage.RestoreAsync(new(Time: TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1))));
        Assert.Contains("before it", late.Message);
    }

    [Fact]
    public async Task In_place_the_old_data_stay_until_the_new_run()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.SayAsync("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
        await stage.Archive.BackUpAsync();
        var spec = stage.Spec();
        var (_, server) = await stage.RestoreAsync(new(), spec);
        await TestServer.AskAsync(server, "INSERT INTO t VALUES (2)");

        var running = await Assert.ThrowsAsync<JobFailedException>(() => stage.RestoreAsync(new(), spec));
        Assert.Contains("stop it", running.Message);
        await server.StopAsync(StopMode.Fast, ArchiveStage.Limit, Cancelled);
        await stage.FlipAsync("base.tar");
        await Assert.ThrowsAsync<BackupStorageException>(() => stage.RestoreAsync(new(), spec));
        await server.StartAsync(ArchiveStage.Limit, Cancelled);
        Assert.Equal(2L, await TestServer.AskAsync(server, "SELECT count(*) FROM t"));

        await server.StopAsync(StopMode.Fast, ArchiveStage.Limit, Cancelled);
        await stage.FlipAsync("base.tar");
        await stage.RestoreAsync(new(), spec);
        Assert.Equal(1L, await TestServer.AskAsync(server, "SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task What_a_restore_that_was_broken_off_left_is_cleared_and_the_old_data_are_back()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.SayAsync("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
        await stage.Archive.BackUpAsync();
        var spec = stage.Spec();
        var (_, server) = await stage.RestoreAsync(new(), spec);
        await server.StopAsync(StopMode.Fast, ArchiveStage.Limit, Cancelled);
        var data = server.Options.DataFolder;

        // Ended while it fetched, and again between the two renames, and again before the new data had run.
        Directory.CreateDirectory(data + ".restoring/base");
        Directory.CreateDirectory(data + ".restoring-wal");
        Directory.CreateDirectory(data + ".spaces-abc/16385");
        await stage.Restorer.ClearAsync(spec, Cancelled);
        Assert.Equal(["data", "log"], Left());
        Directory.Move(data, data + ".replaced");
        await stage.Restorer.ClearAsync(spec, Cancelled);
        Assert.Equal(["data", "log"], Left());
        Directory.Move(data, data + ".replaced");
        Directory.CreateDirectory(data + "/base");
        await stage.Restorer.ClearAsync(spec, Cancelled);
        Assert.Equal(["data", "log"], Left());
        await server.StartAsync(ArchiveStage.Limit, Cancelled);
        Assert.Equal(1L, await TestServer.AskAsync(server, "SELECT count(*) FROM t"));

        IEnumerable<string?> Left() => Directory.EnumerateDirectories(Path.GetDirectoryName(data)!).Select(Path.GetFileName).Order();
    }

    [Fact]
    public async Task A_restore_that_is_cancelled_in_the_middle_leaves_nothing()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.Archive.BackUpAsync();
        foreach (var words in new[] { "fetching", "comparing", "replaying" })
        {
            var spec = stage.Spec();
            using var stop = new CancellationTokenSource();
            var progress = new JobProgress();
            var running = stage.Restorer.RestoreAsync(new(spec, ArchiveStage.Cluster, null, new(), RestoreStage.AnyArchive), stage.Pieces, progress, stop.Token);
            await Eventually.TrueAsync(() => progress.Words.StartsWith(words, StringComparison.Ordinal) || running.IsCompleted, words);
            await stop.CancelAsync();
            // A restore that was quicker than the test is not what is asked about here.
            if (await Task.WhenAny(running) is { IsCompletedSuccessfully: true })
                continue;
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
            var server = stage.Place(spec);
            Assert.DoesNotContain(Directory.EnumerateDirectories(Path.GetDirectoryName(server.Options.DataFolder)!), f => Path.GetFileName(f) != "log");
        }
    }

    [Fact]
    public async Task Table_spaces_come_back_elsewhere()
    {
        await using var stage = await RestoreStage.RunAsync();
        using var spaces = TestServer.Folder();
        TestServer.Binaries.User.MakeFolder(spaces["fast"]);
        await stage.SayAsync($"CREATE TABLESPACE fast LOCATION '{spaces["fast"]}'");
        await stage.SayAsync("CREATE TABLE t (id int) TABLESPACE fast");
        await stage.SayAsync("INSERT INTO t VALUES (1), (2)");
        await stage.Archive.BackUpAsync();

        var (_, server) = await stage.RestoreAsync(new());
        Assert.Equal(2L, await TestServer.AskAsync(server, "SELECT count(*) FROM t"));
        var location = (string)(await TestServer.AskAsync(server, "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'"))!;
        Assert.StartsWith(server.Options.DataFolder + ".spaces-", location);
        await TestServer.AskAsync(server, "INSERT INTO t VALUES (3)");
        Assert.Equal(2L, await stage.Source.AskAsync("SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task A_table_space_that_was_made_behind_the_backup_is_not_emptied_by_a_copy()
    {
        await using var stage = await RestoreStage.RunAsync();
        using var spaces = TestServer.Folder();
        TestServer.Binaries.User.MakeFolder(spaces["late"]);
        await using var receiver = stage.Archive.Receiver();
        receiver.Start();
        await stage.Archive.BackUpAsync(receiver);
        await stage.SayAsync($"CREATE TABLESPACE late LOCATION '{spaces["late"]}'");
        await stage.SayAsync("CREATE TABLE t (id int) TABLESPACE late");
        await stage.StoredAsync(receiver);

        var refused = await Assert.ThrowsAsync<JobFailedException>(() => stage.RestoreAsync(new()));
        Assert.Contains(spaces["late"], refused.Message);
        Assert.Equal(0L, await stage.Source.AskAsync("SELECT count(*) FROM t"));
    }

    private static async Task<long> RowsAsync(RestoreStage stage, RecoveryTarget target)
    {
        var (_, server) = await stage.RestoreAsync(target);
        var rows = (long)(await TestServer.AskAsync(server, "SELECT count(*) FROM t"))!;
        await server.StopAsync(StopMode.Fast, ArchiveStage.Limit, Cancelled);
        return rows;
    }
}
