using System.Globalization;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Taking;

/// <summary>The receiver of the log, on real servers.</summary>
public sealed class WalReceiverTests
{
    [Fact]
    public async Task What_is_written_is_in_the_storage_soon_and_the_slot_keeps_only_the_rest()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await using var receiver = stage.Receiver();
        receiver.Start();
        await stage.Server.AskAsync("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id");
        var end = await stage.EndAsync();
        await Eventually.TrueAsync(() => receiver.Status.Stored >= end, "the log is stored");
        await Eventually.TrueAsync(async () => Lsn.Parse((string)(await stage.Server.AskAsync($"SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = '{WalReceiver.Name}'"))!) >= end, "the slot is advanced");
        Assert.Null(receiver.Status.Problem);
        Assert.Empty(receiver.Status.Gaps);
        var text = stage.Metrics.WriteText();
        Assert.Contains("groundcrew_wal_pieces_total{cluster=\"acme-main\",kind=\"part\"}", text, StringComparison.Ordinal);
        Assert.Contains("groundcrew_wal_lag_bytes{cluster=\"acme-main\"}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_quiet_server_is_known_to_be_quiet_by_one_small_object()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await using var receiver = stage.Receiver(flushEvery: TimeSpan.FromMilliseconds(200));
        receiver.Start();
        await Eventually.TrueAsync(() => receiver.Status.CaughtUpAt is not null, "the first moment");
        var first = receiver.Status.CaughtUpAt;
        await Eventually.TrueAsync(() => receiver.Status.CaughtUpAt > first + TimeSpan.FromSeconds(1), "time goes on");
        await receiver.DisposeAsync();
        var wal = await stage.WalAsync(await SystemIdAsync(stage), 1);
        Assert.True(wal.Pieces.Count(p => p.Start == p.End) <= 1, "Each moment replaces the one before.");
        Assert.Equal(Cut(receiver.Status.CaughtUpAt), wal.CaughtUpAt);
    }

    [Fact]
    public async Task A_segment_that_is_full_is_one_object_and_its_parts_go()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await using var receiver = stage.Receiver(flushEvery: TimeSpan.FromMilliseconds(100));
        receiver.Start();
        for (var i = 0; i < 4; i++)
        {
            await stage.Server.AskAsync($"CREATE TABLE t{i} AS SELECT generate_series(1, 1000) AS id");
            var end = await stage.EndAsync();
            await Eventually.TrueAsync(() => receiver.Status.Stored >= end, "a part");
        }
        await SwitchAsync(stage);
        var switched = (await stage.EndAsync()).SegmentStart();
        await stage.Server.AskAsync("CREATE TABLE last AS SELECT 1 AS id");
        var system = await SystemIdAsync(stage);
        await Eventually.TrueAsync(async () => (await stage.WalAsync(system, 1)).Pieces.Where(p => p.Start < switched && p.End > p.Start).All(p => p.IsSegment), "only whole segments before the last");
        Assert.Empty((await stage.WalAsync(system, 1)).Gaps());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_receiver_that_was_ended_goes_on_behind_the_last_stored_byte(bool isSynchronous)
    {
        await using var stage = await ArchiveStage.RunAsync(isSynchronous ? Synchronous : null);
        var manifest = await WithReceiverAsync(stage, isSynchronous, async receiver =>
        {
            var taken = await stage.BackUpAsync(receiver);
            await stage.Server.AskAsync("CREATE TABLE t (id int)");
            return taken;
        });
        for (var i = 0; i < 3; i++)
            await WithReceiverAsync(stage, isSynchronous, async receiver =>
            {
                await stage.Server.AskAsync($"INSERT INTO t SELECT generate_series(1, 30000)");
                var end = await stage.EndAsync();
                Assert.True(await receiver.WaitUntilStoredAsync(1, end, ArchiveStage.Limit, CancellationToken.None), receiver.Status.Problem);
                return 0;
            });
        var wal = await stage.WalAsync(manifest.SystemId, 1);
        Assert.Empty(wal.Gaps());
        Assert.Equal(90000L, await RestoredAsync(stage, manifest, "SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task In_synchronous_mode_a_commit_waits_for_the_storage()
    {
        await using var stage = await ArchiveStage.RunAsync(Synchronous);
        await using var receiver = stage.Receiver(isSynchronous: true);
        receiver.Start();
        await stage.Server.AskAsync("CREATE TABLE t (id int)");
        var stalled = new TaskCompletionSource();
        stage.Faults.Stalling = stalled.Task;
        var commit = stage.Server.AskAsync("INSERT INTO t VALUES (1)");
        await Eventually.TrueAsync(async () => await stage.Server.AskAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") is 1L, "the commit waits");
        Assert.False(commit.IsCompleted);
        stalled.SetResult();
        await commit;
        var end = await stage.EndAsync();
        await Eventually.TrueAsync(() => receiver.Status.Stored >= end, "all of it is stored");
    }

    [Fact]
    public async Task A_storage_that_fails_is_told_and_nothing_is_lost()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await using var receiver = stage.Receiver();
        receiver.Start();
        var manifest = await stage.BackUpAsync(receiver);
        stage.Faults.Failing = _ => new BackupStorageException(StorageFailure.Full, "There is no room.");
        // More than the receiver holds in memory: the rest waits on the server.
        await stage.Server.AskAsync("CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 10) AS filler FROM generate_series(1, 250000) g");
        await Eventually.TrueAsync(() => receiver.Status.Problem is { } problem && problem.Contains("no room", StringComparison.Ordinal), "the problem is told");
        var end = await stage.EndAsync();
        Assert.True(receiver.Status.Received - receiver.Status.Stored <= WalBuffer.MostSegments * (long)Lsn.SegmentBytes);
        stage.Faults.Failing = null;
        await Eventually.TrueAsync(() => receiver.Status.Stored >= end && receiver.Status.Problem is null, "it goes on");
        Assert.Empty((await stage.WalAsync(manifest.SystemId, 1)).Gaps());
        Assert.Equal(250000L, await RestoredAsync(stage, manifest, "SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task A_storage_that_does_not_answer_is_asked_again()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await using var receiver = stage.Receiver();
        receiver.Start();
        await Eventually.TrueAsync(() => receiver.Status.CaughtUpAt is not null, "it runs");
        stage.Faults.Stalling = new TaskCompletionSource().Task;
        await stage.Server.AskAsync("CREATE TABLE t AS SELECT 1 AS id");
        await Eventually.TrueAsync(() => receiver.Status.Problem is { } problem && problem.Contains("did not answer within 2 s", StringComparison.Ordinal), "the problem is told");
        stage.Faults.Stalling = Task.CompletedTask;
        var end = await stage.EndAsync();
        await Eventually.TrueAsync(() => receiver.Status.Stored >= end && receiver.Status.Problem is null, "it goes on");
    }

    [Fact]
    public async Task A_server_that_shuts_down_is_stored_to_its_last_byte_and_waits_for_no_interval()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await using var receiver = stage.Receiver(flushEvery: TimeSpan.FromHours(1));
        receiver.Start();
        await stage.Server.AskAsync("CREATE TABLE t AS SELECT 1 AS id");
        await Eventually.TrueAsync(() => receiver.Status.Received > default(Lsn), "it receives");
        await stage.Server.Server.StopAsync(StopMode.Fast, ArchiveStage.Limit, CancellationToken.None);
        var control = await TestServer.Binaries.MustRunAsync("pg_controldata", [stage.Server.Server.Options.DataFolder], CancellationToken.None);
        var checkpoint = control.Output.Split('\n').First(l => l.StartsWith("Latest checkpoint location:", StringComparison.Ordinal)).Split(':')[1].Trim();
        await Eventually.TrueAsync(() => receiver.Status.Stored > Lsn.Parse(checkpoint), "the last checkpoint is stored");
        await Eventually.TrueAsync(() => receiver.Status.Problem is not null, "it is told that the server is gone");
    }

    [Fact]
    public async Task A_slot_that_was_dropped_by_hand_is_made_again()
    {
        await using var stage = await ArchiveStage.RunAsync();
        var gaps = new List<WalGap>();
        await using var receiver = stage.Receiver(gapFound: gaps.Add);
        receiver.Start();
        await stage.Server.AskAsync("CREATE TABLE t (id int)");
        var end = await stage.EndAsync();
        await Eventually.TrueAsync(() => receiver.Status.Stored >= end, "it runs");
        await DropSlotAsync(stage);
        await stage.Server.AskAsync("INSERT INTO t VALUES (1)");
        var later = await stage.EndAsync();
        await Eventually.TrueAsync(() => receiver.Status.Stored >= later, "it goes on");
        Assert.Empty(gaps);
        Assert.Equal(1L, await stage.Server.AskAsync($"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{WalReceiver.Name}'"));
        Assert.Empty((await stage.WalAsync(await SystemIdAsync(stage), 1)).Gaps());
    }

    [Fact]
    public async Task A_segment_that_the_server_no_longer_has_is_a_gap_until_a_base_backup_covers_it()
    {
        await using var stage = await ArchiveStage.RunAsync();
        await WithReceiverAsync(stage, false, async receiver =>
        {
            await stage.Server.AskAsync("CREATE TABLE t (id int)");
            var end = await stage.EndAsync();
            Assert.True(await receiver.WaitUntilStoredAsync(1, end, ArchiveStage.Limit, CancellationToken.None));
            return 0;
        });
        var system = await SystemIdAsync(stage);
        var stored = (await stage.WalAsync(system, 1)).End!.Value;
        for (var i = 0; i < 3; i++)
        {
            await stage.Server.AskAsync("INSERT INTO t VALUES (1)");
            await SwitchAsync(stage);
        }
        File.Delete(Path.Combine(stage.Server.Server.Options.DataFolder, "pg_wal", stored.SegmentName(1)));

        var gaps = new List<WalGap>();
        await using var receiver = stage.Receiver(gapFound: gaps.Add);
        receiver.Start();
        var later = await stage.EndAsync();
        await Eventually.TrueAsync(() => receiver.Status.Stored >= later, "it goes on behind the gap");
        var gap = Assert.Single(gaps);
        Assert.Equal(new WalGap(1, stored, stored.SegmentStart() + Lsn.SegmentBytes), gap);
        Assert.Equal([gap], receiver.Status.Gaps);
        Assert.Equal([gap], (await stage.WalAsync(system, 1)).Gaps());

        // A receiver that comes later knows of it by the storage alone; a base backup ends it.
        await receiver.DisposeAsync();
        await using var next = stage.Receiver(gapFound: gaps.Add);
        next.Start();
        await Eventually.TrueAsync(() => gaps.Count == 2, "the gap is told again");
        await stage.BackUpAsync(next);
        Assert.Empty(next.Status.Gaps);
        await next.DisposeAsync();
        await using var last = stage.Receiver(gapFound: gaps.Add);
        last.Start();
        await Eventually.TrueAsync(() => last.Status.CaughtUpAt is not null, "the last one runs");
        Assert.Equal(2, gaps.Count);
    }

    [Fact]
    public async Task A_server_that_is_promoted_is_followed_to_its_new_timeline()
    {
        await using var stage = await ArchiveStage.RunAsync();
        BaseBackupManifest manifest = await WithReceiverAsync(stage, false, receiver => stage.BackUpAsync(receiver));
        await stage.Server.AskAsync("CREATE TABLE t AS SELECT 1 AS id");
        var standby = await stage.RestoreAsync(manifest, "standby");
        File.Delete(Path.Combine(standby.Options.DataFolder, "recovery.signal"));
        await File.WriteAllTextAsync(Path.Combine(standby.Options.DataFolder, "standby.signal"), "", TestContext.Current.CancellationToken);
        standby.WriteSettings(new Dictionary<string, string>(TestServer.Small)
        {
            ["restore_command"] = $"cp {Path.GetDirectoryName(standby.Options.DataFolder)}/archived/%f %p",
            ["primary_conninfo"] = $"host={stage.Target.SocketPath![..stage.Target.SocketPath!.LastIndexOf('/')]} port={stage.Server.Server.Options.Port} user={PgServer.Superuser}",
        });
        await standby.StartAsync(ArchiveStage.Limit, CancellationToken.None);
        try
        {
            var target = ReplicationTarget.Local(standby.Options.SocketFolder, standby.Options.Port);
            await using var receiver = stage.Receiver(target: target);
            receiver.Start();
            var end = await stage.EndAsync();
            await Eventually.TrueAsync(() => receiver.Status.Stored >= end, "the standby's log is stored");
            var moment = receiver.Status.CaughtUpAt ?? DateTimeOffset.MinValue;
            await standby.PromoteAsync(ArchiveStage.Limit, CancellationToken.None);
            await TestServer.AskAsync(standby, "INSERT INTO t VALUES (2)");
            await TestServer.AskAsync(standby, "CHECKPOINT");
            var later = Lsn.Parse((string)(await TestServer.AskAsync(standby, "SELECT pg_current_wal_flush_lsn()::text"))!);
            Assert.True(await receiver.WaitUntilStoredAsync(2, later, ArchiveStage.Limit, CancellationToken.None), receiver.Status.Problem);
            await Eventually.TrueAsync(() => receiver.Status.CaughtUpAt > moment, "a moment of the new timeline");
            Assert.Contains(await stage.KeysAsync(), k => k.EndsWith("/history/00000002.history", StringComparison.Ordinal));
            Assert.Empty(receiver.Status.Gaps);
            await receiver.DisposeAsync();
        }
        finally
        {
            await standby.StopAsync(StopMode.Immediate, ArchiveStage.Limit, CancellationToken.None);
        }
        Assert.Equal(2L, await RestoredAsync(stage, manifest, "SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task A_server_whose_log_is_another_than_the_archive_is_not_mixed_into_it()
    {
        await using var stage = await ArchiveStage.RunAsync();
        var manifest = await stage.BackUpAsync();
        await WithReceiverAsync(stage, false, async receiver =>
        {
            await stage.Server.AskAsync("CREATE TABLE t AS SELECT 1 AS id");
            Assert.True(await receiver.WaitUntilStoredAsync(1, await stage.EndAsync(), ArchiveStage.Limit, CancellationToken.None));
            return 0;
        });
        // The same history once more, by a server that does not know of the first: it writes other things in the same place.
        var other = await stage.RestoreAsync(manifest, "other");
        File.Delete(Path.Combine(other.Options.DataFolder, "recovery.signal"));
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Path.GetDirectoryName(other.Options.DataFolder)!, "archived")))
        {
            var wal = Path.Combine(other.Options.DataFolder, "pg_wal", Path.GetFileName(file));
            if (string.CompareOrdinal(Path.GetFileName(file), manifest.Stop.SegmentName(1)) <= 0)
            {
                File.Copy(file, wal);
                TestServer.Binaries.User.Own(wal);
            }
        }
        await other.StartAsync(ArchiveStage.Limit, CancellationToken.None);
        try
        {
            await TestServer.AskAsync(other, "CREATE TABLE another AS SELECT generate_series(1, 50000) AS id");
            await using var receiver = stage.Receiver(target: ReplicationTarget.Local(other.Options.SocketFolder, other.Options.Port));
            receiver.Start();
            await Eventually.TrueAsync(() => receiver.Status.Problem is { } problem && problem.Contains("differs from its archive", StringComparison.Ordinal), "it is told");
        }
        finally
        {
            await other.StopAsync(StopMode.Immediate, ArchiveStage.Limit, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Another_major_version_and_a_server_that_is_not_there_are_told_in_words()
    {
        await using var stage = await ArchiveStage.RunAsync();
        var options = new WalReceiverOptions { Cluster = ArchiveStage.Cluster, Version = 17, Server = stage.Target };
        await using var wrong = new WalReceiver(options, stage.Pieces, stage.Metrics, TimeProvider.System);
        wrong.Start();
        await Eventually.TrueAsync(() => wrong.Status.Problem is { } problem && problem.Contains("is PostgreSQL 15, and 17 is needed", StringComparison.Ordinal), "the version is told");
        await using var gone = stage.Receiver(target: stage.Target with { SocketPath = "/nowhere/.s.PGSQL.5432" });
        gone.Start();
        await Eventually.TrueAsync(() => gone.Status.Problem is { } problem && problem.Contains("cannot be reached", StringComparison.Ordinal), "the place is told");
    }

    internal static readonly Dictionary<string, string> Synchronous = new() { ["synchronous_standby_names"] = WalReceiver.Name };

    internal static async Task<string> SystemIdAsync(ArchiveStage stage) =>
        ((long)(await stage.Server.AskAsync("SELECT system_identifier FROM pg_control_system()"))!).ToString(CultureInfo.InvariantCulture);

    internal static async Task<object?> RestoredAsync(ArchiveStage stage, BaseBackupManifest manifest, string sql)
    {
        var restored = await stage.RestoreAsync(manifest, "restored");
        await restored.StartAsync(ArchiveStage.Limit, CancellationToken.None);
        try
        {
            await Eventually.TrueAsync(async () => await TestServer.AskAsync(restored, "SELECT NOT pg_is_in_recovery()") is true, "recovery ends");
            return await TestServer.AskAsync(restored, sql);
        }
        finally
        {
            await restored.StopAsync(StopMode.Immediate, ArchiveStage.Limit, CancellationToken.None);
        }
    }

    private static async Task<T> WithReceiverAsync<T>(ArchiveStage stage, bool isSynchronous, Func<WalReceiver, Task<T>> work)
    {
        await using var receiver = stage.Receiver(isSynchronous);
        receiver.Start();
        return await work(receiver);
    }

    private static Task<object?> SwitchAsync(ArchiveStage stage) => stage.Server.AskAsync("SELECT pg_switch_wal()::text");

    private static async Task DropSlotAsync(ArchiveStage stage) => await Eventually.TrueAsync(
        async () =>
        {
            try
            {
                await stage.Server.AskAsync($"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{WalReceiver.Name}'");
                await stage.Server.AskAsync($"SELECT pg_drop_replication_slot('{WalReceiver.Name}')::text");
                return true;
            }
            catch (PostgresException e) when (e.SqlState == PgServerException.ObjectInUse)
            {
                return false;
            }
        },
        "the slot is dropped");

    private static DateTimeOffset? Cut(DateTimeOffset? time) => time is { } t ? DateTimeOffset.FromUnixTimeMilliseconds(t.ToUnixTimeMilliseconds()) : null;
}
