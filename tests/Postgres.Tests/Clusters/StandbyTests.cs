using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>Standbys that are copied, follow, are promoted, and old primaries that come back behind them (U-59).</summary>
public sealed class StandbyTests
{
    [Fact]
    public async Task A_standby_is_copied_follows_and_is_seen_by_both()
    {
        await using var node = new TestNode();
        var (primary, standby) = await PairAsync(node);
        var (first, second) = (Of(node, primary), Of(node, standby));
        await TestServer.AskAsync(first, "CREATE TABLE t AS SELECT 7 AS n", "shop");
        await Eventually.TrueAsync(async () => await HasTableAsync(second), "the table on the standby");
        Assert.Equal(7, await TestServer.AskAsync(second, "SELECT n FROM t", "shop"));
        var slot = ClusterSpec.StandbyName(standby.ServerId);
        var status = await node.SeeAsync(primary, s => s.Replication?.Slots.Any(l => l.IsActive) == true, "its slot");
        Assert.Equal([slot], status.Replication!.Slots.Select(s => s.Name));
        status = await node.SeeAsync(standby, s => s.Replication?.Delay == TimeSpan.Zero, "that it is caught up");
        Assert.Equal((ServerRole.Standby, true, 1U), (status.Role!.Value, status.Replication!.IsStreaming, status.Timeline));
        Assert.Equal("25006", (await Assert.ThrowsAsync<PostgresException>(() => TestServer.AskAsync(second, "CREATE TABLE x ()", "shop"))).SqlState);
    }

    [Fact]
    public async Task The_old_primary_is_rewound_behind_the_promoted_one_without_what_it_alone_had()
    {
        await using var node = new TestNode();
        var (primary, standby) = await PairAsync(node);
        var (first, second) = (Of(node, primary), Of(node, standby));
        await TestServer.AskAsync(first, "CREATE TABLE t AS SELECT 'shared' AS who", "shop");
        await Eventually.TrueAsync(async () => await HasTableAsync(second), "the table on the standby");

        // The standby is cut off, the old primary goes on and then dies: it has what nobody else has.
        await second.StopAsync(StopMode.Fast, TestServer.Limit, CancellationToken.None);
        await node.Host.DisposeAsync();
        await second.StopAsync(StopMode.Fast, TestServer.Limit, CancellationToken.None);
        await TestServer.AskAsync(first, "INSERT INTO t VALUES ('old primary alone')", "shop");
        await first.StopAsync(StopMode.Kill, TestServer.Limit, CancellationToken.None);
        await node.RestartAsync();
        node.Want(primary with { Desire = ClusterDesire.Stopped });
        await node.SeeAsync(primary, ServerState.Stopped);

        var promoted = standby with { Role = ServerRole.Primary, PrimaryHost = null, PrimaryPort = null };
        node.Want(promoted);
        var status = await node.SeeAsync(promoted, s => s is { State: ServerState.Ready, Role: ServerRole.Primary }, "its promotion");
        Assert.Equal(2U, status.Timeline);
        await TestServer.AskAsync(second, "INSERT INTO t VALUES ('new primary')", "shop");

        var follower = primary with { Role = ServerRole.Standby, PrimaryHost = "127.0.0.1", PrimaryPort = standby.Port };
        node.Want(follower);
        status = await node.SeeAsync(follower, s => s is { State: ServerState.Ready, Role: ServerRole.Standby }, "that it follows");
        Assert.Contains($"rewound to 127.0.0.1:{standby.Port}", status.Words, StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => await TestServer.AskAsync(first, "SELECT string_agg(who, ',' ORDER BY who) FROM t", "shop") is "new primary,shared", "the rows of the new primary");
    }

    [Fact]
    public async Task Roles_change_places_without_losing_anything_and_without_a_rewind()
    {
        await using var node = new TestNode();
        var (primary, standby) = await PairAsync(node);
        var (first, second) = (Of(node, primary), Of(node, standby));
        await TestServer.AskAsync(first, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n", "shop");
        node.Want(primary with { Desire = ClusterDesire.Stopped });
        var end = (await node.SeeAsync(primary, ServerState.Stopped)).Position;
        await node.SeeAsync(standby, s => s.Position.CompareTo(end) > 0, "that the standby has everything");
        var promoted = standby with { Role = ServerRole.Primary, PrimaryHost = null, PrimaryPort = null };
        node.Want(promoted);
        await node.SeeAsync(promoted, s => s is { State: ServerState.Ready, Role: ServerRole.Primary }, "its promotion");
        Assert.Equal(1000L, await TestServer.AskAsync(second, "SELECT count(*) FROM t", "shop"));
        var follower = primary with { Role = ServerRole.Standby, PrimaryHost = "127.0.0.1", PrimaryPort = standby.Port };
        node.Want(follower);
        var status = await node.SeeAsync(follower, s => s is { State: ServerState.Ready, Role: ServerRole.Standby }, "that it follows");
        Assert.Contains($"follows 127.0.0.1:{standby.Port} as it is", status.Words, StringComparison.Ordinal);
        // Nothing of the time before keeps its log.
        await node.SeeAsync(follower, s => s.Replication?.Slots.Count == 0, "that it has no slots");
        await TestServer.AskAsync(second, "INSERT INTO t VALUES (0)", "shop");
        await Eventually.TrueAsync(async () => await TestServer.AskAsync(first, "SELECT count(*) FROM t", "shop") is 1001L, "the new row");
    }

    [Fact]
    public async Task A_standby_whose_log_is_gone_from_the_primary_is_made_anew()
    {
        await using var node = new TestNode();
        var small = new Dictionary<string, string> { ["max_wal_size"] = "32MB", ["min_wal_size"] = "32MB", ["max_connections"] = "30" };
        var (primary, standby) = await PairAsync(node, p => p with { Settings = small });
        var first = Of(node, primary);
        node.Want(standby with { Desire = ClusterDesire.Stopped });
        await node.SeeAsync(standby, ServerState.Stopped);
        await Eventually.TrueAsync(async () => await TestServer.AskAsync(first, "SELECT NOT active FROM pg_replication_slots") is true, "that nobody reads the slot");
        await TestServer.AskAsync(first, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
        for (var i = 0; i < 6; i++)
            await TestServer.AskAsync(first, $"CREATE TABLE filler{i} (n int); SELECT pg_switch_wal()", "shop");
        await TestServer.AskAsync(first, "CHECKPOINT");
        await TestServer.AskAsync(first, "CREATE TABLE t AS SELECT 7 AS n; CHECKPOINT", "shop");
        node.Want(standby);
        await node.SeeAsync(standby, s => s is { State: ServerState.Ready, Role: ServerRole.Standby }, "that it follows");
        Assert.Equal(7, await TestServer.AskAsync(Of(node, standby), "SELECT n FROM t", "shop"));
        await Eventually.TrueAsync(() => !Directory.Exists(Path.Combine(node.Clusters, standby.ServerId.ToString(), "data.old")), "that the old data are removed");
    }

    [Fact]
    public async Task A_standby_waits_for_a_primary_that_is_away_and_keeps_its_data()
    {
        await using var node = new TestNode();
        var (primary, standby) = await PairAsync(node);
        node.Want(primary with { Desire = ClusterDesire.Stopped });
        var status = await node.SeeAsync(standby, ServerState.Degraded);
        Assert.Contains($"it receives nothing from its primary at 127.0.0.1:{primary.Port}", status.Words, StringComparison.Ordinal);
        var pid = status.Pid;
        node.Want(primary);
        status = await node.SeeAsync(standby, ServerState.Ready);
        Assert.Equal(pid, status.Pid);
    }

    [Fact]
    public async Task A_removed_standby_takes_its_slot_with_it()
    {
        await using var node = new TestNode();
        var (primary, standby) = await PairAsync(node);
        node.Want(standby with { Desire = ClusterDesire.Removed });
        await node.SeeAsync(standby, ServerState.Removed);
        await node.SeeAsync(primary, s => s.Replication?.Slots.Count == 0, "that the slot is gone");
    }

    [Fact]
    public async Task A_standby_without_its_primary_is_not_made_and_says_why()
    {
        await using var node = new TestNode();
        var standby = TestNode.StandbyOf(TestNode.Shop());
        node.Want(standby);
        var status = await node.SeeAsync(standby, ServerState.Failed);
        Assert.Contains($"The primary at 127.0.0.1:{standby.PrimaryPort} cannot be used", status.Words, StringComparison.Ordinal);
        node.Want(standby with { Desire = ClusterDesire.Removed });
        await node.SeeAsync(standby, ServerState.Removed);
    }

    [Fact]
    public async Task Commits_wait_for_the_standby_that_is_named()
    {
        await using var node = new TestNode();
        var (primary, standby) = await PairAsync(node);
        node.Want(primary with { SynchronousStandbys = [ClusterSpec.StandbyName(standby.ServerId)] });
        await node.SeeAsync(primary, s => s.Replication?.Slots.Any(l => l.IsSynchronous) == true, "that commits wait for it");
    }

    private static PgServer Of(TestNode node, ClusterSpec spec) => node.Host.Find(spec.ServerId)!.Server;

    private static async Task<bool> HasTableAsync(PgServer server) => await TestServer.AskAsync(server, "SELECT to_regclass('t') IS NOT NULL", "shop") is true;

    private static async Task<(ClusterSpec Primary, ClusterSpec Standby)> PairAsync(TestNode node, Func<ClusterSpec, ClusterSpec>? change = null)
    {
        var primary = TestNode.Shop();
        primary = change?.Invoke(primary) ?? primary;
        await node.RunAsync(primary);
        var standby = TestNode.StandbyOf(primary);
        await node.RunAsync(standby);
        return (primary, standby);
    }
}
