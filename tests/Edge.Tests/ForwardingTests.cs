using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>What holds on both paths.</summary>
public abstract class ForwardingTests(bool isDirect) : IDisposable
{
    private const string Host = "app.example.org";
    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task A_dead_instance_costs_the_client_nothing_whatever_the_method(string method)
    {
        await using var alive = await Instance.StartAsync(async c =>
        {
            using var reader = new StreamReader(c.Request.Body);
            await c.Response.WriteAsync("got " + await reader.ReadToEndAsync(c.RequestAborted));
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, Dead(), alive.Target, Dead())));

        for (var i = 0; i < 20; i++)
        {
            using var request = edge.Request(new HttpMethod(method), Host, "/", method == "POST" ? new StringContent("body") : null);
            using var response = await edge.Client.SendAsync(request, Stop);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(method == "POST" ? "got body" : "got ", await response.Content.ReadAsStringAsync(Stop));
        }
        Assert.True(edge.Metric("groundcrew_edge_retries_total") > 0);
        Assert.True(edge.Metric("groundcrew_edge_ejections_total") > 0);
    }

    [Fact]
    public async Task When_no_instance_can_be_reached_the_answer_is_502()
    {
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, Dead(), Dead(), Dead(), Dead())));

        var (status, body) = await edge.GetAsync(Host);
        Assert.Equal(HttpStatusCode.BadGateway, status);
        Assert.Contains("instance", body, StringComparison.Ordinal);
        Assert.Equal(2, edge.Metric("groundcrew_edge_retries_total"));
    }

    [Theory]
    [InlineData("POST", "body", 1)]
    [InlineData("POST", null, 1)]
    [InlineData("PUT", "body", 1)]
    [InlineData("GET", null, 2)]
    [InlineData("DELETE", null, 2)]
    public async Task A_request_that_reached_an_instance_is_offered_again_only_when_that_cannot_do_a_thing_twice(string method, string? body, int seen)
    {
        RequestDelegate dying = async c =>
        {
            await c.Request.Body.CopyToAsync(Stream.Null, c.RequestAborted);
            c.Abort();
        };
        await using var one = await Instance.StartAsync(dying);
        await using var two = await Instance.StartAsync(dying);
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, one.Target, two.Target)));

        using var request = edge.Request(new HttpMethod(method), Host, "/", body is null ? null : new StringContent(body));
        using var response = await edge.Client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(seen, one.Seen + two.Seen);
    }

    [Fact]
    public async Task An_instance_that_says_nothing_for_too_long_is_given_up_with_504()
    {
        await using var silent = await Instance.StartAsync(async c => await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, c.RequestAborted));
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, silent.Target).Idling(TimeSpan.FromMilliseconds(300))));

        Assert.Equal(HttpStatusCode.GatewayTimeout, (await edge.GetAsync(Host)).Status);
        Assert.Equal(1, silent.Seen);
        edge.Table.Apply(Of(2));
        Assert.Empty(edge.Table.Status().Draining);
    }

    [Fact]
    public async Task A_connection_that_does_not_open_in_time_goes_to_the_next_instance()
    {
        // A listener whose backlog is full takes no further connection: the connect neither fails nor ends.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var endpoint = full.LocalEndPoint!;
        var fillers = Enumerable.Range(0, 4).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false }).ToList();
        foreach (var filler in fillers)
            Assert.Throws<SocketException>(() => filler.Connect(endpoint));
        await using var alive = await Instance.SayingAsync("alive");
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, new Target(Ids.New(TimeProvider.System), endpoint.ToString()!, "local"), alive.Target) with
        {
            Policy = RoutePolicy.Default with { Time = new TimeLimits { Connect = TimeSpan.FromMilliseconds(300) } },
        }));

        await Eventually.TrueAsync(async () =>
        {
            Assert.Equal((HttpStatusCode.OK, "alive"), await edge.GetAsync(Host));
            return edge.Metric("groundcrew_edge_retries_total") > 0;
        }, "a retry");
        fillers.ForEach(f => f.Dispose());
    }

    [Fact]
    public async Task The_instance_hears_who_the_client_is_from_the_edge_alone()
    {
        IHeaderDictionary? seen = null;
        await using var instance = await Instance.StartAsync(c =>
        {
            seen = new HeaderDictionary(c.Request.Headers.ToDictionary(h => h.Key, h => h.Value, StringComparer.OrdinalIgnoreCase));
            c.Response.Headers["X-Own"] = "kept";
            c.Response.Headers.Connection = "X-Hop";
            c.Response.Headers["X-Hop"] = "secret";
            return c.Response.WriteAsync("ok");
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        var response = await RawAsync(edge.TrafficPort, $"""
            GET / HTTP/1.1
            Host: {Host}:8000
            X-Forwarded-For: 6.6.6.6
            X-Forwarded-Proto: https
            X-Forwarded-Host: evil.example
            X-Forwarded-Port: 1
            Forwarded: for=6.6.6.6
            X-Real-IP: 6.6.6.6
            X-Request-Id: abc-123
            Connection: X-Mine, X-Forwarded-For, Host
            X-Mine: hop
            Proxy-Authorization: Basic xyz
            TE: gzip
            Authorization: Bearer t
            Cookie: a=b

            GET /the-end HTTP/1.1
            Host: nobody.example
            Connection: close


            """.ReplaceLineEndings("\r\n"));

        Assert.StartsWith("HTTP/1.1 200", response, StringComparison.Ordinal);
        Assert.Equal("127.0.0.1", seen!["X-Forwarded-For"]);
        Assert.Equal("http", seen["X-Forwarded-Proto"]);
        Assert.Equal(Host + ":8000", seen["X-Forwarded-Host"]);
        Assert.Equal(Host + ":8000", seen.Host);
        Assert.Equal("abc-123", seen["X-Request-Id"]);
        Assert.Equal("Bearer t", seen.Authorization);
        Assert.Equal("a=b", seen.Cookie);
        Assert.Equal($"for=127.0.0.1;host=\"{Host}:8000\";proto=http", seen["Forwarded"]);
        Assert.Equal("1.1 groundcrew", seen["Via"]);
        foreach (var gone in new[] { "X-Real-IP", "X-Forwarded-Port", "X-Mine", "Proxy-Authorization", "TE" })
            Assert.False(seen.ContainsKey(gone), $"{gone} of {string.Join(" | ", seen)}");
        Assert.Contains("X-Own: kept", response, StringComparison.Ordinal);
        Assert.DoesNotContain("X-Hop", response, StringComparison.Ordinal);
        Assert.Contains("X-Request-Id: abc-123", response, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("has space")]
    [InlineData("quote\"")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
    [InlineData(null)]
    public async Task A_request_id_that_is_missing_long_or_unsafe_is_replaced(string? given)
    {
        var seen = "";
        await using var instance = await Instance.StartAsync(c =>
        {
            seen = c.Request.Headers["X-Request-Id"].ToString();
            return Task.CompletedTask;
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        using var request = edge.Request(HttpMethod.Get, Host, "/");
        if (given is not null)
            request.Headers.TryAddWithoutValidation("X-Request-Id", given);
        using var response = await edge.Client.SendAsync(request, Stop);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Matches("^[0-9a-f]{32}$", seen);
    }

    [Theory]
    [InlineData("/a%2Fb/%41//c?x=%20y&z")]
    [InlineData("/caf%C3%A9/..;/x")]
    public async Task The_request_target_arrives_as_it_was_sent(string target)
    {
        var seen = "";
        await using var instance = await Instance.StartAsync(c =>
        {
            seen = c.Features.Get<IHttpRequestFeature>()!.RawTarget;
            return Task.CompletedTask;
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        Assert.StartsWith("HTTP/1.1 200", await RawAsync(edge.TrafficPort, $"GET {target} HTTP/1.1\r\nHost: {Host}\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(target, seen);
    }

    [Fact]
    public async Task A_web_socket_echoes_and_counts_as_upgraded_until_it_closes()
    {
        await using var instance = await Instance.StartAsync(async c =>
        {
            using var socket = await c.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[1024];
            while (await socket.ReceiveAsync(buffer, c.RequestAborted) is { MessageType: not WebSocketMessageType.Close } got)
                await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, c.RequestAborted);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, c.RequestAborted);
        }, webSockets: true);
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        using var client = new ClientWebSocket();
        client.Options.SetRequestHeader("Host", Host);
        await client.ConnectAsync(new Uri($"ws://127.0.0.1:{edge.TrafficPort}/ws"), Stop);
        edge.Table.Apply(Of(2));

        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync(Encoding.UTF8.GetBytes($"hello {i}"), WebSocketMessageType.Text, true, Stop);
            var buffer = new byte[100];
            var got = await client.ReceiveAsync(buffer, Stop);
            Assert.Equal($"hello {i}", Encoding.UTF8.GetString(buffer, 0, got.Count));
        }
        Assert.Equal([new DrainingTarget(instance.Id, instance.Target.Address, 1, 1)], edge.Table.Status().Draining);
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Stop);
        await Eventually.TrueAsync(() => edge.Table.Status().Draining.Count == 0, "the upgraded connection ended");
        await Eventually.TrueAsync(() => edge.Metric("groundcrew_edge_requests_in_flight") == 0, "nothing in flight");
        Assert.Equal(1, edge.Metric("""http_requests_total{service="web-acme",status="101"}"""));
    }

    [Fact]
    public async Task Server_sent_events_arrive_one_by_one()
    {
        using var next = new SemaphoreSlim(0);
        await using var instance = await Instance.StartAsync(async c =>
        {
            c.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 3; i++)
            {
                await c.Response.WriteAsync($"data: {i}\n\n", c.RequestAborted);
                await next.WaitAsync(c.RequestAborted);
            }
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        using var request = edge.Request(HttpMethod.Get, Host, "/events");
        using var response = await edge.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Stop));

        // The instance sends the next event only after this one was read here.
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(Stop));
            Assert.Equal("", await reader.ReadLineAsync(Stop));
            next.Release();
        }
        Assert.Null(await reader.ReadLineAsync(Stop));
    }

    [Fact]
    public async Task A_client_that_leaves_frees_the_instance()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var instance = await Instance.StartAsync(async c =>
        {
            c.RequestAborted.Register(() => left.TrySetResult());
            arrived.TrySetResult();
            await left.Task;
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        using var leave = new CancellationTokenSource();
        using var request = edge.Request(HttpMethod.Get, Host, "/");
        var sending = edge.Client.SendAsync(request, leave.Token);
        await arrived.Task.WaitAsync(Eventually.Limit, Stop);
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        await left.Task.WaitAsync(Eventually.Limit, Stop);
        await Eventually.TrueAsync(() => edge.Metric("""http_requests_total{service="web-acme",status="499"}""") == 1, "the record of it");
        Assert.Equal(1, instance.Seen);
        Assert.Equal(0, edge.Metric("groundcrew_edge_retries_total"));
    }

    [Fact]
    public async Task An_instance_that_dies_in_the_middle_of_a_response_is_not_hidden()
    {
        var halfRead = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var instance = await Instance.StartAsync(async c =>
        {
            await c.Response.WriteAsync("half", c.RequestAborted);
            await halfRead.Task;
            c.Abort();
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        using var request = edge.Request(HttpMethod.Get, Host, "/");
        using var response = await edge.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        await using var body = await response.Content.ReadAsStreamAsync(Stop);
        var buffer = new byte[100];
        Assert.Equal(4, await body.ReadAsync(buffer, Stop));
        halfRead.SetResult();

        await Assert.ThrowsAnyAsync<IOException>(async () => await body.ReadExactlyAsync(buffer, Stop));
        Assert.Equal(1, instance.Seen);
    }

    [Fact]
    public async Task Large_bodies_stream_both_ways_without_filling_memory()
    {
        const long Size = 512L * 1024 * 1024;
        await using var instance = await Instance.StartAsync(async c =>
        {
            if (HttpMethods.IsGet(c.Request.Method))
            {
                c.Response.ContentLength = Size;
                await new Zeros(Size).CopyToAsync(c.Response.Body, c.RequestAborted);
                return;
            }
            var counted = new Counter();
            await c.Request.Body.CopyToAsync(counted, c.RequestAborted);
            await c.Response.WriteAsync(counted.Count.ToString());
        });
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route(Host, instance.Target)));
        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);

        using var upload = edge.Request(HttpMethod.Post, Host, "/", new StreamContent(new Zeros(Size)));
        using var sent = await edge.Client.SendAsync(upload, Stop);
        Assert.Equal(Size.ToString(), await sent.Content.ReadAsStringAsync(Stop));
        using var download = edge.Request(HttpMethod.Get, Host, "/");
        using var response = await edge.Client.SendAsync(download, HttpCompletionOption.ResponseHeadersRead, Stop);
        var received = new Counter();
        await response.Content.CopyToAsync(received, Stop);
        Assert.Equal(Size, received.Count);
        Assert.True(GC.GetTotalMemory(forceFullCollection: true) - before < Size / 8);
    }

    private static async Task<string> RawAsync(int port, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, Stop);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), Stop);
        using var reader = new StreamReader(client.GetStream());
        return await reader.ReadToEndAsync(Stop);
    }
}

/// <summary>On the direct path.</summary>
public sealed class ForwardingOnTheDirectPathTests() : ForwardingTests(isDirect: true);

/// <summary>On the full path.</summary>
public sealed class ForwardingOnTheFullPathTests() : ForwardingTests(isDirect: false);
