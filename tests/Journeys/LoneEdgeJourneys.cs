using System.Net;
using System.Net.Sockets;
using System.Text;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>What happens to an edge that has nobody, and to one whose machine has run out of something.</summary>
public sealed class LoneEdgeJourneys
{
    private const int Inside = 120;
    private const int Waiting = 20;
    private const string Postponed = "groundcrew_edge_accepts_postponed_total";

    [Fact]
    public async Task An_edge_with_its_table_on_disk_needs_nobody_for_its_whole_life()
    {
        await using var edge = await LoneEdge.MakeAsync();
        await edge.StartAsync();
        for (var life = 0; life < 2; life++)
        {
            await using var load = Load.Start(edge.Port, LoneEdge.Host, "/", connections: 8);
            await Eventually.TrueAsync(() => load.Sent > 500, "traffic flows");
            await load.StopWithoutFailureAsync($"an edge alone, life {life + 1}");
            Assert.Contains("\"status\":\"healthy\"", await edge.StatusAsync("health"), StringComparison.Ordinal);
            await edge.KillAsync();
            await edge.StartAsync();
        }
    }

    /// <summary>Its limit is lowered below what it has open: how many files a runtime opens by itself is not the test's to guess.</summary>
    [Fact]
    public async Task An_edge_without_descriptors_lets_clients_wait_says_so_and_serves_on()
    {
        await using var edge = await LoneEdge.MakeAsync();
        await edge.StartAsync();
        Assert.Equal(200, (await edge.GetAsync()).Status);
        List<Socket> inside = [], waiting = [];
        try
        {
            var before = edge.OpenFiles;
            for (var i = 0; i < Inside; i++)
                inside.Add(await ConnectAsync(edge.Port));
            await Eventually.TrueAsync(() => edge.OpenFiles >= before + Inside - Waiting, "they are in");
            // The status door is asked over a connection that is open from here on.
            Assert.Equal(0, await edge.MetricAsync(Postponed));
            var limit = edge.OpenFiles - Waiting;
            Expect.Ok(await CrewProgram.RunAsync("prlimit", ["--pid", $"{edge.Pid}", $"--nofile={limit}:{limit}"]));

            for (var i = 0; i < Waiting; i++)
                waiting.Add(await ConnectAsync(edge.Port));
            await Eventually.TrueAsync(async () => await edge.MetricAsync(Postponed) > 5, "it has no room for more");
            await Eventually.TrueAsync(() => edge.Said.Contains("edge-no-room", StringComparison.Ordinal), "it says so");
            // One that asked again at once would count hundreds of thousands in a second.
            Assert.InRange(await edge.MetricAsync(Postponed), 5, 5000);
            // Who is in is answered, with what there is.
            foreach (var client in inside.Take(5))
                Assert.Contains(await AskAsync(client), (int[])[200, 503]);
            Assert.Equal(0, await edge.MetricAsync("groundcrew_edge_ejections_total"));
            Assert.Equal(0, await edge.MetricAsync("groundcrew_edge_outcomes_total{org=\"acme\",project=\"lone\",deployment=\"lone-1\",outcome=\"target-unreachable\"}"));

            inside.ForEach(c => c.Dispose());
            foreach (var client in waiting)
                await Eventually.TrueAsync(async () => await AskAsync(client) == 200, "one that waited is answered");
            Assert.True(edge.IsAlive);
            Assert.Equal(200, (await edge.GetAsync()).Status);
        }
        finally
        {
            inside.ForEach(c => c.Dispose());
            waiting.ForEach(c => c.Dispose());
        }
    }

    [Fact]
    public async Task An_edge_whose_disk_is_full_serves_on_counts_what_it_could_not_write_and_recovers()
    {
        await using var edge = await LoneEdge.MakeAsync();
        await using var small = await Mount.SmallAsync(edge.State);
        await edge.StartAsync();
        var path = "/" + new string('a', 2000);
        // Each record is about two thousand bytes, and there is one megabyte.
        var sent = 0;
        await Eventually.TrueAsync(async () =>
        {
            for (var i = 0; i < 100; i++, sent++)
                Assert.Equal(200, (await edge.GetAsync(path)).Status);
            return await edge.MetricAsync("groundcrew_edge_access_records_dropped_total") > 0;
        }, "records are dropped");
        var health = await edge.StatusAsync("health");
        Assert.Contains("\"status\":\"degraded\"", health, StringComparison.Ordinal);
        Assert.Equal(200, (await edge.GetAsync(path)).Status);
        await Eventually.TrueAsync(() => edge.Said.Contains("edge-access-log-failed", StringComparison.Ordinal), "it says so");

        Expect.Ok(await CrewProgram.RunAsync("mount", ["-o", "remount,size=16m", edge.State]));
        await Eventually.TrueAsync(async () =>
        {
            Assert.Equal(200, (await edge.GetAsync("/after")).Status);
            return (await edge.StatusAsync("health"))!.Contains("Records are written.", StringComparison.Ordinal);
        }, "it writes again");
        var (written, dropped) = (0, (int)await edge.MetricAsync("groundcrew_edge_access_records_dropped_total"));
        await Eventually.TrueAsync(() => (written = Lines(Path.Combine(edge.State, "access.log")).Count(l => l.EndsWith('}') && l.Contains(path, StringComparison.Ordinal))) > 0
            && Lines(Path.Combine(edge.State, "access.log")).Any(l => l.Contains("/after", StringComparison.Ordinal)), "the log goes on");
        // A batch that was written in part counts as dropped, and some of its records may be there all the same.
        Assert.InRange(written + dropped, sent + 1, sent + 1 + 100);
        Console.WriteLine($"journey: a full disk: {sent} requests, {written} records, {dropped} dropped");
    }

    private static List<string> Lines(string path)
    {
        using var file = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return [.. file.ReadToEnd().Split('\n')];
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        return socket;
    }

    /// <summary>A request whose answer fits into one piece.</summary>
    private static async Task<int> AskAsync(Socket client)
    {
        await client.SendAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {LoneEdge.Host}\r\n\r\n"));
        var answer = new byte[4096];
        var length = await client.ReceiveAsync(answer).WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
        return int.Parse(Encoding.ASCII.GetString(answer, 0, length).Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
