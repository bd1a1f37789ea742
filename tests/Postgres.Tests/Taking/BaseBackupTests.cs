using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Taking;

/// <summary>Base backups of a real server, brought back by hand.</summary>
public sealed class BaseBackupTests
{
    [Fact]
    public async Task A_backup_without_a_receiver_comes_back_from_the_storage_alone()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await stage.Server.AskAsync("CREATE TABLE t AS SELECT g AS id, repeat('x', 200) AS filler FROM generate_series(1, 20000) g");
        var progress = new JobProgress();
        var manifest = await stage.BackUpAsync(progress: progress);

        Assert.Equal(("test", 1U, 15), (manifest.Reason, manifest.Timeline, manifest.Version));
        Assert.True(manifest.Start < manifest.Stop);
        Assert.EndsWith("/base.tar.zst", manifest.Files[0].Key, StringComparison.Ordinal);
        Assert.Equal(progress.Total, progress.Done);
        Assert.Equal(manifest.Files[0].PlainBytes, progress.Done);
        Assert.Equal(manifest.Files[0].PlainBytes, await LengthAsync(stage, manifest.Files[0]));

        var restored = await stage.RestoreAsync(manifest, "restored");
        await VerifyAsync(restored);
        await restored.StartAsync(ArchiveStage.Limit, CancellationToken.None);
        try
        {
            Assert.Equal(20000L, await TestServer.AskAsync(restored, "SELECT count(*) FROM t"));
        }
        finally
        {
            await restored.StopAsync(StopMode.Fast, ArchiveStage.Limit, CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_backup_that_is_cancelled_leaves_nothing_behind()
    {
        await using var stage = await ArchiveStage.RunAsync();
        using var cancel = new CancellationTokenSource();
        var progress = new JobProgress();
        var taking = stage.BackUpAsync(rate: 300_000, progress: progress, until: cancel.Token);
        await Eventually.TrueAsync(() => progress.Done > 1_000_000, "a part of the copy");
        Assert.True(progress.Total > progress.Done);
        Assert.Contains("MB/s", await SaidAsync(progress), StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => await stage.Server.AskAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'BaseBackupThrottle'") is 1L, "the server keeps to the rate");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => taking);
        Assert.DoesNotContain(await stage.KeysAsync(), k => k.Contains("/base/", StringComparison.Ordinal));
        Assert.Equal(0L, await SlotsAsync(stage));
    }

    [Fact]
    public async Task A_backup_that_the_storage_refuses_at_its_end_leaves_nothing_behind()
    {
        await using var stage = await ArchiveStage.RunAsync();
        stage.Faults.Failing = key => key.EndsWith("manifest.json", StringComparison.Ordinal) ? new BackupStorageException(StorageFailure.Full, "There is no room.") : null;
        var failed = await Assert.ThrowsAsync<JobFailedException>(() => stage.BackUpAsync());
        Assert.Contains("no room", failed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(await stage.KeysAsync(), k => k.Contains("/base/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_backup_whose_server_is_killed_leaves_nothing_behind()
    {
        await using var stage = await ArchiveStage.RunAsync();
        var progress = new JobProgress();
        var taking = stage.BackUpAsync(rate: 300_000, progress: progress);
        await Eventually.TrueAsync(() => progress.Done > 1_000_000, "a part of the copy");
        await stage.Server.Server.StopAsync(StopMode.Kill, ArchiveStage.Limit, CancellationToken.None);
        await Assert.ThrowsAsync<JobFailedException>(() => taking);
        Assert.DoesNotContain(await stage.KeysAsync(), k => k.Contains("/base/", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null, false, "")]
    [InlineData(1L, false, ", MAX_RATE 32")]
    [InlineData(10_485_760L, false, ", MAX_RATE 10240")]
    [InlineData(long.MaxValue, true, ", MAX_RATE 1048576, COMPRESSION 'zstd', COMPRESSION_DETAIL 'level=1,workers=2'")]
    public void The_rate_is_said_in_the_limits_of_the_server(long? rate, bool isCompressed, string end) =>
        Assert.Equal(
            $"BASE_BACKUP (LABEL 'it''s', PROGRESS true, CHECKPOINT 'fast', WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256'{end})",
            new BaseBackupWish("it's", rate, isCompressed).Command);

    [Fact]
    public async Task Two_backups_at_once_have_two_names()
    {
        await using var stage = await ArchiveStage.RunAsync();
        var both = await Task.WhenAll(stage.BackUpAsync(), stage.BackUpAsync());
        Assert.NotEqual(both[0].Name, both[1].Name);
        Assert.Equal(2, (await stage.KeysAsync()).Count(k => k.EndsWith("manifest.json", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_log_of_a_backup_comes_from_the_receiver_when_there_is_one()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await using var receiver = stage.Receiver(flushEvery: TimeSpan.FromHours(1));
        receiver.Start();
        var manifest = await stage.BackUpAsync(receiver);
        var wal = await stage.WalAsync(manifest.SystemId, 1);
        Assert.True(wal.RunFrom(manifest.Start) >= manifest.Stop);
        Assert.True(receiver.Status.Stored >= manifest.Stop);
    }

    [Fact]
    public async Task A_server_of_another_major_version_is_refused_in_words()
    {
        await using var stage = await ArchiveStage.RunAsync();
        var request = new BaseBackupRequest { Cluster = ArchiveStage.Cluster, Version = 16, Server = stage.Target, Reason = "test" };
        var failed = await Assert.ThrowsAsync<JobFailedException>(
            () => new BaseBackupTaker(TimeProvider.System).TakeAsync(request, stage.Pieces, new JobProgress(), CancellationToken.None));
        Assert.Contains("is PostgreSQL 15, and 16 is needed", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_space_is_an_archive_of_its_own()
    {
        await using var stage = await ArchiveStage.RunAsync();
        using var folder = TestServer.Folder();
        TestServer.Binaries.User.MakeFolder(folder["space"]);
        await stage.Server.AskAsync($"CREATE TABLESPACE far LOCATION '{folder["space"]}'");
        await stage.Server.AskAsync("CREATE TABLE t TABLESPACE far AS SELECT 1 AS id");
        var manifest = await stage.BackUpAsync();
        var (oid, location) = Assert.Single(manifest.TableSpaces);
        Assert.Equal(folder["space"], location);
        Assert.Equal(["base.tar", $"{oid}.tar", "backup_manifest"], manifest.Files.Select(f => ArchiveLayout.Bare(f.Key).Split('/')[^1]));
    }

    [Fact]
    public void The_pace_is_said_with_the_time_that_is_left()
    {
        Assert.Equal("copying base.tar, 10.0 MB/s, about 90 s left", Pace.Words("base.tar", 100_000_000, 1_000_000_000, TimeSpan.FromSeconds(10)));
        Assert.Equal("copying base.tar, 1.0 MB/s, about 15 min left", Pace.Words("base.tar", 100_000_000, 1_000_000_000, TimeSpan.FromSeconds(100)));
    }

    [Theory]
    [InlineData("None")]
    [InlineData("Gzip")]
    public async Task What_the_server_does_not_compress_is_compressed_here(string compression)
    {
        await using var stage = await ArchiveStage.RunAsync();
        var pieces = new Pieces(stage.Faults, Enum.Parse<Compression>(compression), null);
        var progress = new JobProgress();
        var request = new BaseBackupRequest { Cluster = ArchiveStage.Cluster, Version = 15, Server = stage.Target, Reason = "test" };
        var manifest = await new BaseBackupTaker(TimeProvider.System).TakeAsync(request, pieces, progress, CancellationToken.None);
        Assert.Equal(compression, manifest.Compression.ToString());
        Assert.Equal(manifest.Files.Sum(f => f.PlainBytes), progress.Done);
        Assert.Equal(manifest.Files[0].PlainBytes, await LengthAsync(stage, manifest.Files[0]));
        Assert.Equal(compression != "None", manifest.Files[0].Bytes < manifest.Files[0].PlainBytes);
    }

    private static async Task<long> LengthAsync(ArchiveStage stage, BackupFile file)
    {
        await using var stream = await stage.Pieces.OpenAsync(file.Key, file.Sha256, CancellationToken.None);
        var buffer = new byte[1 << 16];
        long length = 0;
        for (int got; (got = await stream.ReadAsync(buffer)) > 0; length += got)
        {
            // Only its length matters, and that its checksum is right.
        }
        return length;
    }

    private static async Task<string> SaidAsync(JobProgress progress)
    {
        await Eventually.TrueAsync(() => progress.Words.Contains("left", StringComparison.Ordinal), "the pace");
        return progress.Words;
    }

    private static async Task<object?> SlotsAsync(ArchiveStage stage)
    {
        await Eventually.TrueAsync(async () => await stage.Server.AskAsync("SELECT count(*) FROM pg_replication_slots") is 0L, "the temporary slot is gone");
        return await stage.Server.AskAsync("SELECT count(*) FROM pg_replication_slots");
    }

    private static async Task VerifyAsync(PgServer restored)
    {
        // Settings and the signal file were added by hand, and the log lies elsewhere.
        var seen = await TestServer.Binaries.RunAsync(
            "pg_verifybackup", ["--no-parse-wal", "--ignore", "recovery.signal", "--ignore", "postgresql.conf", "--ignore", "crew.conf", restored.Options.DataFolder], CancellationToken.None);
        Assert.True(seen.ExitCode == 0, seen.Words);
    }
}
