using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>The same as <see cref="TakeoverTests"/> for ports with TLS and connections of HTTP/2.</summary>
public sealed class SecureTakeoverTests : IDisposable
{
    private const string Host = "app.example.org";
    private readonly TempFolder _folder = new();
    private readonly Stranger _process = new();
    private readonly TestAuthority _authority = new();
    private readonly int _port = FreePort.Next();
    private readonly int _tlsPort = FreePort.Next();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _process.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task What_is_in_flight_ends_where_it_began_and_new_connections_get_the_certificates_of_the_disk()
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var slow = await Instance.StartAsync(async c =>
        {
            await c.Response.WriteAsync("begin ", c.RequestAborted);
            await c.Response.Body.FlushAsync(c.RequestAborted);
            await finish.Task;
            await c.Response.WriteAsync("end", c.RequestAborted);
        });
        await using var socket = await Instance.StartAsync(EchoAsync, webSockets: true);
        await using var old = await TakingHost.StartAsync(_folder.Path, _port, tlsPort: _tlsPort);
        old.Table.Apply(Of(1, Route(Host, slow.Target), Route("socket.example.org", socket.Target)));
        old.Certificates.Serve(1, _authority.Issue("*.example.org"), "*.example.org");

        using var one = await Client.OpenTlsAsync(_tlsPort, Host);
        await one.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\n\r\n");
        await one.UntilAsync("begin ");
        using var secure = TlsClients.At(_tlsPort);
        using var plain = TlsClients.At(_port);
        var (two, prior) = (await BeginAsync(secure, $"https://{Host}/"), await BeginAsync(plain, $"http://{Host}/"));
        using var chat = new ClientWebSocket();
        chat.Options.HttpVersion = HttpVersion.Version11;
        using var upgrading = new HttpMessageInvoker(Handler(_tlsPort));
        await chat.ConnectAsync(new Uri("wss://socket.example.org/"), upgrading, Stop);
        Assert.Equal("one", await EchoedAsync(chat, "one"));

        await using var next = await TakingHost.StartAsync(_folder.Path, _port, _process.Identity, tlsPort: _tlsPort);
        Assert.Null(next.Refusal);
        Assert.Equal(1, next.Certificates.State.Serving);
        await next.Handover.HearReplacedAsync(Stop);
        Assert.Equal("two", await EchoedAsync(chat, "two"));
        Assert.False(old.Drained.IsCompleted);
        // A second request of the same clients comes to the new edge: they were told to go.
        await Eventually.TrueAsync(async () => (await StateAsync()) is { Requests: 4, Upgraded: 1 }, "the old edge has all four");
        finish.SetResult();
        await one.UntilAsync("end");
        Assert.Equal("begin end", await new StreamReader(two).ReadToEndAsync(Stop));
        Assert.Equal("begin end", await new StreamReader(prior).ReadToEndAsync(Stop));
        Assert.Equal("begin end", await (await secure.GetAsync(new Uri($"https://{Host}/"), Stop)).Content.ReadAsStringAsync(Stop));

        await Eventually.TrueAsync(async () => (await StateAsync()) is { Requests: 1, Upgraded: 1 }, "the old edge has the WebSocket alone");
        Assert.Equal("three", await EchoedAsync(chat, "three"));
        await chat.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Stop);
        await old.Drained.WaitAsync(Eventually.Limit, Stop);
    }

    [Fact]
    public async Task No_request_fails_while_traffic_of_every_kind_goes_on()
    {
        await using var instance = await Instance.StartAsync(async c =>
        {
            await c.Response.Body.FlushAsync(c.RequestAborted);
            await c.Response.WriteAsync("ok", c.RequestAborted);
        });
        await using var old = await TakingHost.StartAsync(_folder.Path, _port, tlsPort: _tlsPort);
        old.Table.Apply(Of(1, Route(Host, instance.Target)));
        old.Certificates.Serve(1, _authority.Issue(Host), Host);
        using var stop = new CancellationTokenSource();
        var failures = new ConcurrentQueue<string>();
        var kinds = new Dictionary<string, Func<Task>>(StringComparer.Ordinal)
        {
            ["HTTP/1.1 over TLS, kept"] = async () =>
            {
                using var client = await Client.OpenTlsAsync(_tlsPort, Host);
                var stays = true;
                while (stays && !stop.IsCancellationRequested)
                    stays = await client.GetAsync(Host, keep: true);
            },
            ["HTTP/1.1 over TLS, new"] = async () =>
            {
                using var client = await Client.OpenTlsAsync(_tlsPort, Host);
                await client.GetAsync(Host, keep: false);
            },
            ["HTTP/2 over TLS"] = () => ManyAsync(_tlsPort, $"https://{Host}/", stop.Token),
            ["HTTP/2"] = () => ManyAsync(_port, $"http://{Host}/", stop.Token),
        };
        var done = kinds.Keys.ToDictionary(k => k, _ => new Tally(), StringComparer.Ordinal);
        var load = kinds.Select(kind => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await kind.Value();
                    done[kind.Key].Add();
                }
                catch (Exception e)
                {
                    failures.Enqueue($"{kind.Key}: {e.Message} {e.InnerException?.Message}");
                }
            }
        }, Stop)).ToList();
        await Eventually.TrueAsync(() => instance.Seen > 300, "traffic flows");

        await using var next = await TakingHost.StartAsync(_folder.Path, _port, _process.Identity, tlsPort: _tlsPort);
        await next.Handover.HearReplacedAsync(Stop);
        await old.Drained.WaitAsync(Eventually.Limit, Stop);
        var (seen, before) = (instance.Seen, done.ToDictionary(d => d.Key, d => d.Value.Count, StringComparer.Ordinal));
        await Eventually.TrueAsync(() => instance.Seen > seen + 300 && done["HTTP/1.1 over TLS, new"].Count > before["HTTP/1.1 over TLS, new"], "traffic flows on");
        await stop.CancelAsync();
        await Task.WhenAll(load);
        Assert.Empty(failures);
        Assert.All(done.Values, d => Assert.True(d.Count > 0));
    }

    /// <summary>Requests at once and one after another on connections that the client keeps, each of which must be answered.</summary>
    private static async Task ManyAsync(int port, string url, CancellationToken stop)
    {
        using var client = TlsClients.At(port);
        for (var i = 0; i < 50 && !stop.IsCancellationRequested; i++)
            await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, url) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
                using var answer = await client.SendAsync(request, Stop);
                Assert.Equal("ok", await answer.Content.ReadAsStringAsync(Stop));
            }));
    }

    private static async Task<Stream> BeginAsync(HttpClient client, string url)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        Assert.Equal(HttpVersion.Version20, answer.Version);
        return await answer.Content.ReadAsStreamAsync(Stop);
    }

    private async Task<ReplacedEdge?> StateAsync() => (await EdgeHandover.AskAsync(_folder.Path, Stop))?.Replaced.SingleOrDefault();

    private static async Task<string> EchoedAsync(WebSocket socket, string text)
    {
        await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, Stop);
        var buffer = new byte[100];
        var got = await socket.ReceiveAsync(buffer, Stop).WaitAsync(Eventually.Limit, Stop);
        return System.Text.Encoding.ASCII.GetString(buffer.AsSpan(0, got.Count));
    }

    private static async Task EchoAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[100];
        while (await socket.ReceiveAsync(buffer, context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } got)
            await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, context.RequestAborted);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
    }

    private static SocketsHttpHandler Handler(int port) => TlsClients.HandlerAt(port, null);

    private sealed class Tally
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public void Add() => Interlocked.Increment(ref _count);
    }
}
