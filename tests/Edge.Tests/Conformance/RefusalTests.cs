using System.Diagnostics;
using System.Text.Json;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>What the server under the edge refuses by itself is recorded once, with its outcome, whichever path it began on.</summary>
public abstract class RefusalTests(bool isDirect) : IDisposable
{
    private const string Host = "Host: app.example.org\r\n";
    private readonly TempFolder _folder = new();

    public static TheoryData<string, string, int> Refused => new()
    {
        { "no request line", "GET\r\n\r\n", 400 },
        { "no version", $"GET / HTTP/9.9\r\n{Host}\r\n", 505 },
        { "a name of two words", $"GET / HTTP/1.1\r\n{Host}A b: c\r\n\r\n", 400 },
        { "no host", "GET /without HTTP/1.1\r\n\r\n", 400 },
        { "two hosts", $"GET /two HTTP/1.1\r\n{Host}{Host}\r\n", 400 },
        { "a long line", $"GET /{new string('a', 20_000)} HTTP/1.1\r\n{Host}\r\n", 414 },
        { "large fields", $"GET / HTTP/1.1\r\n{Host}A: {new string('a', 40_000)}\r\n\r\n", 431 },
        { "many fields", $"GET / HTTP/1.1\r\n{Host}{string.Concat(Enumerable.Range(0, 200).Select(i => $"A{i}: b\r\n"))}\r\n", 431 },
        { "a length that is none", $"POST /length HTTP/1.1\r\n{Host}Content-Length: x\r\n\r\n", 400 },
        { "a body of no length", $"POST /length HTTP/1.0\r\n{Host}\r\n", 400 },
        { "a coding that is none", $"POST /coding HTTP/1.1\r\n{Host}Transfer-Encoding: gzip\r\n\r\n", 400 },
        { "two framings", $"POST /coding HTTP/1.1\r\n{Host}Transfer-Encoding: chunked, chunked\r\n\r\n", 400 },
        { "a tunnel", $"CONNECT app.example.org:443 HTTP/1.1\r\nHost: app.example.org:443\r\n\r\n", 405 },
    };

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_request_that_cannot_be_read_is_recorded_with_its_status_and_its_client(string what, string request, int status)
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend.Target);
        using (var client = await RawClient.ConnectAsync(edge.TrafficPort))
        {
            // The first one is well, and has a record of its own.
            Assert.Equal(200, (await client.AskAsync($"GET /first HTTP/1.1\r\n{Host}\r\n")).Status);
            Assert.Equal((what, status), (what, (await client.AskAsync(request)).Status));
        }
        var record = await AccessFile.WithOutcomeAsync(_folder.Path, "client-bad");
        Assert.Equal((status, "127.0.0.1"), (record.GetProperty("status").GetInt32(), record.GetProperty("client").GetString()));
        Assert.InRange(record.GetProperty("time").GetDateTimeOffset(), TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow().AddMinutes(5));
        Assert.Equal(1, edge.Metric("groundcrew_edge_outcomes_total{org=\"\",project=\"\",deployment=\"\",outcome=\"client-bad\"}"));
        Assert.Equal(["client-bad", "served"], await OutcomesAsync(edge));
    }

    [Fact]
    public async Task Over_HTTP_2_large_fields_are_recorded_too()
    {
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect, protocols: HttpProtocols.Http2);
        // Of the clients here only curl sends more than the server said that it takes.
        using var curl = Process.Start(new ProcessStartInfo(
            "curl",
            ["-sS", "--http2-prior-knowledge", "-w", "%{http_code}", "-H", $"A: {new string('a', 20_000)}", "-H", $"B: {new string('b', 20_000)}", $"http://127.0.0.1:{edge.TrafficPort}/"])
        {
            UseShellExecute = false, RedirectStandardOutput = true,
        })!;
        Assert.Equal("431", await curl.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        await curl.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(431, (await AccessFile.WithOutcomeAsync(_folder.Path, "client-bad")).GetProperty("status").GetInt32());
        Assert.Equal(["client-bad"], await OutcomesAsync(edge));
    }

    [Fact]
    public async Task A_head_that_breaks_off_is_recorded()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend.Target);
        using (var client = await RawClient.ConnectAsync(edge.TrafficPort))
        {
            await client.SendAsync($"GET /half HTTP/1.1\r\nHost: app.exa");
            client.EndSending();
            while (!await client.EndsAsync())
                client.Reader.Skip();
        }
        Assert.Equal(400, (await AccessFile.WithOutcomeAsync(_folder.Path, "client-bad")).GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task A_head_that_does_not_come_is_recorded_as_slow()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend.Target);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        Assert.Equal(408, (await client.AskAsync("GET /half HTTP/1.1\r\nHost: app.exa")).Status);
        Assert.Equal(408, (await AccessFile.WithOutcomeAsync(_folder.Path, "client-slow")).GetProperty("status").GetInt32());
        Assert.Equal(["client-slow"], await OutcomesAsync(edge));
    }

    [Fact]
    public async Task A_body_that_cannot_be_read_has_one_record()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend.Target);
        using (var client = await RawClient.ConnectAsync(edge.TrafficPort))
            Assert.Equal(400, (await client.AskAsync($"POST /junk HTTP/1.1\r\n{Host}Transfer-Encoding: chunked\r\n\r\nnot a size\r\n")).Status);
        await AccessFile.WithOutcomeAsync(_folder.Path, "client-bad");
        Assert.Equal(["client-bad"], await OutcomesAsync(edge));
    }

    /// <summary>The rest of a body that nobody wanted is read away after the answer; what is wrong with it is no second request.</summary>
    [Fact]
    public async Task A_body_that_is_wrong_after_its_request_was_answered_has_one_record()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend.Target);
        using (var client = await RawClient.ConnectAsync(edge.TrafficPort))
        {
            Assert.Equal(404, (await client.AskAsync("POST /nobody HTTP/1.1\r\nHost: nobody.example\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n")).Status);
            Assert.True(await client.EndsAsync());
        }
        Assert.Equal(["no-route"], await OutcomesAsync(edge));
    }

    [Fact]
    public async Task A_connection_that_sends_nothing_is_no_request()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend.Target);
        using (var client = await RawClient.ConnectAsync(edge.TrafficPort))
        {
            client.EndSending();
            Assert.True(await client.EndsAsync());
        }
        Assert.Empty(await OutcomesAsync(edge));
    }

    [Fact]
    public async Task What_the_status_port_refuses_is_no_traffic()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend.Target);
        using (var client = await RawClient.ConnectAsync(edge.StatusPort))
            Assert.Equal(400, (await client.AskAsync("GET\r\n\r\n")).Status);
        Assert.Empty(await OutcomesAsync(edge));
    }

    private async Task<EdgeHost> EdgeAsync(Target target)
    {
        var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect, protocols: HttpProtocols.Http1);
        edge.Table.Apply(Of(1, Route("app.example.org", target)));
        return edge;
    }

    /// <summary>The outcomes of all records, once the edge has stopped and written them.</summary>
    private async Task<List<string>> OutcomesAsync(EdgeHost edge)
    {
        await edge.StopAsync();
        var path = _folder["access.log"];
        return !File.Exists(path) ? [] : [.. File.ReadAllLines(path).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("outcome").GetString()!).Order(StringComparer.Ordinal)];
    }
}

/// <summary>On the direct path.</summary>
public sealed class RefusalsOnTheDirectPathTests() : RefusalTests(isDirect: true);

/// <summary>On the full path.</summary>
public sealed class RefusalsOnTheFullPathTests() : RefusalTests(isDirect: false);
