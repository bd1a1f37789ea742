using System.Net;
using System.Text.Json;
using Groundcrew.Edge.Tests.Conformance;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>What a route's policy and the levels of a table do to requests, end to end.</summary>
public sealed class AdmissionTests : IAsyncLifetime
{
    private const string Host = "app.example.org";
    private static readonly DateTimeOffset Since = DateTimeOffset.UtcNow.AddMinutes(-1);
    private readonly TempFolder _folder = new();
    private EdgeHost _edge = null!;
    private Instance _instance = null!;
    private long _generation;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _edge = await EdgeHost.StartAsync(_folder.Path, o => o with { TrustedProxies = ["127.0.0.2/32"] });
        _instance = await Instance.StartAsync(c => c.Response.WriteAsync(
            $"{c.Request.Path} by {c.Request.Headers["X-Forwarded-For"]} as {c.Request.Headers["X-User-Id"]}{c.Request.Headers["X-Auth-Name"]} {c.Request.Headers["X-Forwarded-Proto"]}"));
    }

    public async ValueTask DisposeAsync()
    {
        await _edge.DisposeAsync();
        await _instance.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_denied_network_does_not_come_in()
    {
        Apply(new RoutePolicy { Deny = ["127.0.0.0/8"] });
        Assert.Equal(HttpStatusCode.Forbidden, (await _edge.GetAsync(Host)).Status);
        Assert.Equal(0, _instance.Seen);
        await RecordedAsync("denied");
        Apply(new RoutePolicy { Allow = ["127.0.0.0/8"] });
        Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host)).Status);
    }

    [Fact]
    public async Task Maintenance_answers_as_the_guide_says_but_for_health_and_metrics()
    {
        Apply(t => t with { Maintenance = [new Maintenance("acme", null, TimeSpan.Zero, false, Since, null, ["/status/*"])] });
        using var response = await SendAsync("/bookings");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(3600, response.Headers.RetryAfter?.Delta?.TotalSeconds);
        Assert.Equal("""{"error":"Service temporarily unavailable","message":"Scheduled maintenance in progress","retryAfter":3600}""",
            await response.Content.ReadAsStringAsync(Stop));
        using var page = await SendAsync("/bookings", ("Accept", "text/html"));
        Assert.Equal("text/html", page.Content.Headers.ContentType?.MediaType);
        foreach (var exempt in new[] { "/health", "/health/ready", "/ready", "/metrics", "/status/x" })
            Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host, exempt)).Status);
        await RecordedAsync("maintenance");

        Apply(t => t with { Maintenance = [new Maintenance("others", null, TimeSpan.Zero, false, Since, null, [])] });
        Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host)).Status);
    }

    [Fact]
    public async Task Plain_HTTP_is_sent_to_HTTPS_with_method_and_query_kept()
    {
        Apply(new RoutePolicy { RedirectToHttps = true });
        using var response = await SendAsync("/a?b=c");
        Assert.Equal((HttpStatusCode.PermanentRedirect, $"https://{Host}/a?b=c"), (response.StatusCode, response.Headers.Location?.OriginalString));
        await RecordedAsync("answered");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_that_is_too_large_is_refused_whether_its_length_is_said_or_not(bool isSaid)
    {
        Apply(new RoutePolicy { MaxBodyBytes = 1000 });
        using var request = _edge.Request(HttpMethod.Post, Host, "/", isSaid ? new ByteArrayContent(new byte[2000]) : new Unsaid(2000));
        using var response = await _edge.Client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        await RecordedAsync("too-large");
    }

    [Fact]
    public async Task Beyond_a_rate_the_answer_is_429_with_when_to_come_again()
    {
        Apply(new RoutePolicy { Rates = [new RateLimit("reads", 3, TimeSpan.FromMinutes(1)) { By = RateKey.Token, Methods = ["GET"] }] });
        for (var i = 0; i < 3; i++)
            Assert.Equal(HttpStatusCode.OK, await StatusAsync("/", ("Authorization", "Bearer one")));
        using var response = await SendAsync("/", ("Authorization", "Bearer one"));
        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.InRange(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal("3", response.Headers.GetValues("X-RateLimit-Limit").Single());
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("/", ("Authorization", "Bearer two")));
        Assert.Equal(1, _edge.Metric("""groundcrew_edge_rate_limited_total{org="acme",project="web",limit="reads"}"""));
        var record = await RecordedAsync("rate-limited");
        Assert.Equal(("RATE_LIMIT_EXCEEDED", "reads"), (record.GetProperty("event").GetString(), record.GetProperty("limit").GetString()));

        // The bucket outlives the table.
        Apply(new RoutePolicy { Rates = [new RateLimit("reads", 3, TimeSpan.FromMinutes(1)) { By = RateKey.Token, Methods = ["GET"] }], TenantHeader = "X-Tenant" });
        Assert.Equal(HttpStatusCode.TooManyRequests, await StatusAsync("/", ("Authorization", "Bearer one")));
    }

    [Fact]
    public async Task A_pause_holds_requests_and_resuming_lets_them_go()
    {
        Hold(new Hold(HoldKind.Paused, null, TimeSpan.FromMinutes(1), 2, Since));
        var waiting = new[] { _edge.GetAsync(Host), _edge.GetAsync(Host) };
        await Eventually.TrueAsync(() => _edge.Table.Find(Host)!.Hold.Waiting == 2, "both wait");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _edge.GetAsync(Host)).Status);
        Assert.Equal(0, _instance.Seen);
        Hold(null);
        Assert.All(await Task.WhenAll(waiting), a => Assert.Equal(HttpStatusCode.OK, a.Status));
        await RecordedAsync("held");
    }

    [Fact]
    public async Task A_pause_ends_in_504_and_a_stop_says_its_message()
    {
        Hold(new Hold(HoldKind.Paused, null, TimeSpan.FromMilliseconds(50), 10, Since));
        Assert.Equal(HttpStatusCode.GatewayTimeout, (await _edge.GetAsync(Host)).Status);
        Hold(new Hold(HoldKind.Stopped, "Back on Monday.", TimeSpan.FromSeconds(1), 1, Since));
        var (status, body) = await _edge.GetAsync(Host);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("Back on Monday.", body, StringComparison.Ordinal);
        await RecordedAsync("stopped");
    }

    [Fact]
    public async Task Beyond_the_limit_on_requests_in_flight_one_waits_and_the_next_is_shed()
    {
        var go = new TaskCompletionSource();
        await using var slow = await Instance.StartAsync(async c => await go.Task.WaitAsync(c.RequestAborted));
        Apply(new RoutePolicy { Concurrency = new ConcurrencyLimit(1) { Waiting = 1, Wait = TimeSpan.FromMinutes(1) } }, slow.Target);
        var first = _edge.GetAsync(Host);
        await Eventually.TrueAsync(() => slow.Seen == 1, "the first is in flight");
        var second = _edge.GetAsync(Host);
        await Eventually.TrueAsync(() => _edge.Table.Find(Host)!.Service.Concurrency!.Waiting == 1, "the second waits");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _edge.GetAsync(Host)).Status);
        await RecordedAsync("shed");
        go.SetResult();
        Assert.Equal(HttpStatusCode.OK, (await first).Status);
        Assert.Equal(HttpStatusCode.OK, (await second).Status);
        Assert.Equal(0, _edge.Table.Find(Host)!.Service.Concurrency!.InFlight);
    }

    [Fact]
    public async Task A_service_that_does_not_answer_is_left_alone_and_taken_again_when_it_does()
    {
        var breaker = new BreakerPolicy { Failures = 3, OpenFor = TimeSpan.FromMilliseconds(100), OpenAtMost = TimeSpan.FromMilliseconds(100) };
        var isDead = true;
        await using var instance = await Instance.StartAsync(c =>
        {
            if (isDead)
                c.Abort();
            return Task.CompletedTask;
        });
        Apply(new RoutePolicy { Breaker = breaker }, instance.Target);
        for (var i = 0; i < 3; i++)
            Assert.Equal(HttpStatusCode.BadGateway, (await _edge.GetAsync(Host)).Status);
        await RecordedAsync("target-no-answer");
        await Eventually.TrueAsync(async () => (await _edge.GetAsync(Host)).Status == HttpStatusCode.ServiceUnavailable, "the breaker is open");
        await RecordedAsync("breaker-open");
        using var breakers = JsonDocument.Parse(await _edge.Status.GetStringAsync("/debug/circuit-breakers", Stop));
        Assert.Contains("groundcrew_edge_breaker_open{org=\"acme\",project=\"web\",environment=\"production\",instance=\"\"}", await _edge.Status.GetStringAsync("/metrics", Stop), StringComparison.Ordinal);
        Assert.Equal("acme/web/production", breakers.RootElement[0].GetProperty("service").GetString());
        isDead = false;
        await Eventually.TrueAsync(async () => (await _edge.GetAsync(Host)).Status == HttpStatusCode.OK, "it is taken again");
        Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host)).Status);
    }

    [Fact]
    public async Task A_target_that_the_edge_finds_unwell_gets_nothing_until_it_is_well()
    {
        var isSick = true;
        await using var sick = await Instance.StartAsync(c =>
        {
            c.Response.StatusCode = c.Request.Path == "/well" && isSick ? 500 : 200;
            return c.Response.WriteAsync("sick");
        });
        Apply(t => t with
        {
            Routes =
            [
                Route(Host, _instance.Target, sick.Target) with
                {
                    Policy = new RoutePolicy { Probe = new ProbePolicy("/well") { Period = TimeSpan.FromMilliseconds(10), Failures = 1 }, Balance = Balance.RoundRobin },
                },
            ],
        });
        var state = _edge.Table.Find(Host)!.Targets.Single(t => t.InstanceId == sick.Id);
        await Eventually.TrueAsync(() => !state.IsWell(0), "the probe found it");
        for (var i = 0; i < 20; i++)
            Assert.NotEqual("sick", (await _edge.GetAsync(Host)).Body);
        isSick = false;
        await Eventually.TrueAsync(async () => (await _edge.GetAsync(Host)).Body == "sick", "it is taken again");
    }

    [Fact]
    public async Task A_split_shares_the_traffic_and_a_sticky_client_stays()
    {
        await using var next = await Instance.SayingAsync("next");
        Apply(t => t with
        {
            Routes = [t.Routes[0] with { Split = [new Share("web-bbbbbbb-acme", 50, [next.Target])], Policy = new RoutePolicy { Sticky = new StickyPolicy("v", TimeSpan.FromHours(1)) } }],
        });
        var bodies = new List<string>();
        for (var i = 0; i < 100; i++)
            bodies.Add((await _edge.GetAsync(Host)).Body);
        Assert.InRange(bodies.Count(b => b == "next"), 20, 80);
        using var response = await SendAsync("/");
        var cookie = response.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        var first = await response.Content.ReadAsStringAsync(Stop);
        for (var i = 0; i < 30; i++)
        {
            using var again = await SendAsync("/", ("Cookie", "a=b; " + cookie));
            Assert.Equal(first, await again.Content.ReadAsStringAsync(Stop));
            Assert.False(again.Headers.Contains("Set-Cookie"));
        }
    }

    [Fact]
    public async Task The_longest_path_and_then_a_match_decide()
    {
        await using var api = await Instance.SayingAsync("api");
        await using var preview = await Instance.SayingAsync("preview");
        Apply(t => t with
        {
            Routes =
            [
                t.Routes[0],
                Route(Host, api.Target) with { Path = "/api" },
                Route(Host, preview.Target) with { Path = "/api", Match = new RouteMatch("yes") { Header = "X-Preview" } },
            ],
        });
        Assert.StartsWith("/apix by", (await _edge.GetAsync(Host, "/apix")).Body, StringComparison.Ordinal);
        Assert.Equal("api", (await _edge.GetAsync(Host, "/api")).Body);
        Assert.Equal("api", (await _edge.GetAsync(Host, "/api/x?y")).Body);
        using var matched = await SendAsync("/api/x", ("X-Preview", "yes"));
        Assert.Equal("preview", await matched.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task Who_a_client_is_only_the_inside_says()
    {
        Apply(new RoutePolicy { StripHeaders = ["X-Auth-*"] });
        using var response = await SendAsync("/", ("X-User-Id", "root"), ("X-Auth-Name", "boss"), ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"));
        Assert.Equal("/ by 127.0.0.1 as  http", await response.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task A_trusted_proxy_says_who_the_client_is()
    {
        Apply(new RoutePolicy { Deny = ["7.7.7.0/24"] });
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellation) =>
            {
                var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2").MapToIPv6(), 0));
                await socket.ConnectAsync(context.DnsEndPoint, cancellation);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        });
        using var request = _edge.Request(HttpMethod.Get, Host, "/");
        request.Headers.Add("X-Forwarded-For", "1.1.1.1, 8.8.8.8");
        request.Headers.Add("X-Forwarded-Proto", "https");
        using var response = await client.SendAsync(request, Stop);
        Assert.Equal("/ by 8.8.8.8, 127.0.0.2 as  https", await response.Content.ReadAsStringAsync(Stop));
        using var denied = _edge.Request(HttpMethod.Get, Host, "/");
        denied.Headers.Add("X-Forwarded-For", "7.7.7.7");
        using var refusal = await client.SendAsync(denied, Stop);
        Assert.Equal(HttpStatusCode.Forbidden, refusal.StatusCode);
    }

    [Fact]
    public async Task A_challenge_is_answered_whether_or_not_the_host_has_a_route()
    {
        Apply(t => t with { Challenges = [new ChallengeAnswer("new.example.org", "tok", "tok.thumb")] });
        Assert.Equal((HttpStatusCode.OK, "tok.thumb"), await _edge.GetAsync("new.example.org", "/.well-known/acme-challenge/tok"));
        Assert.Equal(HttpStatusCode.NotFound, (await _edge.GetAsync("new.example.org", "/.well-known/acme-challenge/other")).Status);
    }

    private void Apply(RoutePolicy policy, Target? target = null) =>
        Apply(t => t with { Routes = [Route(Host, target ?? _instance.Target) with { Policy = policy }] });

    private void Hold(Hold? hold) => Apply(t => t with { Holds = hold is null ? [] : [new ServiceHold("acme", "web", "production", hold)] });

    private void Apply(Func<RouteTable, RouteTable> change) =>
        Assert.IsType<ApplyOutcome.Applied>(_edge.Table.Apply(change(Of(++_generation, Route(Host, _instance.Target)))));

    private async Task<HttpStatusCode> StatusAsync(string path, params (string Name, string Value)[] headers)
    {
        using var response = await SendAsync(path, headers);
        return response.StatusCode;
    }

    private async Task<HttpResponseMessage> SendAsync(string path, params (string Name, string Value)[] headers)
    {
        using var request = _edge.Request(HttpMethod.Get, Host, path);
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return await _edge.Client.SendAsync(request, Stop);
    }

    private Task<JsonElement> RecordedAsync(string outcome) => AccessFile.WithOutcomeAsync(_folder.Path, outcome);

    /// <summary>A body whose length is not said beforehand.</summary>
    private sealed class Unsaid(int length) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(new byte[length], 0, length);

        protected override bool TryComputeLength(out long computed)
        {
            computed = 0;
            return false;
        }
    }
}
