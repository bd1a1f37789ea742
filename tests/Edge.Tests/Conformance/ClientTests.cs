using System.Text;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>What clients do, and what targets do at the worst moment.</summary>
public abstract class ClientTests(bool isDirect) : IDisposable
{
    private const string Host = "Host: app.example.org\r\n";
    private readonly TempFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Requests_that_come_together_are_answered_in_their_order()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync(string.Concat(Enumerable.Range(0, 20).Select(i => i % 3 == 0
            ? $"POST /{i} HTTP/1.1\r\n{Host}Content-Length: 4\r\n\r\nbody" : $"{(i % 3 == 1 ? "GET" : "DELETE")} /{i} HTTP/1.1\r\n{Host}\r\n")));
        for (var i = 0; i < 20; i++)
            Assert.EndsWith($" /{i}", (await client.AnswerAsync())!.Text, StringComparison.Ordinal);
        Assert.Equal(20, backend.Requests.Count);
        Assert.Equal(1, backend.Connections);
    }

    [Fact]
    public async Task A_connection_to_a_target_serves_many_requests_of_many_clients()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend);
        for (var i = 0; i < 10; i++)
        {
            using var client = await RawClient.ConnectAsync(edge.TrafficPort);
            Assert.Equal("GET /a", (await client.AskAsync($"GET /a HTTP/1.1\r\n{Host}\r\n")).Text);
            Assert.Equal(200, (await client.AskAsync($"HEAD /b HTTP/1.1\r\n{Host}\r\n", isHead: true)).Status);
            Assert.Equal("POST /c", (await client.AskAsync($"POST /c HTTP/1.1\r\n{Host}Content-Length: 4\r\n\r\nbody")).Text);
        }
        Assert.Equal(30, backend.Requests.Count);
        Assert.Equal(1, backend.Connections);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_while_it_waits_is_seen_by_the_target(bool isReset)
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var backend = new RawBackend(async (connection, _, stop) =>
        {
            asked.TrySetResult();
            await connection.Reader.EndsAsync(stop);
            left.TrySetResult();
            return false;
        });
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"GET / HTTP/1.1\r\n{Host}X-Request-Id: leaving\r\n\r\n");
        await asked.Task.WaitAsync(client.Stop);
        if (isReset)
            client.Reset();
        else
            client.EndSending();

        await left.Task.WaitAsync(client.Stop);
        Assert.Equal("client-left", await AccessFile.OutcomeAsync(_folder.Path, "leaving"));
        Assert.Single(backend.Heads);
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_of_an_answer_is_not_the_target_s_fault()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var backend = new RawBackend(async (connection, _, stop) =>
        {
            try
            {
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", stop);
                while (true)
                    await connection.SendAsync(new byte[16 * 1024], false, stop);
            }
            finally
            {
                left.TrySetResult();
            }
        });
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"GET / HTTP/1.1\r\n{Host}X-Request-Id: leaving\r\n\r\n");
        Assert.Equal(200, (await client.Reader.HeadAsync(client.Stop))!.Status);
        client.Reset();

        await left.Task.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
        Assert.Equal("client-left-midway", await AccessFile.OutcomeAsync(_folder.Path, "leaving"));
    }

    [Fact]
    public async Task The_first_words_of_HTTP_2_are_refused_where_it_is_not_spoken()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + $"GET / HTTP/1.1\r\n{Host}\r\n");
        while (!await client.EndsAsync())
            client.Reader.Skip();
        Assert.Empty(backend.Heads);
    }

    [Fact]
    public async Task An_upload_in_small_pieces_arrives_whole()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"POST / HTTP/1.1\r\n{Host}Content-Length: 2000\r\n\r\n");
        await client.SendAsync(new byte[2000], isByteByByte: true);
        Assert.Equal("POST /", (await client.AnswerAsync())!.Text);
        Assert.Equal(2000, Assert.Single(backend.Requests).Body.Length);
    }

    [Theory]
    [InlineData(false, 100_000)]
    [InlineData(true, 100_000)]
    [InlineData(false, 5_000_000)]
    [InlineData(true, 5_000_000)]
    public async Task An_answer_that_comes_before_the_upload_is_over_reaches_the_client(bool isClosing, int length)
    {
        await using var backend = new RawBackend(async (connection, head, stop) =>
        {
            await connection.SendAsync($"HTTP/1.1 413 Too Large\r\n{(isClosing ? "Connection: close\r\n" : "")}Content-Length: 5\r\n\r\nlarge", stop);
            if (isClosing)
                connection.EndSending();
            // As servers close: what comes is read away, so that no reset overtakes the answer.
            await connection.Reader.BodyAsync(head with { Fields = [] }, isToTheEnd: true, stop);
            return false;
        });
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"POST / HTTP/1.1\r\n{Host}X-Request-Id: early\r\nContent-Length: {length}\r\n\r\n");
        var sending = client.SendAsync(new byte[length]);
        var answer = await client.AnswerAsync();
        Assert.Equal((413, "large", true), (answer!.Status, answer.Text, answer.IsWhole));
        await sending;
        Assert.Equal("served", await AccessFile.OutcomeAsync(_folder.Path, "early"));
        Assert.Single(backend.Heads);
    }

    [Fact]
    public async Task A_client_that_asks_first_is_told_to_go_on()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"POST / HTTP/1.1\r\n{Host}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
        Assert.Equal(100, (await client.Reader.HeadAsync(client.Stop))!.Status);
        Assert.Equal("POST /", (await client.AskAsync("body")).Text);
        Assert.Equal("body", Assert.Single(backend.Requests).Text);
    }

    [Theory]
    [InlineData("GET", "", 200, 1)]
    [InlineData("DELETE", "", 200, 1)]
    [InlineData("POST", "body", 502, 1)]
    [InlineData("POST", "", 502, 1)]
    [InlineData("PATCH", "", 502, 1)]
    [InlineData("PUT", "body", 502, 1)]
    public async Task A_target_that_closes_its_connection_just_when_the_next_request_comes_gets_nothing_twice(string method, string body, int status, int more)
    {
        var (onUsed, onFresh) = (0, 0);
        RawBackend? backend = null;
        await using var made = backend = new RawBackend(async (connection, head, stop) =>
        {
            await backend!.BodyAsync(connection, head, stop);
            if (connection.Requests > 1)
            {
                onUsed++;
                return false;
            }
            onFresh++;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", stop);
            return true;
        });
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        Assert.Equal(200, (await client.AskAsync($"GET / HTTP/1.1\r\n{Host}\r\n")).Status);
        var second = await client.AskAsync($"{method} / HTTP/1.1\r\n{Host}{(body.Length > 0 ? $"Content-Length: {body.Length}\r\n" : "")}\r\n{body}");

        Assert.Equal((status, 1, status == 200 ? 1 + more : 1), (second.Status, onUsed, onFresh));
    }

    [Fact]
    public async Task A_web_socket_is_only_bytes_once_it_is_agreed()
    {
        await using var backend = new RawBackend(async (connection, head, stop) =>
        {
            Assert.Equal("websocket", head.Field("upgrade"));
            await connection.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello", stop);
            var echo = (await connection.Reader.BodyAsync(head with { Fields = [("content-length", "6")] }, false, stop)).Text;
            await connection.SendAsync(echo.ToUpperInvariant(), stop);
            return false;
        });
        await using var edge = await EdgeAsync(backend);
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        var answer = await client.AskAsync($"GET /ws HTTP/1.1\r\n{Host}X-Request-Id: socket\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        Assert.Equal((101, "websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), (answer.Status, answer.Field("upgrade"), answer.Field("sec-websocket-accept")));
        await client.SendAsync("GET / ");
        var all = await client.Reader.BodyAsync(answer with { Fields = [] }, isToTheEnd: true, client.Stop);
        Assert.Equal("helloGET / ", all.Text);
        Assert.Equal("served", await AccessFile.OutcomeAsync(_folder.Path, "socket"));
        Assert.Single(backend.Heads);
    }

    [Fact]
    public async Task A_client_that_sends_its_body_too_slowly_is_told_so()
    {
        await using var backend = RawBackend.Telling();
        await using var edge = await EdgeAsync(backend, idle: TimeSpan.FromSeconds(1));
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        var answer = await client.AskAsync($"POST / HTTP/1.1\r\n{Host}X-Request-Id: slow\r\nContent-Length: 10\r\n\r\nhalf");
        Assert.Equal(408, answer.Status);
        Assert.True(await client.EndsAsync());
        Assert.Equal("client-slow", await AccessFile.OutcomeAsync(_folder.Path, "slow"));
    }

    [Fact]
    public async Task A_client_that_takes_nothing_is_given_up_and_the_target_is_not_blamed()
    {
        await using var backend = new RawBackend(async (connection, _, stop) =>
        {
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", stop);
            while (true)
                await connection.SendAsync(new byte[64 * 1024], false, stop);
        });
        await using var edge = await EdgeAsync(backend, idle: TimeSpan.FromSeconds(1));
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        await client.SendAsync($"GET / HTTP/1.1\r\n{Host}X-Request-Id: slow\r\n\r\n");
        Assert.Equal("client-slow", await AccessFile.OutcomeAsync(_folder.Path, "slow"));
    }

    [Fact]
    public async Task A_target_that_takes_the_whole_body_and_says_nothing_is_given_up_in_time()
    {
        RawBackend? backend = null;
        await using var made = backend = new RawBackend(async (connection, head, stop) =>
        {
            await backend!.BodyAsync(connection, head, stop);
            return !await connection.Reader.EndsAsync(stop);
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route("app.example.org", backend.Target) with
        {
            Policy = RoutePolicy.Default with { Time = new TimeLimits { Response = TimeSpan.FromSeconds(1), Idle = TimeSpan.FromHours(1) } },
        }));
        using var client = await RawClient.ConnectAsync(edge.TrafficPort);
        var answer = await client.AskAsync($"POST / HTTP/1.1\r\n{Host}X-Request-Id: silent\r\nContent-Length: 4\r\n\r\nbody");
        Assert.Equal(504, answer.Status);
        Assert.Equal("target-timeout", await AccessFile.OutcomeAsync(_folder.Path, "silent"));
    }

    /// <summary>Whatever it does wrong, always: nobody at the port, a reset, or no HTTP.</summary>
    [Theory]
    [InlineData("nobody")]
    [InlineData("reset")]
    [InlineData("junk")]
    public async Task A_target_that_always_fails_is_left_alone_and_taken_again_once_it_is_well(string fault)
    {
        var isWell = false;
        await using var backend = new RawBackend(async (connection, _, stop) =>
        {
            if (isWell)
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", stop);
            else if (fault == "junk")
                await connection.SendAsync("no HTTP\r\n\r\n", stop);
            else
                connection.Reset();
            return isWell;
        });
        var policy = RoutePolicy.Default with
        {
            Retry = new RetryPolicy { Attempts = 1 },
            Breaker = new BreakerPolicy { Failures = 3, OpenFor = TimeSpan.FromMilliseconds(50), OpenAtMost = TimeSpan.FromMilliseconds(50) },
        };
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route("app.example.org", fault == "nobody" ? Dead() : backend.Target) with { Policy = policy }));
        for (var i = 0; i < 3; i++)
            Assert.Equal(502, (int)(await edge.GetAsync("app.example.org")).Status);
        await Eventually.TrueAsync(async () => (int)(await edge.GetAsync("app.example.org")).Status == 503, "the target is left alone");
        var asked = backend.Heads.Count;
        isWell = true;
        if (fault == "nobody")
            edge.Table.Apply(Of(2, Route("app.example.org", backend.Target) with { Policy = policy }));
        await Eventually.TrueAsync(async () => (int)(await edge.GetAsync("app.example.org")).Status == 200, "it is taken again");
        for (var i = 0; i < 5; i++)
            Assert.Equal(200, (int)(await edge.GetAsync("app.example.org")).Status);
        Assert.InRange(backend.Heads.Count, asked + 6, int.MaxValue);
    }

    [Fact]
    public async Task Chunks_reach_the_client_as_they_come()
    {
        using var next = new SemaphoreSlim(0);
        await using var backend = new RawBackend(async (connection, _, stop) =>
        {
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", stop);
            for (var i = 0; i < 5; i++)
            {
                await connection.SendAsync($"9\r\ndata: {i}\n\n\r\n", stop);
                await next.WaitAsync(stop);
            }
            await connection.SendAsync("0\r\n\r\n", stop);
            return true;
        });
        await using var edge = await EdgeAsync(backend);
        using var request = edge.Request(HttpMethod.Get, "app.example.org", "/");
        using var answer = await edge.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        await using var body = await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        var got = new byte[9];
        for (var i = 0; i < 5; i++)
        {
            await body.ReadExactlyAsync(got, TestContext.Current.CancellationToken);
            Assert.Equal($"data: {i}\n\n", Encoding.ASCII.GetString(got));
            next.Release();
        }
        Assert.Equal(0, await body.ReadAsync(got, TestContext.Current.CancellationToken));
    }

    private async Task<EdgeHost> EdgeAsync(RawBackend backend, TimeSpan? idle = null)
    {
        var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, idle is { } limit ? Route("app.example.org", backend.Target).Idling(limit) : Route("app.example.org", backend.Target)));
        return edge;
    }
}

/// <summary>On the direct path.</summary>
public sealed class ClientsOfTheDirectPathTests() : ClientTests(isDirect: true);

/// <summary>On the full path.</summary>
public sealed class ClientsOfTheFullPathTests() : ClientTests(isDirect: false);
