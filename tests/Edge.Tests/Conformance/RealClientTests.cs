using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>Clients that others wrote, and HTTP/2 on either side.</summary>
public abstract class RealClientTests(bool isDirect) : IDisposable
{
    private const string Address = "127.0.0.1";
    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Curl_speaks_HTTP_1()
    {
        await using var instance = await Instance.StartAsync(EchoAsync);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http1AndHttp2);
        var url = $"http://{Address}:{edge.TrafficPort}/a";
        File.WriteAllBytes(_folder["big"], new byte[3_000_000]);

        Assert.Equal("GET 0|200 1.1\nGET 0|200 1.1\n", await RunAsync("curl", "-sS", "--http1.1", "-w", "|%{http_code} %{http_version}\\n", url, url));
        Assert.Equal("POST 4|200", await RunAsync("curl", "-sS", "--http1.1", "-d", "body", "-w", "|%{http_code}", url));
        Assert.Equal("PUT 3000000|200", await RunAsync("curl", "-sS", "--http1.1", "-T", _folder["big"], "-w", "|%{http_code}", url));
        Assert.Equal("POST 3000000|200", await RunAsync("curl", "-sS", "--http1.1", "-H", "Transfer-Encoding: chunked", "--data-binary", "@" + _folder["big"], "-w", "|%{http_code}", url));
        Assert.Contains("HTTP/1.1 200 OK", await RunAsync("curl", "-sS", "--http1.1", "-I", url), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Curl_speaks_HTTP_2_to_a_target_of_either_version()
    {
        await using var one = await Instance.StartAsync(EchoAsync);
        await using var two = await Instance.StartAsync(EchoAsync, protocols: HttpProtocols.Http2);
        await using var edge = await EdgeAsync(one, HttpProtocols.Http2, (two, TargetProtocol.Http2));
        var url = $"http://{Address}:{edge.TrafficPort}";

        Assert.Equal("POST 4|200 2", await RunAsync("curl", "-sS", "--http2-prior-knowledge", "-d", "body", "-w", "|%{http_code} %{http_version}", url + "/a"));
        Assert.Equal("POST 4|200 2", await RunAsync("curl", "-sS", "--http2-prior-knowledge", "-d", "body", "-w", "|%{http_code} %{http_version}", url + "/two"));
        Assert.Contains("GET 0", await RunAsync("nghttp", url + "/a"), StringComparison.Ordinal);
        Assert.Contains("200 succeeded", await RunAsync("h2load", "-n", "200", "-c", "4", "-m", "10", url + "/two"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_of_HTTP_2_alone_serves_nobody_else()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect, protocols: HttpProtocols.Http2);
        edge.Table.Apply(Of(1, Route(Address, backend.Target)));
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: {Address}\r\n\r\n");
        while (!await client.EndsAsync())
            client.Reader.Skip();
        Assert.Empty(backend.Heads);
    }

    [Fact]
    public async Task A_target_of_HTTP_2_is_spoken_to_in_HTTP_2_by_clients_of_HTTP_1()
    {
        await using var instance = await Instance.StartAsync(EchoAsync, protocols: HttpProtocols.Http2);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http1AndHttp2, (instance, TargetProtocol.Http2));
        Assert.Equal("GET 0", await RunAsync("curl", "-sS", "--http1.1", $"http://{Address}:{edge.TrafficPort}/two"));
        Assert.Equal("POST 4", await RunAsync("curl", "-sS", "--http1.1", "-d", "body", $"http://{Address}:{edge.TrafficPort}/two"));
    }

    [Fact]
    public async Task Python_keeps_one_connection_for_everything()
    {
        await using var instance = await Instance.StartAsync(EchoAsync);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http1AndHttp2);
        var said = await RunAsync("python3", "-c", $"""
            import http.client
            c = http.client.HTTPConnection("{Address}", {edge.TrafficPort}, timeout=30)
            def ask(*a, **k):
                c.request(*a, **k)
                r = c.getresponse()
                print(r.status, r.read().decode(), c.sock is not None)
            ask("GET", "/a")
            ask("POST", "/a", body=b"body")
            ask("POST", "/a", body=iter([b"one", b"two"]), encode_chunked=True)
            ask("HEAD", "/a")
            ask("GET", "/a")
            """);
        Assert.Equal(["200 GET 0 True", "200 POST 4 True", "200 POST 6 True", "200  True", "200 GET 0 True"], said.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Trailers_of_a_call_arrive_over_HTTP_2()
    {
        await using var instance = await Instance.StartAsync(async c =>
        {
            Assert.Equal("trailers", c.Request.Headers.TE);
            c.Response.ContentType = "application/grpc";
            await c.Request.Body.CopyToAsync(c.Response.Body, c.RequestAborted);
            c.Response.AppendTrailer("grpc-status", "0");
        }, protocols: HttpProtocols.Http2);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http2, (instance, TargetProtocol.Http2));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{Address}:{edge.TrafficPort}/two")
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new StringContent("frame"), Headers = { { "TE", "trailers" } },
        };
        using var answer = await edge.Client.SendAsync(request, Stop);
        Assert.Equal("frame", await answer.Content.ReadAsStringAsync(Stop));
        Assert.Equal(["0"], answer.TrailingHeaders.GetValues("grpc-status"));
    }

    /// <summary>As gRPC says that a call failed at once: all is in the head and the trailers, and no body between them.</summary>
    [Fact]
    public async Task A_call_that_fails_at_once_says_so_without_a_body()
    {
        await using var instance = await Instance.StartAsync(async c =>
        {
            // Read first: the answer of an instance that ends the stream without it may be lost on the way to a busy edge.
            await c.Request.Body.CopyToAsync(Stream.Null, c.RequestAborted);
            c.Response.ContentType = "application/grpc";
            c.Response.Headers["grpc-status"] = "12";
        }, protocols: HttpProtocols.Http2);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http2, (instance, TargetProtocol.Http2));
        using var request = CallOf(edge, new StringContent("frame"));
        using var answer = await edge.Client.SendAsync(request, Stop);
        Assert.True(answer.Headers.Contains("grpc-status"), $"{answer} {await answer.Content.ReadAsStringAsync(Stop)}");
        Assert.Equal(["12"], answer.Headers.GetValues("grpc-status"));
        Assert.Equal("", await answer.Content.ReadAsStringAsync(Stop));
    }

    /// <summary>Each side says its next word only after it heard the other's, and the trailers come after all of them.</summary>
    [Fact]
    public async Task A_call_in_both_directions_is_carried_word_by_word()
    {
        await using var instance = await Instance.StartAsync(async c =>
        {
            c.Response.ContentType = "application/grpc";
            var word = new byte[4];
            for (var i = 0; i < 5; i++)
            {
                await c.Request.Body.ReadExactlyAsync(word, c.RequestAborted);
                await c.Response.Body.WriteAsync(word, c.RequestAborted);
                await c.Response.Body.FlushAsync(c.RequestAborted);
            }
            Assert.Equal(0, await c.Request.Body.ReadAsync(word, c.RequestAborted));
            c.Response.AppendTrailer("grpc-status", "0");
            c.Response.AppendTrailer("grpc-message", "well");
        }, protocols: HttpProtocols.Http2);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http2, (instance, TargetProtocol.Http2));
        using var heard = new SemaphoreSlim(1);
        using var said = new SaidContent(async stream =>
        {
            for (var i = 0; i < 5; i++)
            {
                await heard.WaitAsync(Stop);
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"say{i}"), Stop);
                await stream.FlushAsync(Stop);
            }
        });
        // It is by this that the forwarder sends each word on at once.
        said.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var request = CallOf(edge, said);
        using var answer = await edge.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        await using var body = await answer.Content.ReadAsStreamAsync(Stop);
        var word = new byte[4];
        for (var i = 0; i < 5; i++)
        {
            await body.ReadExactlyAsync(word, Stop);
            Assert.Equal($"say{i}", Encoding.ASCII.GetString(word));
            heard.Release();
        }
        Assert.Equal(0, await body.ReadAsync(word, Stop));
        Assert.Equal(["0"], answer.TrailingHeaders.GetValues("grpc-status"));
        Assert.Equal(["well"], answer.TrailingHeaders.GetValues("grpc-message"));
    }

    /// <summary>What shows that the time has passed is an upload of another kind, begun later, that is cut for being as slow.</summary>
    [Fact]
    public async Task A_call_may_be_silent_for_longer_than_an_upload()
    {
        await using var instance = await Instance.StartAsync(async c =>
        {
            c.Features.Get<IHttpMinRequestBodyDataRateFeature>()!.MinDataRate = null;
            c.Response.ContentType = c.Request.ContentType;
            await c.Response.WriteAsync("all is ", c.RequestAborted);
            await c.Response.Body.FlushAsync(c.RequestAborted);
            await c.Request.Body.CopyToAsync(c.Response.Body, c.RequestAborted);
        }, protocols: HttpProtocols.Http2);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http2, (instance, TargetProtocol.Http2));
        var (speak, never) = (new TaskCompletionSource(), new TaskCompletionSource());
        using var request = CallOf(edge, new SaidContent(async stream =>
        {
            await stream.FlushAsync(Stop);
            await speak.Task;
            await stream.WriteAsync("well"u8.ToArray(), Stop);
        }));
        request.Content!.Headers.ContentType = new("application/grpc");
        using var answer = await edge.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        using var upload = CallOf(edge, new SaidContent(async stream =>
        {
            await stream.FlushAsync(Stop);
            await never.Task.WaitAsync(Stop);
        }));
        upload.Content!.Headers.ContentType = new("text/plain");
        // On a connection of its own, which ends with it.
        using var uploader = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using var cut = await uploader.SendAsync(upload, Stop);
            Assert.NotEqual(HttpStatusCode.OK, cut.StatusCode);
            throw new HttpRequestException("It was cut with an answer.");
        });
        never.SetResult();
        speak.SetResult();
        Assert.Equal("all is well", await answer.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task Python_speaks_over_a_web_socket()
    {
        await using var instance = await Instance.StartAsync(async c =>
        {
            using var socket = await c.WebSockets.AcceptWebSocketAsync(c.WebSockets.WebSocketRequestedProtocols.FirstOrDefault());
            var buffer = new byte[256 * 1024];
            while (await ReceiveAsync(socket, buffer, c.RequestAborted) is var (type, length) && type != WebSocketMessageType.Close)
                await socket.SendAsync(buffer.AsMemory(0, length), type, endOfMessage: true, c.RequestAborted);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "well", c.RequestAborted);
        }, webSockets: true);
        await using var edge = await EdgeAsync(instance, HttpProtocols.Http1);
        var said = await RunAsync("/usr/bin/python3", "-c", $"""
            import asyncio, websockets
            async def main():
                async with websockets.connect("ws://{Address}:{edge.TrafficPort}/socket", subprotocols=["talk"]) as s:
                    print(s.subprotocol)
                    await s.send("hello")
                    print(await s.recv())
                    await s.send(b"x" * 200000)
                    print(len(await s.recv()))
                    await (await s.ping())
                    print("pong")
                print(s.close_code, s.close_reason)
            asyncio.run(main())
            """);
        Assert.Equal(["talk", "hello", "200000", "pong", "1000 well"], said.TrimEnd().Split('\n'));
    }

    private static async Task<(WebSocketMessageType Type, int Length)> ReceiveAsync(WebSocket socket, byte[] buffer, CancellationToken stop)
    {
        var length = 0;
        while (true)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(length), stop);
            length += got.Count;
            if (got.EndOfMessage)
                return (got.MessageType, length);
        }
    }

    private static HttpRequestMessage CallOf(EdgeHost edge, HttpContent content) => new(HttpMethod.Post, $"http://{Address}:{edge.TrafficPort}/two")
    {
        Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = content, Headers = { { "TE", "trailers" } },
    };

    /// <summary>A body that is written as it is said.</summary>
    private sealed class SaidContent(Func<Stream, Task> say) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => say(stream);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    private static async Task EchoAsync(HttpContext context)
    {
        var count = new Counter();
        await context.Request.Body.CopyToAsync(count, context.RequestAborted);
        await context.Response.WriteAsync($"{context.Request.Method} {count.Count}");
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var error = process.StandardError.ReadToEndAsync(Stop);
        var said = await process.StandardOutput.ReadToEndAsync(Stop);
        await process.WaitForExitAsync(Stop);
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {said} {await error}");
        return said;
    }

    private async Task<EdgeHost> EdgeAsync(Instance instance, HttpProtocols protocols, params (Instance Of, TargetProtocol Protocol)[] more)
    {
        var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect, protocols: protocols);
        Assert.IsType<ApplyOutcome.Applied>(edge.Table.Apply(Of(1,
            [Route(Address, instance.Target), .. more.Select(m => Route(Address, m.Of.Target) with { Path = "/two", Policy = RoutePolicy.Default with { Protocol = m.Protocol } })])));
        return edge;
    }
}

/// <summary>On the direct path.</summary>
public sealed class RealClientsOfTheDirectPathTests() : RealClientTests(isDirect: true);

/// <summary>On the full path.</summary>
public sealed class RealClientsOfTheFullPathTests() : RealClientTests(isDirect: false);
