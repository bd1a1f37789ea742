using System.Net;
using System.Net.Sockets;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>HTTP/2 without TLS beside HTTP/1.1 on one port.</summary>
public sealed class PriorKnowledgeTests : IDisposable
{
    private const string Address = "127.0.0.1";
    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Clients_of_either_version_are_served_on_one_port()
    {
        await using var instance = await Instance.StartAsync(c => c.Response.WriteAsync($"{c.Request.Method} {c.Request.Headers["X-Forwarded-Proto"]} {c.Request.Headers["X-Forwarded-For"]}"));
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        edge.Table.Apply(Of(1, Route(Address, instance.Target)));
        var url = $"http://{Address}:{edge.TrafficPort}/";

        Assert.Equal("GET http 127.0.0.1|2\n", await Programs.SayAsync("", "curl", "-sS", "--http2-prior-knowledge", "-w", "|%{http_version}\\n", url));
        Assert.Equal("GET http 127.0.0.1|1.1\n", await Programs.SayAsync("", "curl", "-sS", "--http1.1", "-w", "|%{http_version}\\n", url));
        Assert.Equal("POST http 127.0.0.1|2\n", await Programs.SayAsync("", "curl", "-sS", "--http2-prior-knowledge", "-d", "body", "-w", "|%{http_version}\\n", url));
        Assert.Contains("GET http 127.0.0.1", await Programs.SayAsync("", "nghttp", url), StringComparison.Ordinal);
        Assert.Contains("500 succeeded, 0 failed", await Programs.SayAsync("", "h2load", "-n", "500", "-c", "5", "-m", "20", url), StringComparison.Ordinal);
        using var request = new HttpRequestMessage(HttpMethod.Get, url) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await edge.Client.SendAsync(request, Stop);
        Assert.Equal((HttpVersion.Version20, "GET http 127.0.0.1"), (answer.Version, await answer.Content.ReadAsStringAsync(Stop)));
        await Eventually.TrueAsync(() => edge.Metric("groundcrew_edge_requests_in_flight") == 0, "nothing is in flight any more");
    }

    [Fact]
    public async Task A_preface_may_come_byte_by_byte_and_what_only_resembles_one_is_judged_as_HTTP_1()
    {
        await using var instance = await Instance.SayingAsync("ok");
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        edge.Table.Apply(Of(1, Route(Address, instance.Target)));

        using (var slow = await OpenAsync(edge.TrafficPort))
        {
            // The preface and empty settings; what comes back are settings.
            foreach (var one in (byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0])
                await slow.SendAsync(new[] { one }, Stop);
            var head = new byte[9];
            await new NetworkStream(slow).ReadExactlyAsync(head, Stop);
            Assert.Equal(4, head[3]);
        }
        using (var other = await Client.OpenAsync(edge.TrafficPort))
        {
            await other.SendAsync("P");
            await other.SendAsync($"ROPFIND / HTTP/1.1\r\nHost: {Address}\r\nConnection: close\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 200", await other.UntilAsync("\r\n\r\n"), StringComparison.Ordinal);
        }
        using (var odd = await Client.OpenAsync(edge.TrafficPort))
        {
            await odd.SendAsync("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
            await Assert.ThrowsAsync<IOException>(() => odd.UntilAsync("200"));
        }
    }

    [Fact]
    public async Task After_a_request_of_HTTP_1_a_connection_stays_with_it()
    {
        await using var instance = await Instance.SayingAsync("ok");
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        edge.Table.Apply(Of(1, Route(Address, instance.Target)));
        using var client = await Client.OpenAsync(edge.TrafficPort);
        await client.GetAsync(Address, keep: true);
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        await Assert.ThrowsAsync<IOException>(() => client.UntilAsync("200"));
        Assert.Equal(1, instance.Seen);
    }

    [Fact]
    public async Task The_edge_stops_although_clients_stay_connected()
    {
        await using var instance = await Instance.SayingAsync("ok");
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        edge.Table.Apply(Of(1, Route(Address, instance.Target)));
        using var client = TlsClients.At(edge.TrafficPort);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Address}/") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await edge.StopAsync().WaitAsync(Eventually.Limit, Stop);
    }

    private static async Task<Socket> OpenAsync(int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, Stop);
        return socket;
    }
}
