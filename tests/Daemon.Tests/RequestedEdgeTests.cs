using System.Globalization;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Doors;
using Groundcrew.Edge;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>What a manifest says of the edge becomes the policy of a route, and the edge takes whatever the manifest's reader let pass.</summary>
public sealed class RequestedEdgeTests
{
    private const string Everything =
        """
        {
          protocol: http2, balance: round-robin, slowStart: 10s, timeouts: { connect: 1s, response: 30s, idle: 45s, upgraded: 2h },
          retries: { attempts: 2, budget: 10%, minimum: 0 },
          breaker: { failures: 3, failureRate: 25%, minimumRequests: 50, window: 30s, openFor: 1s, openAtMost: 30s, trials: 2 },
          probe: { path: /healthz, period: 10s, timeout: 1s, failures: 3, successes: 2 },
          limits: [
            { name: reads, requests: 100, per: 1m, by: header, header: X-Api-Key, burst: 20, methods: [GET] }, { name: keys, requests: 1, per: 1s, header: X-Key },
            { name: tenants, requests: 2, per: 1h, by: tenant }, { name: all, requests: 3, per: 1s, by: route }, { name: tokens, requests: 4, per: 1s, by: token },
            { name: addresses, requests: 5, per: 1s }],
          concurrency: { requests: 200, waiting: 100, wait: 2s }, maxBody: 20mb, allow: [10.0.0.0/8], deny: [10.66.0.0/16], stripHeaders: [X-Auth-*],
          tenantHeader: X-Tenant-Id, userHeader: X-User-Name, redirectToHttps: true, hsts: 365d, sticky: { cookie: crew_v, for: 1h },
          cache: [{ path: /assets/*, maxAge: 365d, sMaxAge: 1h, for: public, immutable: true }, { path: /, maxAge: 1h, for: private }],
          compress: { enabled: true, types: [text/*], minSize: 2Ki } }
        """;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 20)];

    [Fact]
    public void Every_key_reaches_the_policy()
    {
        var expected = new RoutePolicy
        {
            Protocol = TargetProtocol.Http2,
            Balance = Balance.RoundRobin,
            SlowStart = TimeSpan.FromSeconds(10),
            Time = new TimeLimits { Connect = TimeSpan.FromSeconds(1), Response = TimeSpan.FromSeconds(30), Idle = TimeSpan.FromSeconds(45), Upgraded = TimeSpan.FromHours(2) },
            Retry = new RetryPolicy { Attempts = 2, BudgetPercent = 10, BudgetMinimum = 0 },
            Breaker = new BreakerPolicy
            {
                Failures = 3, FailurePercent = 25, MinimumRequests = 50, Window = TimeSpan.FromSeconds(30), OpenFor = TimeSpan.FromSeconds(1),
                OpenAtMost = TimeSpan.FromSeconds(30), Trials = 2,
            },
            Probe = new ProbePolicy("/healthz") { Period = TimeSpan.FromSeconds(10), Timeout = TimeSpan.FromSeconds(1), Failures = 3, Successes = 2 },
            Rates =
            [
                new RateLimit("reads", 100, TimeSpan.FromMinutes(1)) { By = RateKey.Header, Header = "X-Api-Key", Burst = 20, Methods = ["GET"] },
                new RateLimit("keys", 1, TimeSpan.FromSeconds(1)) { By = RateKey.Header, Header = "X-Key" },
                new RateLimit("tenants", 2, TimeSpan.FromHours(1)) { By = RateKey.Tenant },
                new RateLimit("all", 3, TimeSpan.FromSeconds(1)) { By = RateKey.Route },
                new RateLimit("tokens", 4, TimeSpan.FromSeconds(1)) { By = RateKey.Token },
                new RateLimit("addresses", 5, TimeSpan.FromSeconds(1)) { By = RateKey.Address },
            ],
            Concurrency = new ConcurrencyLimit(200) { Waiting = 100, Wait = TimeSpan.FromSeconds(2) },
            MaxBodyBytes = 20_000_000,
            Allow = ["10.0.0.0/8"],
            Deny = ["10.66.0.0/16"],
            StripHeaders = ["X-Auth-*"],
            TenantHeader = "X-Tenant-Id",
            UserHeader = "X-User-Name",
            RedirectToHttps = true,
            Hsts = TimeSpan.FromDays(365),
            Sticky = new StickyPolicy("crew_v", TimeSpan.FromHours(1)),
            Cache =
            [
                new CacheRule("/assets/*", TimeSpan.FromDays(365)) { SharedMaxAge = TimeSpan.FromHours(1), Scope = CacheScope.Public, Immutable = true },
                new CacheRule("/", TimeSpan.FromHours(1)) { Scope = CacheScope.Private },
            ],
            Compression = new CompressionPolicy { Types = ["text/*"], LeastBytes = 2048 },
        };
        Assert.Equal(Text(expected), Text(PolicyOf(Everything)));
    }

    [Fact]
    public void Every_member_of_the_policy_can_be_set()
    {
        var (set, byDefault) = (PolicyOf(Everything)!, RoutePolicy.Default);
        Assert.All(typeof(RoutePolicy).GetProperties(), p => Assert.NotEqual(Text(p.GetValue(byDefault)), Text(p.GetValue(set))));
    }

    [Fact]
    public void A_manifest_that_says_nothing_of_the_edge_leaves_all_to_it()
    {
        Assert.Null(Asked("").Settings.Edge);
        Assert.Equal(Text(RoutePolicy.Default), Text(PolicyOf("{}")));
    }

    /// <summary>The reference page shows the manifest's defaults; they must be those of the edge.</summary>
    [Fact]
    public void The_defaults_of_the_manifest_are_those_of_the_edge()
    {
        Assert.Equal(Text(RoutePolicy.Default), Text(PolicyOf("{ protocol: http1, balance: least-requests, slowStart: 0s, timeouts: {}, retries: {}, breaker: {}, redirectToHttps: false, compress: false }")));
        var policy = PolicyOf("{ probe: /x, concurrency: 5, limits: [{ name: a, requests: 5, per: 1m }] }")!;
        Assert.Equal((new ProbePolicy("/x"), new ConcurrencyLimit(5)), (policy.Probe, policy.Concurrency));
        Assert.Equal(Text(new CompressionPolicy()), Text(PolicyOf("{ compress: true }")!.Compression));
        Assert.Equal(Text(new RateLimit("a", 5, TimeSpan.FromMinutes(1))), Text(Assert.Single(policy.Rates)));
    }

    [Fact]
    public void Settings_with_a_policy_are_stored_and_read_back_whole()
    {
        var settings = Asked($"edge: {Everything}").Settings;
        var again = JsonSerializer.Deserialize<Deploys.ServiceSettings>(Text(settings), Json.Options)!;
        Assert.Equal(Text(settings), Text(again));
    }

    [Fact]
    public void An_environment_gets_what_it_says_over_what_the_service_says()
    {
        const string edge = "edge: { maxBody: 1MB, slowStart: 5s }\n    environments: { staging: { edge: { maxBody: 2MB } } }";
        Assert.Equal((1_000_000, 2_000_000), (Asked(edge).Settings.Edge!.MaxBodyBytes, Asked(edge, "staging").Settings.Edge!.MaxBodyBytes));
        Assert.Equal(TimeSpan.FromSeconds(5), Asked(edge, "staging").Settings.Edge!.SlowStart);
    }

    [Fact]
    public void What_the_edge_would_refuse_is_refused_before_anything_is_stored()
    {
        var judged = Requested.From(Request("edge: { maxBody: 20, limits: [{ name: a, requests: 0, per: 1m, by: tenant }], allow: [10.0.0.1/8] }", "production"));
        Assert.Equal(
            ["services.web.edge.allow[0]", "services.web.edge.limits[0].by", "services.web.edge.limits[0].requests", "services.web.edge.maxBody"],
            judged.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
    }

    /// <summary>
    /// Manifests made of odd but possible values, good and bad: those that the reader lets pass give a table that an edge
    /// applies. A table refused would stop every deployment of the platform.
    /// </summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void The_edge_takes_every_policy_that_the_reader_lets_pass(int seed)
    {
        using var folder = new TempFolder();
        var random = new Random(seed);
        var platform = Guid.CreateVersion7();
        var table = new EdgeTable(new EdgeOptions { StateFolder = folder.Path }, new DurableFiles(), new MetricRegistry(), new SeenSignals(), TimeProvider.System);
        var taken = 0;
        for (var round = 1; round <= 500; round++)
        {
            var edge = EdgeOf(random);
            if (Requested.From(Request($"edge: {edge}", "production")).Value is not { } asked)
                continue;
            var route = new Route("web.localhost", "acme", "web", "production", "web-1", []) { Policy = asked.Settings.Edge };
            var outcome = table.Apply(new RouteTable(round, platform, [route]));
            Assert.True(outcome is ApplyOutcome.Applied, outcome is ApplyOutcome.RefusedProblems refused ? $"{edge}: {string.Join("; ", refused.Problems)}" : $"{edge}: {outcome}");
            taken++;
        }
        Assert.InRange(taken, 50, 450);
    }

    /// <summary>Some of all keys, most with values that may stand there.</summary>
    private static string EdgeOf(Random random)
    {
        string Pick(params string[] good) => good[random.Next(good.Length)];
        string Rarely(string bad, string good) => random.Next(60) == 0 ? bad : good;
        string Time() => Rarely(Pick("0s", "25h", "-1s", "5"), Pick("10ms", "100ms", "1s", "59s", "1m30s", "1h", "1d"));
        string Count() => Rarely(Pick("0", "-1", "1.5", "99999999999"), Pick("1", "2", "7", "10"));
        string Share() => Rarely(Pick("0%", "101%", "5"), Pick("1%", "50%", "100%"));
        string Token() => Rarely(Pick("\"\"", "\"a b\"", "ü"), Pick("X-Api-Key", "x_y", "\"!#$%&'*+-.^_`|~\"", "Host"));
        string Network() => Rarely(Pick("10.0.0.1/8", "10.0.0.0/33", "127.1", "\"::ffff:10.0.0.0/104\""), Pick(
            "10.0.0.0/8", "0.0.0.0/0", "255.255.255.255", "192.0.2.0/31", "\"::/0\"", "\"2001:db8::/32\"", "\"fe80::/10\"", "\"::1\"", "\"::ffff:0:0/96\"", "\"64:ff9b::192.0.2.1\""));
        string Strip() => Rarely(Pick("Host", "\"*\"", "T*", "te", "Up*", "Content_Length*"), Pick("X-Auth-*", "X-*", "Contents", "Tea", "\"Host*\"", "\"TE-*\"", "Hosts-*", "Cookie", "X_Y*"));
        string Limit() => $"{{ name: {Pick("a", "b", "c-1", "d", "e9", "f")}, requests: {Count()}, per: {Time()}, " + Pick("by: address", "by: token", "by: route", "by: tenant", "by: header",
            $"by: header, header: {Token()}", $"header: {Token()}") + Pick("", $", burst: {Count()}", $", methods: [{Pick("GET", "M-SEARCH", "get")}]") + " }";
        (string Key, Func<string> Value)[] keys =
        [
            ("protocol", () => Pick("http1", "http2")), ("balance", () => Pick("least-requests", "round-robin")), ("slowStart", Time),
            ("timeouts", () => $"{{ connect: {Time()}, response: {Time()}, idle: {Time()}, upgraded: {Time()} }}"),
            ("retries", () => $"{{ attempts: {Count()}, budget: {Share()}, minimum: {Count()} }}"),
            ("breaker", () => $"{{ failures: {Count()}, failureRate: {Share()}, window: {Time()}, openFor: {Time()}, openAtMost: {Pick("1d", Time())}, trials: {Count()} }}"),
            ("probe", () => Rarely("x", Pick("/", "/a?b=c", $"{{ path: /x, period: {Time()}, successes: {Count()} }}"))),
            ("limits", () => $"[{string.Join(", ", Enumerable.Range(0, random.Next(3)).Select(_ => Limit()))}]"),
            ("concurrency", () => Pick(Count(), $"{{ requests: {Count()}, waiting: {Count()}, wait: {Time()} }}")),
            ("maxBody", () => Rarely("20", Pick("1B", "20mb", "1TB", "0.5Ki"))), ("allow", () => $"[{Network()}, {Network()}]"), ("deny", () => $"[{Network()}]"),
            ("stripHeaders", () => $"[{Strip()}, {Strip()}]"), ("tenantHeader", Token), ("userHeader", Token), ("redirectToHttps", () => Pick("true", "false")),
            ("cache", () => $"[{{ path: {Rarely(Pick("a", "/a?b", "/*/a", "\"\""), Pick("/", "/*", "/assets/*", "/a/b.c"))}, maxAge: {Pick("0s", "3650d", Time())}{Pick("", ", sMaxAge: 1h", ", for: public", ", for: private", ", immutable: true")} }}]"),
            ("compress", () => Pick("true", "false", $"{{ enabled: true, types: [{Rarely(Pick("text", "\"*\"", "a/b/c"), Pick("text/*", "\"*+json\"", "a/b"))}], minSize: {Rarely("20", Pick("1B", "1Ki"))} }}")),
            ("hsts", () => Pick("0s", "3650d", Time())), ("sticky", () => $"{{ cookie: {Token()}, for: {Pick("1s", "400d", Time())} }}"),
        ];
        return $"{{ {string.Join(", ", keys.Where(_ => random.Next(4) == 0).Select(k => $"{k.Key}: {k.Value()}"))} }}";
    }

    private static RoutePolicy? PolicyOf(string edge) => Asked($"edge: {edge}").Settings.Edge;

    private static Deploys.DeployRequest Asked(string lines, string environment = "production")
    {
        var judged = Requested.From(Request(lines, environment));
        Assert.Empty(judged.Problems);
        return judged.Value!;
    }

    private static CreateDeployment Request(string lines, string environment) => new()
    {
        Manifest = $"system: acme\nservices:\n  web:\n    run: ./web\n    {lines.ReplaceLineEndings("\n    ")}\n".Replace("\n        environments", "\n    environments", StringComparison.Ordinal),
        Artifact = "sha256:" + new string('a', 64), Environment = environment,
    };

    private static string Text(object? value) => string.Create(CultureInfo.InvariantCulture, $"{JsonSerializer.Serialize(value, Json.Options)}");
}
