using Groundcrew.Bedrock;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>One data folder and the process on it, on a real PostgreSQL.</summary>
public sealed class PgServerTests
{
    [Fact]
    public async Task A_new_cluster_has_checksums_and_utf8_and_listens_on_its_socket_alone()
    {
        await using var test = await TestServer.RunAsync();
        Assert.Equal("on", await test.AskAsync("SHOW data_checksums"));
        Assert.Equal("UTF8", await test.AskAsync("SHOW server_encoding"));
        Assert.Equal("scram-sha-256", await test.AskAsync("SHOW password_encryption"));
        Assert.Equal("", await test.AskAsync("SHOW listen_addresses"));
        Assert.Equal(PgServer.Superuser, await test.AskAsync("SELECT current_user::text"));
        Assert.DoesNotContain(test.Server.Options.Port, Listening.Ports());
        // Not root, whoever we are.
        Assert.DoesNotContain("Uid:\t0\t", File.ReadAllText($"/proc/{test.Server.Pid}/status"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_object_finds_it_again_and_starting_twice_is_one_start()
    {
        await using var test = await TestServer.RunAsync();
        var again = new PgServer(TestServer.Binaries, test.Server.Options, TimeProvider.System);
        Assert.Equal(test.Server.Process, again.Process);
        await again.StartAsync(TestServer.Limit, CancellationToken.None);
        Assert.Equal(test.Server.Process, again.Process);
        await again.StopAsync(StopMode.Fast, TestServer.Limit, CancellationToken.None);
        Assert.Null(test.Server.Pid);
        await again.StopAsync(StopMode.Fast, TestServer.Limit, CancellationToken.None);
    }

    [Fact]
    public async Task After_kill_9_of_the_postmaster_it_starts_again_with_what_was_committed()
    {
        await using var test = await TestServer.RunAsync();
        await test.AskAsync("CREATE TABLE kept (n int)");
        await test.AskAsync("INSERT INTO kept VALUES (7)");
        await using var session = await test.Server.OpenAsync("postgres", CancellationToken.None);
        ProcessSignals.Send(test.Server.Pid!.Value, ProcessSignals.Kill);
        await Eventually.TrueAsync(() => test.Server.Pid is null, "its end");
        await test.Server.StartAsync(TestServer.Limit, CancellationToken.None);
        Assert.Equal(7, await test.AskAsync("SELECT n FROM kept"));
    }

    [Fact]
    public async Task A_pid_file_that_names_a_foreign_process_is_not_believed()
    {
        await using var test = await TestServer.RunAsync();
        await using var other = await TestServer.RunAsync();
        var file = Path.Combine(test.Server.Options.DataFolder, "postmaster.pid");
        var lines = File.ReadAllLines(file);
        await test.Server.StopAsync(StopMode.Immediate, TestServer.Limit, CancellationToken.None);
        lines[0] = other.Server.Pid!.Value.ToString();
        DurableFiles.Real.Replace(file, string.Join('\n', lines));
        Assert.Null(test.Server.Pid);
        await test.Server.StartAsync(TestServer.Limit, CancellationToken.None);
        Assert.NotEqual(other.Server.Pid, test.Server.Pid);
        Assert.NotNull(other.Server.Pid);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named()
    {
        await using var test = await TestServer.RunAsync();
        await test.Server.StopAsync(StopMode.Fast, TestServer.Limit, CancellationToken.None);
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, test.Server.Options.Port);
        taken.Start();
        test.Server.WriteSettings(new Dictionary<string, string>(TestServer.Small) { ["listen_addresses"] = "127.0.0.1" });
        var refused = await Assert.ThrowsAsync<JobFailedException>(() => test.Server.StartAsync(TestServer.Limit, CancellationToken.None));
        Assert.Contains("its port is taken by another program", refused.Message, StringComparison.Ordinal);
        Assert.Null(test.Server.Pid);
    }

    [Fact]
    public async Task A_data_folder_of_another_version_is_named_and_left_alone()
    {
        await using var test = await TestServer.RunAsync();
        await test.Server.StopAsync(StopMode.Fast, TestServer.Limit, CancellationToken.None);
        DurableFiles.Real.Replace(Path.Combine(test.Server.Options.DataFolder, "PG_VERSION"), "13\n");
        var refused = await Assert.ThrowsAsync<JobFailedException>(() => test.Server.StartAsync(TestServer.Limit, CancellationToken.None));
        Assert.Contains("belongs to PostgreSQL 13, and the server is version 15", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_cluster_is_made_over_something_else()
    {
        using var folder = TestServer.Folder();
        var server = TestServer.In(folder.Path);
        DurableFiles.Real.Replace(Path.Combine(server.Options.DataFolder, "precious"), "yes");
        await Assert.ThrowsAsync<JobFailedException>(() => server.InitAsync(CancellationToken.None));
        Assert.True(File.Exists(Path.Combine(server.Options.DataFolder, "precious")));
    }

    [Fact]
    public async Task A_folder_that_the_servers_user_cannot_reach_is_named()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root runs servers as another user");
        using var folder = new TempFolder();
        var refused = await Assert.ThrowsAsync<JobFailedException>(() => TestServer.In(folder.Path).InitAsync(CancellationToken.None));
        Assert.Contains($"cannot reach '{folder.Path}'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_that_is_cancelled_is_killed()
    {
        using var stop = new CancellationTokenSource();
        var running = TestServer.Binaries.RunAsync("/bin/sh", ["-c", "sleep 1000"], stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task A_tool_that_fails_is_quoted_and_its_output_is_bounded()
    {
        var failed = await Assert.ThrowsAsync<JobFailedException>(() => TestServer.Binaries.MustRunAsync("pg_controldata", ["/nowhere"], CancellationToken.None));
        Assert.Contains("pg_controldata failed", failed.Message, StringComparison.Ordinal);
        var much = await TestServer.Binaries.RunAsync("/bin/sh", ["-c", "yes | head -c 3000000; echo end"], CancellationToken.None);
        Assert.Equal(256 * 1024, much.Output.Length);
        Assert.EndsWith("end\n", much.Output, StringComparison.Ordinal);
    }
}
