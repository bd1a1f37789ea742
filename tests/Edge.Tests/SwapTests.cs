using System.Collections.Concurrent;
using System.Net;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

public sealed class SwapTests : IDisposable
{
    private const string Host = "app.example.org";
    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Tables_swap_under_load_without_one_failed_request_and_the_old_instance_stops_once_drained()
    {
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        var current = await Instance.SayingAsync("ok");
        var generation = 1L;
        edge.Table.Apply(Of(generation, Route(Host, current.Target)));
        using var done = new CancellationTokenSource();
        var served = 0;
        var failures = new ConcurrentQueue<string>();
        var clients = Enumerable.Range(0, 24).Select(i => Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                using var request = edge.Request(i % 2 == 0 ? HttpMethod.Get : HttpMethod.Post, Host, "/", i % 2 == 0 ? null : new StringContent("x"));
                using var response = await edge.Client.SendAsync(request, Stop);
                if (response.StatusCode != HttpStatusCode.OK)
                    failures.Enqueue($"{response.StatusCode}: {await response.Content.ReadAsStringAsync(Stop)}");
                Interlocked.Increment(ref served);
            }
        }, Stop)).ToList();

        for (var swap = 0; swap < 8; swap++)
        {
            var next = await Instance.SayingAsync("ok");
            edge.Table.Apply(Of(++generation, Route(Host, next.Target)));
            var id = current.Id;
            await Eventually.TrueAsync(() => edge.Table.Status().Draining.All(d => d.InstanceId != id), "the old instance drained");
            // Killed, not asked to stop: nothing may be on its way to it any more.
            await current.DisposeAsync();
            current = next;
            var seen = Volatile.Read(ref served);
            await Eventually.TrueAsync(() => Volatile.Read(ref served) > seen + 100, "traffic goes on");
        }
        await done.CancelAsync();
        await Task.WhenAll(clients);
        await current.DisposeAsync();

        Assert.Empty(failures);
        Assert.True(served > 800);
        Assert.Equal(0, edge.Metric("groundcrew_edge_retries_total"));
    }

    [Fact]
    public async Task A_long_request_holds_its_instance_until_the_last_byte()
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var old = await Instance.StartAsync(async c =>
        {
            await c.Response.WriteAsync("begin ", c.RequestAborted);
            await finish.Task;
            await c.Response.WriteAsync("end", c.RequestAborted);
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        edge.Table.Apply(Of(1, Route(Host, old.Target)));
        using var request = edge.Request(HttpMethod.Get, Host, "/");
        using var response = await edge.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        edge.Table.Apply(Of(2));

        Assert.Equal([new DrainingTarget(old.Id, old.Target.Address, 1, 0)], edge.Table.Status().Draining);
        var changed = edge.Table.Changed.Next;
        finish.SetResult();
        Assert.Equal("begin end", await response.Content.ReadAsStringAsync(Stop));
        await changed.WaitAsync(Eventually.Limit, Stop);
        Assert.Empty(edge.Table.Status().Draining);
    }
}
