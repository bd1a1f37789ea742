using System.Diagnostics;
using System.Net;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
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

    private static async Task EchoAsync(HttpContext context)
    {
        var count = new Counter();
        await context.Request.Body.CopyToAsync(count, context.RequestAborted);
        await context.Response.WriteAsync($"{context.Request.Method} {count.Count}");
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(p => File.Exists(Path.Combine(p, program))))
            Assert.Skip($"{program} is not here.");
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
