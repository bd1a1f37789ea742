using System.Collections.Concurrent;
using System.Net.Sockets;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>One edge takes the sockets of another over: nothing is refused, reset or cut.</summary>
public sealed class TakeoverTests : IDisposable
{
    private const string Host = "app.example.org";
    private readonly TempFolder _folder = new();
    private readonly Stranger _first = new();
    private readonly Stranger _second = new();
    private readonly int _port = FreePort.Next();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _folder.Dispose();
    }

    /// <summary>
    /// Once only: in one process a third edge may be given a descriptor with the number of one that an earlier edge closed
    /// while others hold its socket, which epoll(7) takes for the same. A process of its own takes over once and leaves
    /// once; the journeys restart many times.
    /// </summary>
    [Fact]
    public async Task No_connection_is_refused_or_reset_while_an_edge_is_replaced_at_full_speed()
    {
        await using var instance = await Instance.SayingAsync("ok");
        var edges = new List<TakingHost> { await TakingHost.StartAsync(_folder.Path, _port) };
        edges[0].Table.Apply(Of(1, Route(Host, instance.Target)));
        using var done = new CancellationTokenSource();
        var served = 0;
        var failures = new ConcurrentQueue<string>();
        // Half of them open a connection for each request, half keep theirs until they are told not to.
        var clients = Enumerable.Range(0, 12).Select(i => Task.Run(async () =>
        {
            Client? client = null;
            while (!done.IsCancellationRequested)
            {
                try
                {
                    client ??= await Client.OpenAsync(_port);
                    var stays = await client.GetAsync(Host, keep: i % 2 == 0);
                    Interlocked.Increment(ref served);
                    if (stays)
                        continue;
                }
                catch (Exception e) when (e is IOException or SocketException)
                {
                    failures.Enqueue($"{e.GetType().Name}: {e.Message}");
                }
                client?.Dispose();
                client = null;
            }
            client?.Dispose();
        }, Stop)).ToList();

        await Eventually.TrueAsync(() => Volatile.Read(ref served) > 200, "traffic flows");
        var next = await TakingHost.StartAsync(_folder.Path, _port, _first.Identity);
        Assert.Null(next.Refusal);
        edges.Add(next);
        await edges[0].Drained;
        await edges[0].DisposeAsync();
        var last = Volatile.Read(ref served);
        await Eventually.TrueAsync(() => Volatile.Read(ref served) > last + 200, "traffic flows through the last one");
        await done.CancelAsync();
        await Task.WhenAll(clients);
        await edges[^1].DisposeAsync();

        Assert.Empty(failures);
    }

    [Fact]
    public async Task The_shared_socket_is_left_as_it_was_when_the_old_edge_lets_go()
    {
        await using var old = await TakingHost.StartAsync(_folder.Path, _port);
        await using var next = await TakingHost.StartAsync(_folder.Path, _port, _first.Identity);
        await old.Drained;
        Assert.Empty(old.Listeners.Held);
        await old.DisposeAsync();

        var (endpoint, handle) = Assert.Single(next.Listeners.Held);
        Assert.Equal($"127.0.0.1:{_port}", endpoint);
        using var shared = new Socket(new SafeSocketHandle(handle.DangerousGetHandle(), ownsHandle: false));
        // Connections inherit it, and would end with a reset.
        Assert.False(shared.LingerState!.Enabled);
        Assert.NotEqual(0, (int)shared.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.AcceptConnection)!);
    }

    [Fact]
    public async Task A_new_edge_that_dies_before_it_is_ready_leaves_the_old_one_serving_and_taking_tables()
    {
        await using var instance = await Instance.SayingAsync("ok");
        await using var old = await TakingHost.StartAsync(_folder.Path, _port);
        old.Table.Apply(Of(1, Route(Host, instance.Target)));
        var dying = await TakingHost.TakeAsync(_folder.Path, _port, _first.Identity);
        Assert.Null(dying.Refusal);
        var applying = Task.Run(() => old.Table.Apply(Of(2, Route(Host, instance.Target))), Stop);
        // It holds the sockets too, and accepts nothing: every request reaches the old one.
        for (var i = 0; i < 20; i++)
            await GetAsync();
        Assert.False(applying.IsCompleted);
        await dying.DisposeAsync();

        Assert.Equal(new ApplyOutcome.Applied(2), await applying);
        for (var i = 0; i < 20; i++)
            await GetAsync();
        Assert.False(old.Handover.Left.IsCompleted);
        // And it can be replaced by the next one.
        await using var next = await TakingHost.StartAsync(_folder.Path, _port, _second.Identity);
        Assert.Null(next.Refusal);
        Assert.Equal(2, next.Table.Current!.Generation);
        await GetAsync();
        await old.Drained;
    }

    [Fact]
    public async Task A_new_edge_that_is_too_slow_is_told_so_and_the_old_one_serves_on()
    {
        await using var instance = await Instance.SayingAsync("ok");
        await using var old = await TakingHost.StartAsync(_folder.Path, _port, change: o => o with { TakeOverWithin = TimeSpan.FromMilliseconds(300) });
        old.Table.Apply(Of(1, Route(Host, instance.Target)));
        await using var slow = await TakingHost.TakeAsync(_folder.Path, _port, _first.Identity);
        Assert.Null(slow.Refusal);
        Assert.Equal(new ApplyOutcome.Applied(2), await Task.Run(() => old.Table.Apply(Of(2, Route(Host, instance.Target))), Stop));
        await slow.BeginAsync();

        Assert.StartsWith("the edge that serves here", slow.Refusal, StringComparison.Ordinal);
        await slow.DisposeAsync();
        await GetAsync();
        Assert.False(old.Handover.Left.IsCompleted);
    }

    [Fact]
    public async Task Only_one_edge_takes_over_at_a_time()
    {
        await using var old = await TakingHost.StartAsync(_folder.Path, _port);
        await using var one = await TakingHost.TakeAsync(_folder.Path, _port, _first.Identity);
        await using var other = await TakingHost.TakeAsync(_folder.Path, _port, _second.Identity);

        Assert.Null(one.Refusal);
        Assert.Contains("taking over already", other.Refusal, StringComparison.Ordinal);
        await one.BeginAsync();
        Assert.Null(one.Refusal);
    }

    [Fact]
    public async Task A_slow_response_and_an_upgraded_connection_end_where_they_began()
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var slow = await Instance.StartAsync(async c =>
        {
            await c.Response.WriteAsync("begin ", c.RequestAborted);
            await finish.Task;
            await c.Response.WriteAsync("end", c.RequestAborted);
        });
        await using var echo = await Echo.StartAsync();
        await using var old = await TakingHost.StartAsync(_folder.Path, _port);
        old.Table.Apply(Of(1, Route(Host, slow.Target), Route("echo.example.org", echo.Target)));
        using var reading = await Client.OpenAsync(_port);
        await reading.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\n\r\n");
        await reading.UntilAsync("begin ");
        using var upgraded = await Client.OpenAsync(_port);
        await upgraded.SendAsync("GET / HTTP/1.1\r\nHost: echo.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        await upgraded.UntilAsync("\r\n\r\n");

        await using var next = await TakingHost.StartAsync(_folder.Path, _port, _first.Identity);
        await next.Handover.HearReplacedAsync(Stop);
        await upgraded.SendAsync("one");
        await upgraded.UntilAsync("one");
        Assert.Equal((2, 2, 1), await ReplacedAsync());
        next.Table.Apply(Of(2));
        await Eventually.TrueAsync(() => next.Table.Status().Draining.Sum(d => d.InFlight) == 2, "the table knows the requests of the old edge");
        Assert.Equal(1, next.Table.Status().Draining.Single(d => d.InstanceId == echo.Id).Upgraded);

        finish.SetResult();
        await reading.UntilAsync("end");
        await Eventually.TrueAsync(() => next.Table.Status().Draining.Select(d => d.InstanceId).SequenceEqual([echo.Id]), "the slow instance is drained");
        Assert.False(old.Drained.IsCompleted);
        await upgraded.SendAsync("two");
        await upgraded.UntilAsync("two");
        upgraded.Dispose();
        await old.Drained;
        await Eventually.TrueAsync(() => next.Table.Status().Draining.Count == 0, "nothing drains any more");
        Assert.True(Assert.Single((await EdgeHandover.AskAsync(_folder.Path, Stop))!.Replaced).IsGone);
    }

    [Fact]
    public async Task An_upgraded_connection_is_cut_when_its_time_is_over()
    {
        await using var echo = await Echo.StartAsync();
        await using var old = await TakingHost.StartAsync(_folder.Path, _port, change: o => o with { LeaveUpgradesAfter = TimeSpan.FromMilliseconds(500) });
        old.Table.Apply(Of(1, Route(Host, echo.Target)));
        using var upgraded = await Client.OpenAsync(_port);
        await upgraded.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        await upgraded.UntilAsync("\r\n\r\n");
        await using var next = await TakingHost.StartAsync(_folder.Path, _port, _first.Identity);

        await old.Drained;
        await Assert.ThrowsAnyAsync<Exception>(() => upgraded.UntilAsync("never"));
    }

    private async Task<(int Began, int Requests, int Upgraded)> ReplacedAsync()
    {
        var edge = Assert.Single((await EdgeHandover.AskAsync(_folder.Path, Stop))!.Replaced);
        return (edge.Began, edge.Requests, edge.Upgraded);
    }

    private async Task GetAsync()
    {
        using var client = await Client.OpenAsync(_port);
        await client.GetAsync(Host, keep: false);
    }
}
