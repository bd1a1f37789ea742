using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>What a route's rules lay over the answers of its targets: caching and compression.</summary>
public abstract class AnswerRuleTests(bool isDirect) : IDisposable
{
    private const string Host = "Host: app.example.org\r\n";
    private static readonly string Words = string.Concat(Enumerable.Range(0, 400).Select(i => $"word {i}, "));
    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "public, max-age=31536000, s-maxage=60, immutable")]
    [InlineData("HEAD", "/assets/app.js", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "public, max-age=31536000, s-maxage=60, immutable")]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n", "public, max-age=31536000, s-maxage=60, immutable")]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n", "public, max-age=31536000, s-maxage=60, immutable")]
    [InlineData("GET", "/assets/mine/a", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "private, max-age=0")]
    [InlineData("GET", "/", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "max-age=3600")]
    [InlineData("GET", "/other", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", null)]
    [InlineData("POST", "/assets/app.js", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", null)]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n", null)]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 2\r\n", null)]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 200 OK\r\ncache-control: no-store\r\nContent-Length: 2\r\n", "no-store")]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 200 OK\r\nExpires: 0\r\nContent-Length: 2\r\n", null)]
    [InlineData("GET", "/assets/app.js", "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n", null)]
    public async Task Rules_say_how_long_an_answer_may_be_kept_where_the_target_does_not(string method, string path, string answer, string? expected)
    {
        await using var backend = RawBackend.Answering(answer + "\r\n" + (method == "HEAD" || answer.Contains("304", StringComparison.Ordinal) ? "" : "ok"));
        await using var edge = await EdgeAsync(backend.Target, RoutePolicy.Default with
        {
            Cache =
            [
                new CacheRule("/assets/mine/*", TimeSpan.Zero) { Scope = CacheScope.Private },
                new CacheRule("/assets/*", TimeSpan.FromDays(365)) { Scope = CacheScope.Public, SharedMaxAge = TimeSpan.FromMinutes(1), Immutable = true },
                new CacheRule("/", TimeSpan.FromHours(1)),
            ],
        });
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        var seen = await client.AskAsync($"{method} {path}?a=b HTTP/1.1\r\n{Host}{(method == "POST" ? "Content-Length: 0\r\n" : "")}\r\n", isHead: method == "HEAD");
        Assert.Equal(expected, seen.Field("cache-control"));
    }

    [Fact]
    public async Task An_answer_with_the_edge_s_own_cookie_is_not_made_one_to_keep()
    {
        await using var backend = RawBackend.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route("app.example.org", backend.Target) with
        {
            Split = [new Share("web-bbbbbbb-acme", 10, [])],
            Policy = RoutePolicy.Default with { Sticky = new StickyPolicy("v", TimeSpan.FromHours(1)), Cache = [new CacheRule("/*", TimeSpan.FromHours(1))] },
        }));
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        var first = await client.AskAsync($"GET / HTTP/1.1\r\n{Host}\r\n");
        var second = await client.AskAsync($"GET / HTTP/1.1\r\n{Host}Cookie: v=web-a7x9k2m-acme\r\n\r\n");
        Assert.Equal((true, null), (first.Field("set-cookie") is not null, first.Field("cache-control")));
        Assert.Equal((null, "max-age=3600"), (second.Field("set-cookie"), second.Field("cache-control")));
    }

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("gzip, deflate, br", "br")]
    [InlineData("br;q=0.5, gzip;q=0.9", "gzip")]
    [InlineData("*", "br")]
    [InlineData("identity;q=0, gzip", "gzip")]
    [InlineData("deflate", null)]
    [InlineData("gzip;q=0", null)]
    [InlineData(null, null)]
    public async Task An_answer_is_sent_in_the_coding_that_the_client_prefers(string? accepts, string? coding)
    {
        await using var backend = RawBackend.Answering($"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nETag: \"a\"\r\nAccept-Ranges: bytes\r\nContent-Length: {Words.Length}\r\n\r\n{Words}");
        await using var edge = await EdgeAsync(backend.Target, RoutePolicy.Default with { Compression = new CompressionPolicy() });
        using var request = edge.Request(HttpMethod.Get, "app.example.org", "/");
        if (accepts is not null)
            request.Headers.TryAddWithoutValidation("Accept-Encoding", accepts);
        request.Headers.TryAddWithoutValidation("X-Request-Id", "coded");
        using var answer = await edge.Client.SendAsync(request, Stop);
        var bytes = await answer.Content.ReadAsByteArrayAsync(Stop);

        Assert.Equal(coding, answer.Content.Headers.ContentEncoding.SingleOrDefault());
        Assert.Equal(Words, Decoded(bytes, coding));
        Assert.Equal("Accept-Encoding", answer.Headers.Vary.Single());
        Assert.Equal((coding is not null, coding is null, coding is null ? (long?)Words.Length : null),
            (answer.Headers.ETag!.IsWeak, answer.Headers.AcceptRanges.Contains("bytes"), answer.Content.Headers.NonValidated.Contains("Content-Length") ? answer.Content.Headers.ContentLength : null));
        Assert.Equal(bytes.Length, (await AccessFile.RecordAsync(_folder.Path, "coded")).GetProperty("bytes").GetInt64());
    }

    [Theory]
    [InlineData("GET", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n")]
    [InlineData("GET", "HTTP/1.1 200 OK\r\n")]
    [InlineData("GET", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")]
    [InlineData("GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: zstd\r\n")]
    [InlineData("GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=1, no-transform\r\n")]
    [InlineData("GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nRepr-Digest: sha-256=:AAAA:\r\n")]
    [InlineData("GET", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Type: text/plain\r\n")]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n")]
    public async Task What_is_no_text_or_may_not_change_is_sent_as_it_came(string method, string head)
    {
        await using var backend = RawBackend.Answering($"{head}ETag: \"a\"\r\nContent-Length: {Words.Length}\r\n\r\n{(method == "HEAD" ? "" : Words)}");
        await using var edge = await EdgeAsync(backend.Target, RoutePolicy.Default with { Compression = new CompressionPolicy() });
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        var answer = await client.AskAsync($"{method} / HTTP/1.1\r\n{Host}Accept-Encoding: gzip, br\r\n\r\n", isHead: method == "HEAD");
        Assert.Equal(method == "HEAD" ? "" : Words, answer.Text);
        Assert.Equal(("\"a\"", $"{Words.Length}"), (answer.Field("etag"), answer.Field("content-length")));
        Assert.Equal(head.Contains("zstd", StringComparison.Ordinal) ? "zstd" : null, answer.Field("content-encoding"));
    }

    [Fact]
    public async Task A_small_answer_stays_as_it_is_and_an_empty_one_has_no_coding()
    {
        await using var backend = new RawBackend(async (connection, head, stop) =>
        {
            var body = head.Start.Contains("small", StringComparison.Ordinal) ? "small" : "";
            await connection.SendAsync(head.Start.Contains("none", StringComparison.Ordinal)
                ? "HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n" : $"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\n\r\n{body}", stop);
            return true;
        });
        await using var edge = await EdgeAsync(backend.Target, RoutePolicy.Default with { Compression = new CompressionPolicy { LeastBytes = 0 } });
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        const string accepts = "Accept-Encoding: gzip\r\n";
        Assert.Equal((200, null, ""), Seen(await client.AskAsync($"GET /empty HTTP/1.1\r\n{Host}{accepts}\r\n")));
        Assert.Equal((204, null, ""), Seen(await client.AskAsync($"GET /none HTTP/1.1\r\n{Host}{accepts}\r\n")));
        Assert.Equal("gzip", (await client.AskAsync($"GET /small HTTP/1.1\r\n{Host}{accepts}\r\n")).Field("content-encoding"));
        edge.Table.Apply(Of(2, Route("app.example.org", backend.Target) with { Policy = RoutePolicy.Default with { Compression = new CompressionPolicy() } }));
        Assert.Equal((200, null, "small"), Seen(await client.AskAsync($"GET /small HTTP/1.1\r\n{Host}{accepts}\r\n")));

        static (int, string?, string) Seen(WireMessage answer) => (answer.Status, answer.Field("content-encoding"), answer.Text);
    }

    /// <summary>Each piece must be there before the next is sent, though the coding would rather wait for more.</summary>
    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task Pieces_of_an_answer_without_a_length_reach_the_client_as_they_come(string coding)
    {
        using var next = new SemaphoreSlim(0);
        await using var backend = new RawBackend(async (connection, _, stop) =>
        {
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n", stop);
            for (var i = 0; i < 5; i++)
            {
                await connection.SendAsync($"8\r\n{{\"a\":{i}}}\n\r\n", stop);
                await next.WaitAsync(stop);
            }
            await connection.SendAsync("0\r\n\r\n", stop);
            return true;
        });
        await using var edge = await EdgeAsync(backend.Target, RoutePolicy.Default with { Compression = new CompressionPolicy() });
        using var request = edge.Request(HttpMethod.Get, "app.example.org", "/");
        request.Headers.TryAddWithoutValidation("Accept-Encoding", coding);
        using var answer = await edge.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        await using var body = await answer.Content.ReadAsStreamAsync(Stop);
        await using Stream text = coding == "br" ? new BrotliStream(body, CompressionMode.Decompress) : new GZipStream(body, CompressionMode.Decompress);
        var got = new byte[8];
        for (var i = 0; i < 5; i++)
        {
            await text.ReadExactlyAsync(got, Stop);
            Assert.Equal($"{{\"a\":{i}}}\n", Encoding.ASCII.GetString(got));
            next.Release();
        }
        Assert.Equal(0, await text.ReadAsync(got, Stop));
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_not_given_an_end()
    {
        await using var backend = new RawBackend(async (connection, _, stop) =>
        {
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n{Words.Length:x}\r\n{Words}\r\n", stop);
            return false;
        });
        await using var edge = await EdgeAsync(backend.Target, RoutePolicy.Default with { Compression = new CompressionPolicy() });
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"GET / HTTP/1.1\r\n{Host}Accept-Encoding: gzip\r\nX-Request-Id: cut\r\n\r\n");
        // With the connection, what was on its way may be lost too.
        Assert.False(await client.AnswerAsync() is { Status: 200, IsWhole: true });
        Assert.Equal("target-cut", await AccessFile.OutcomeAsync(_folder.Path, "cut"));
    }

    [Fact]
    public async Task A_large_answer_is_compressed_on_its_way_for_many_at_once()
    {
        var line = Encoding.ASCII.GetBytes(Words);
        await using var instance = await Instance.StartAsync(async c =>
        {
            c.Response.ContentType = "application/json";
            for (var i = 0; i < 500; i++)
                await c.Response.Body.WriteAsync(line, c.RequestAborted);
        });
        await using var edge = await EdgeAsync(instance.Target, RoutePolicy.Default with { Compression = new CompressionPolicy() });
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            using var request = edge.Request(HttpMethod.Get, "app.example.org", "/");
            request.Headers.TryAddWithoutValidation("Accept-Encoding", i % 2 == 0 ? "gzip" : "br");
            using var answer = await edge.Client.SendAsync(request, Stop);
            var bytes = await answer.Content.ReadAsByteArrayAsync(Stop);
            Assert.Equal(500 * Words.Length, Decoded(bytes, i % 2 == 0 ? "gzip" : "br").Length);
            Assert.InRange(bytes.Length, 1, 100 * Words.Length);
        }));
    }

    [Fact]
    public async Task Curl_reads_what_was_compressed_over_HTTP_1_and_2()
    {
        await using var instance = await Instance.StartAsync(c =>
        {
            c.Response.ContentType = "text/css";
            return c.Response.WriteAsync(Words);
        });
        foreach (var version in (string[])["--http1.1", "--http2-prior-knowledge"])
        {
            await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect, protocols: version == "--http1.1" ? HttpProtocols.Http1 : HttpProtocols.Http2);
            edge.Table.Apply(Of(1, Route("127.0.0.1", instance.Target) with { Policy = RoutePolicy.Default with { Compression = new CompressionPolicy() } }));
            var start = new ProcessStartInfo("curl", ["-sS", version, "--compressed", "-w", "|%{http_code} %{header_json}", $"http://127.0.0.1:{edge.TrafficPort}/a.css"]) { RedirectStandardOutput = true, UseShellExecute = false };
            using var curl = Process.Start(start)!;
            var said = await curl.StandardOutput.ReadToEndAsync(Stop);
            Assert.StartsWith(Words + "|200 ", said, StringComparison.Ordinal);
            Assert.Contains("\"content-encoding\":[\"", said, StringComparison.Ordinal);
            await curl.WaitForExitAsync(Stop);
        }
    }

    private static string Decoded(byte[] bytes, string? coding)
    {
        using var stream = new MemoryStream(bytes);
        using Stream decoded = coding switch { "gzip" => new GZipStream(stream, CompressionMode.Decompress), "br" => new BrotliStream(stream, CompressionMode.Decompress), _ => stream };
        using var reader = new StreamReader(decoded, Encoding.ASCII);
        return reader.ReadToEnd();
    }

    private async Task<EdgeHost> EdgeAsync(Target target, RoutePolicy policy)
    {
        var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect, protocols: HttpProtocols.Http1);
        Assert.IsType<ApplyOutcome.Applied>(edge.Table.Apply(Of(1, Route("app.example.org", target) with { Policy = policy })));
        return edge;
    }
}

/// <summary>On the direct path.</summary>
public sealed class AnswerRulesOnTheDirectPathTests() : AnswerRuleTests(isDirect: true);

/// <summary>On the full path.</summary>
public sealed class AnswerRulesOnTheFullPathTests() : AnswerRuleTests(isDirect: false);
