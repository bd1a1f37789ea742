using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>The servers of a node: made, run, found again, stopped and removed as wanted.</summary>
public sealed class ClusterHostTests
{
    private const string Loopback = "0100007F";

    [Fact]
    public async Task A_new_cluster_is_ready_and_listens_where_it_was_asked_alone()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        await node.RunAsync(spec);
        var status = await node.SeeAsync(spec, ServerState.Ready);
        Assert.Equal(ServerRole.Primary, status.Role);
        Assert.Equal(1U, status.Timeline);
        Assert.True(status.Position.Value > 0);
        Assert.Equal("30", status.Settings["max_connections"]);
        Assert.Equal("16MB", status.Settings["shared_buffers"]);
        Assert.Equal("pg_stat_statements", status.Settings["shared_preload_libraries"]);
        Assert.Empty(status.PendingRestart!);
        Assert.Equal([Loopback], Listening.Addresses().Where(a => a.Port == spec.Port).Select(a => a.Address));
    }

    [Fact]
    public async Task Another_network_than_the_named_ones_is_refused()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with { Networks = ["127.0.0.9/32"] };
        await node.RunAsync(spec);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop"));
        Assert.Contains("pg_hba.conf", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_a_restart_of_the_agent_the_same_process_goes_on()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var before = (await node.RunAsync(spec)).Process;
        await using var session = await TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop");
        node.Secrets.IsAway = true;
        await node.RestartAsync();
        await node.SeeAsync(spec, ServerState.Ready);
        Assert.Equal(before, node.Host.Find(spec.ServerId)!.Server.Process);
        Assert.Equal(1, await TestNode.AskAsync(session, "SELECT 1"));
    }

    [Fact]
    public async Task With_the_control_plane_dead_a_server_starts_from_what_the_node_knows()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        node.Secrets.IsAway = true;
        await node.Host.DisposeAsync();
        await server.StopAsync(StopMode.Immediate, TestServer.Limit, CancellationToken.None);
        await node.RestartAsync();
        await node.SeeAsync(spec, ServerState.Ready);
        await using var session = await TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop");
    }

    [Fact]
    public async Task A_killed_server_is_started_again_with_what_was_committed_and_it_is_told()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        await TestServer.AskAsync(server, "CREATE TABLE kept AS SELECT 7 AS n", "shop");
        var before = server.Process;
        ProcessSignals.Send(before!.Pid, ProcessSignals.Kill);
        var status = await node.SeeAsync(spec, s => s.State == ServerState.Ready && s.Pid is { } pid && pid != before.Pid, "another process");
        Assert.Contains("its process ended at", status.Words, StringComparison.Ordinal);
        Assert.Equal(7, await TestServer.AskAsync(server, "SELECT n FROM kept", "shop"));
    }

    [Fact]
    public async Task A_settings_change_waits_for_a_restart_that_is_asked_for()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var before = (await node.RunAsync(spec)).Process;
        spec = spec with { Settings = new Dictionary<string, string> { ["max_connections"] = "40", ["work_mem"] = "3MB" } };
        node.Want(spec);
        var status = await node.SeeAsync(spec, s => s.PendingRestart?.Count > 0, "what waits");
        Assert.Equal(["max_connections"], status.PendingRestart!);
        Assert.Contains("a restart is needed for max_connections", status.Words, StringComparison.Ordinal);
        Assert.Equal(("30", "3MB", ServerState.Ready), (status.Settings["max_connections"], status.Settings["work_mem"], status.State));
        Assert.Equal(before!.Pid, status.Pid);
        node.Want(spec with { Restarts = 1 });
        status = await node.SeeAsync(spec, s => s.State == ServerState.Ready && s.PendingRestart?.Count == 0 && s.Pid != before.Pid, "its restart");
        Assert.Equal("40", status.Settings["max_connections"]);
        await node.RestartAsync();
        Assert.Equal(status.Pid, (await node.SeeAsync(spec, ServerState.Ready)).Pid);
    }

    [Fact]
    public async Task Settings_that_cannot_be_used_are_named_and_the_server_runs_without_them()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with { Settings = new Dictionary<string, string> { ["fsync"] = "off", ["work_mem"] = "3 apples", ["jit"] = "off" } };
        node.Want(spec);
        var status = await node.SeeAsync(spec, s => s is { State: ServerState.Degraded, Role: not null }, "that it is not as wanted");
        Assert.Contains("'fsync' cannot be set", status.Words, StringComparison.Ordinal);
        Assert.Contains("'3 apples' is no value of 'work_mem'", status.Words, StringComparison.Ordinal);
        Assert.Equal("off", status.Settings["jit"]);
        Assert.Equal("on", await TestServer.AskAsync(node.Host.Find(spec.ServerId)!.Server, "SHOW fsync"));
    }

    [Fact]
    public async Task A_stopped_server_is_fenced_until_it_is_wanted_again()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        node.Want(spec with { Desire = ClusterDesire.Stopped });
        await node.SeeAsync(spec, ServerState.Stopped);
        Assert.Null(server.Pid);
        var refused = await Assert.ThrowsAsync<JobFailedException>(() => server.StartAsync(TestServer.Limit, CancellationToken.None));
        Assert.Contains("fenced", refused.Message, StringComparison.Ordinal);
        await node.RestartAsync();
        await node.SeeAsync(spec, ServerState.Stopped);
        Assert.Null(server.Pid);
        // Somebody starts it past the platform: it does not stay.
        using var byHand = TestServer.Binaries.StartDetached("postgres", ["-D", server.Options.DataFolder, "-c", $"port={FreePort.Next()}", "-c", $"unix_socket_directories={server.Options.SocketFolder}"], server.Options.LogFile);
        await byHand.WaitForExitAsync(TestContext.Current.CancellationToken);
        await node.RunAsync(spec);
    }

    [Fact]
    public async Task Who_holds_a_stopped_servers_folder_may_run_it_and_it_is_fenced_again_afterwards()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        await node.RunAsync(spec);
        var stopped = spec with { Desire = ClusterDesire.Stopped };
        node.Want(stopped);
        await node.SeeAsync(spec, ServerState.Stopped);
        var server = node.Host.ServerOf(spec);
        await using (await node.Host.HoldAsync(spec, CancellationToken.None))
        {
            await server.StartAsync(TestServer.Limit, CancellationToken.None);
            node.Want(stopped);
            Assert.Equal(1, await TestServer.AskAsync(server, "SELECT 1"));
        }
        await Eventually.TrueAsync(() => server.Pid is null && server.IsFenced, "that it is fenced again");
    }

    [Fact]
    public async Task A_removed_server_leaves_nothing()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        var removed = spec with { Desire = ClusterDesire.Removed };
        node.Want(removed);
        await node.SeeAsync(spec, ServerState.Removed);
        Assert.Null(server.Pid);
        Assert.Empty(Directory.EnumerateDirectories(node.Clusters));
        Assert.False(Directory.Exists(server.Options.SocketFolder));
        Assert.DoesNotContain(spec.Port, Listening.Ports());
        await node.RestartAsync();
        await node.SeeAsync(spec, ServerState.Removed);
        Assert.Empty(Directory.EnumerateDirectories(node.Clusters));
        node.Host.Apply([]);
        Assert.Empty(node.Host.Current());
    }

    [Fact]
    public async Task Data_that_are_gone_are_not_replaced_by_an_empty_cluster()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        node.Want(spec with { Desire = ClusterDesire.Stopped });
        await node.SeeAsync(spec, ServerState.Stopped);
        Directory.Delete(server.Options.DataFolder, recursive: true);
        node.Want(spec);
        var status = await node.SeeAsync(spec, ServerState.Failed);
        Assert.Contains("is gone, and an empty one is not made in its place", status.Words, StringComparison.Ordinal);
        Assert.False(Directory.Exists(server.Options.DataFolder));
    }

    [Fact]
    public async Task What_a_broken_off_making_left_is_no_cluster()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        DurableFiles.Real.Replace(Path.Combine(node.Clusters, spec.ServerId.ToString(), "data.new", "PG_VERSION"), "15\n");
        await node.RunAsync(spec);
        Assert.False(Directory.Exists(Path.Combine(node.Clusters, spec.ServerId.ToString(), "data.new")));
    }

    [Fact]
    public async Task A_version_that_is_not_installed_is_named()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with { Version = 99 };
        node.Want(spec);
        var status = await node.SeeAsync(spec, ServerState.Failed);
        Assert.Contains("install the package postgresql-99", status.Words, StringComparison.Ordinal);
        node.Want(spec with { Desire = ClusterDesire.Removed });
        await node.SeeAsync(spec, ServerState.Removed);
    }

    [Fact]
    public async Task Data_of_another_version_are_named_and_left_alone()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        node.Want(spec with { Desire = ClusterDesire.Stopped });
        await node.SeeAsync(spec, ServerState.Stopped);
        DurableFiles.Real.Replace(Path.Combine(server.Options.DataFolder, "PG_VERSION"), "13\n");
        node.Want(spec);
        var status = await node.SeeAsync(spec, ServerState.Failed);
        Assert.Contains("belongs to PostgreSQL 13", status.Words, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(server.Options.DataFolder, "base")));
    }

    [Fact]
    public async Task The_archive_is_kept_of_a_primary_that_has_one()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with { Archive = new(new("/nowhere"), TimeSpan.FromSeconds(10)) };
        await node.RunAsync(spec);
        Assert.NotNull(node.Archive.KeptOf(spec.ServerId));
        node.Want(spec with { Archive = null });
        await Eventually.TrueAsync(() => node.Archive.KeptOf(spec.ServerId) is null, "its end");
    }

    [Fact]
    public async Task Commits_wait_for_the_archive_in_rpo_0()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with { Archive = new(new("/nowhere"), TimeSpan.FromSeconds(10), IsSynchronous: true) };
        var server = await node.RunAsync(spec);
        Assert.Equal("FIRST 1 (crew_archive)", await TestServer.AskAsync(server, "SHOW synchronous_standby_names"));
    }

    [Fact]
    public async Task Tasks_that_are_old_or_cannot_be_read_are_refused()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        await node.RunAsync(spec);
        var old = new NodeTask($"cluster-{spec.ServerId}", ClusterSpec.TaskKind, 0, JsonSerializer.SerializeToElement(spec with { Desire = ClusterDesire.Removed }, Json.Options));
        var unreadable = new NodeTask("cluster-1", ClusterSpec.TaskKind, 1, JsonSerializer.SerializeToElement(new { name = 1 }));
        node.Host.Apply([old, unreadable]);
        Assert.Contains(node.Host.Current(), r => r.Key == "cluster-1" && r.Status.GetProperty("state").GetString() == "failed");
        Assert.NotNull(node.Host.Find(spec.ServerId)!.Server.Pid);
        Assert.Equal(ServerState.Ready, node.StatusOf(spec)!.State);
    }

    [Fact]
    public async Task A_full_disk_is_named_and_the_server_comes_back_when_there_is_room()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with { Databases = [], Roles = [], Settings = new Dictionary<string, string> { ["max_wal_size"] = "64MB", ["min_wal_size"] = "32MB" } };
        await node.MountAsync(spec, "250m");
        var server = await node.RunAsync(spec);
        await TestServer.AskAsync(server, "CREATE TABLE kept AS SELECT 7 AS n");
        var filler = Path.Combine(server.Options.DataFolder, "filler");
        await TestServer.Binaries.RunAsync("/bin/dd", ["if=/dev/zero", $"of={filler}", "bs=1M"], CancellationToken.None);
        await node.SeeAsync(spec, s => s.State == ServerState.Degraded && s.Words.Contains("there is no room left", StringComparison.Ordinal), "that the disk is full");
        // It is killed on the full disk; whether it can come up there depends on what it has to write.
        var before = server.Pid!.Value;
        ProcessSignals.Send(before, ProcessSignals.Kill);
        await node.SeeAsync(spec, s => s.State != ServerState.Ready && s.Pid != before && s.Words.Contains("there is no room left", StringComparison.Ordinal), "that the disk is still full");
        File.Delete(filler);
        await node.SeeAsync(spec, ServerState.Ready);
        Assert.Equal(7, await TestServer.AskAsync(server, "SELECT n FROM kept"));
    }

    [Fact]
    public async Task No_password_is_in_a_file_of_ours_a_log_a_statement_or_the_process_list()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with { Settings = new Dictionary<string, string> { ["log_statement"] = "all", ["max_connections"] = "30" } };
        var server = await node.RunAsync(spec);
        await using (await TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop"))
        {
        }
        var standby = TestNode.StandbyOf(spec);
        await node.RunAsync(standby);
        var secrets = node.Secrets.Values.Values.Select(s => Encoding.UTF8.GetBytes(s.Reveal())).ToList();
        var files = Directory.EnumerateFiles(node.Clusters, "*", SearchOption.AllDirectories).Where(f => !f.EndsWith("/pass/primary", StringComparison.Ordinal)).ToList();
        Assert.Contains(files, f => f.EndsWith("/secrets.sealed", StringComparison.Ordinal));
        foreach (var bytes in files.Select(File.ReadAllBytes))
            Assert.All(secrets, s => Assert.Equal(-1, bytes.AsSpan().IndexOf(s)));
        var seen = new StringBuilder();
        foreach (var pid in ServerProcess.All(server.Options.DataFolder))
            seen.Append(File.ReadAllText($"/proc/{pid}/cmdline")).Append(File.ReadAllText($"/proc/{pid}/environ"));
        seen.Append(await TestServer.AskAsync(server, "SELECT string_agg(query, ' ') FROM pg_stat_statements"));
        seen.Append(await TestServer.AskAsync(node.Host.Find(standby.ServerId)!.Server, "SHOW primary_conninfo"));
        seen.Append(JsonSerializer.Serialize(node.Host.Current(), Json.Options));
        var text = seen.ToString();
        Assert.Contains("passfile=", text, StringComparison.Ordinal);
        Assert.DoesNotContain("SCRAM-SHA-256$", text, StringComparison.Ordinal);
        Assert.All(node.Secrets.Values.Values, s => Assert.DoesNotContain(s.Reveal(), text, StringComparison.Ordinal));
        Assert.DoesNotContain("SCRAM-SHA-256$", ServerLog.EndOf(server.Options.LogFile), StringComparison.Ordinal);
        var pass = Path.Combine(node.Clusters, standby.ServerId.ToString(), "pass", "primary");
        Assert.Equal(DurableFiles.Private, File.GetUnixFileMode(pass));
    }
}
