using System.Text.Json;
using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class RoutePolicyJudgeTests
{
    private static readonly RateLimit Rate = new("all", 10, TimeSpan.FromSeconds(1));

    /// <summary>What is changed, and the code and place of the one problem that this is.</summary>
    public static TheoryData<string, Func<RoutePolicy, RoutePolicy>, string> Wrong => new()
    {
        { "balance", p => p with { Balance = (Balance)9 }, "unknown-word policy.balance" },
        { "slow start", p => p with { SlowStart = TimeSpan.FromTicks(-1) }, "bad-duration policy.slowStart" },
        { "connect", p => p with { Time = p.Time with { Connect = TimeSpan.Zero } }, "bad-duration policy.time.connect" },
        { "response", p => p with { Time = p.Time with { Response = TimeSpan.FromDays(2) } }, "bad-duration policy.time.response" },
        { "idle", p => p with { Time = p.Time with { Idle = TimeSpan.MinValue } }, "bad-duration policy.time.idle" },
        { "upgraded", p => p with { Time = p.Time with { Upgraded = TimeSpan.Zero } }, "bad-duration policy.time.upgraded" },
        { "no time", p => p with { Time = null! }, "missing policy.time" },
        { "no retry", p => p with { Retry = null! }, "missing policy.retry" },
        { "no breaker", p => p with { Breaker = null! }, "missing policy.breaker" },
        { "attempts", p => p with { Retry = p.Retry with { Attempts = 0 } }, "bad-count policy.retry.attempts" },
        { "budget", p => p with { Retry = p.Retry with { BudgetPercent = 101 } }, "bad-percent policy.retry.budgetPercent" },
        { "minimum", p => p with { Retry = p.Retry with { BudgetMinimum = -1 } }, "bad-count policy.retry.budgetMinimum" },
        { "failures", p => p with { Breaker = p.Breaker with { Failures = 0 } }, "bad-count policy.breaker.failures" },
        { "share", p => p with { Breaker = p.Breaker with { FailurePercent = 0 } }, "bad-percent policy.breaker.failurePercent" },
        { "requests", p => p with { Breaker = p.Breaker with { MinimumRequests = 0 } }, "bad-count policy.breaker.minimumRequests" },
        { "window", p => p with { Breaker = p.Breaker with { Window = TimeSpan.Zero } }, "bad-duration policy.breaker.window" },
        { "open for", p => p with { Breaker = p.Breaker with { OpenFor = TimeSpan.Zero } }, "bad-duration policy.breaker.openFor" },
        { "open at most", p => p with { Breaker = p.Breaker with { OpenAtMost = TimeSpan.FromSeconds(1) } }, "bad-duration policy.breaker.openAtMost" },
        { "trials", p => p with { Breaker = p.Breaker with { Trials = 0 } }, "bad-count policy.breaker.trials" },
        { "probe path", p => p with { Probe = new ProbePolicy("health") }, "bad-path policy.probe.path" },
        { "no probe path", p => p with { Probe = new ProbePolicy(null!) }, "bad-path policy.probe.path" },
        { "probe path with a line", p => p with { Probe = new ProbePolicy("/a\r\nX: y") }, "bad-path policy.probe.path" },
        { "probe period", p => p with { Probe = new ProbePolicy("/") { Period = TimeSpan.Zero } }, "bad-duration policy.probe.period" },
        { "probe timeout", p => p with { Probe = new ProbePolicy("/") { Timeout = TimeSpan.Zero } }, "bad-duration policy.probe.timeout" },
        { "probe failures", p => p with { Probe = new ProbePolicy("/") { Failures = 0 } }, "bad-count policy.probe.failures" },
        { "probe successes", p => p with { Probe = new ProbePolicy("/") { Successes = 0 } }, "bad-count policy.probe.successes" },
        { "no rates", p => p with { Rates = null! }, "missing policy.rates" },
        { "an empty rate", p => p with { Rates = [null!] }, "missing policy.rates[0]" },
        { "rate name", p => p with { Rates = [Rate with { Name = "All of it" }] }, "bad-name policy.rates[0].name" },
        { "rate name twice", p => p with { Rates = [Rate, Rate] }, "duplicate-name policy.rates[1].name" },
        { "rate requests", p => p with { Rates = [Rate with { Requests = 0 }] }, "bad-count policy.rates[0].requests" },
        { "rate per", p => p with { Rates = [Rate with { Per = TimeSpan.Zero }] }, "bad-duration policy.rates[0].per" },
        { "rate burst", p => p with { Rates = [Rate with { Burst = 0 }] }, "bad-count policy.rates[0].burst" },
        { "rate key", p => p with { Rates = [Rate with { By = (RateKey)9 }] }, "unknown-word policy.rates[0].by" },
        { "rate header", p => p with { Rates = [Rate with { By = RateKey.Header }] }, "bad-name policy.rates[0].header" },
        { "rate tenant", p => p with { Rates = [Rate with { By = RateKey.Tenant }] }, "missing policy.rates[0].by" },
        { "rate method", p => p with { Rates = [Rate with { Methods = ["GET", "PO ST"] }] }, "bad-name policy.rates[0].methods[1]" },
        { "concurrency", p => p with { Concurrency = new ConcurrencyLimit(0) }, "bad-count policy.concurrency.requests" },
        { "waiting", p => p with { Concurrency = new ConcurrencyLimit(1) { Waiting = -1 } }, "bad-count policy.concurrency.waiting" },
        { "wait", p => p with { Concurrency = new ConcurrencyLimit(1) { Wait = TimeSpan.Zero } }, "bad-duration policy.concurrency.wait" },
        { "body", p => p with { MaxBodyBytes = -1 }, "bad-size policy.maxBodyBytes" },
        { "allow", p => p with { Allow = ["10.0.0.0/8", "10.0.0.1/8"] }, "bad-network policy.allow[1]" },
        { "deny", p => p with { Deny = [null!] }, "bad-network policy.deny[0]" },
        { "no deny", p => p with { Deny = null! }, "missing policy.deny" },
        { "an empty cache rule", p => p with { Cache = [null!] }, "missing policy.cache[0]" },
        { "a cache rule of no path", p => p with { Cache = [new CacheRule(null!, TimeSpan.Zero)] }, "bad-path policy.cache[0].path" },
        { "a cache rule with a middle", p => p with { Cache = [new CacheRule("/*/a", TimeSpan.Zero)] }, "bad-path policy.cache[0].path" },
        { "a cache rule with a query", p => p with { Cache = [new CacheRule("/a?b", TimeSpan.Zero)] }, "bad-path policy.cache[0].path" },
        { "a cache rule that ends before it begins", p => p with { Cache = [new CacheRule("/", TimeSpan.FromTicks(-1))] }, "bad-duration policy.cache[0].maxAge" },
        { "a shared cache that keeps too long", p => p with { Cache = [new CacheRule("/", TimeSpan.Zero) { SharedMaxAge = TimeSpan.FromDays(4000) }] }, "bad-duration policy.cache[0].sharedMaxAge" },
        { "a cache rule for nobody", p => p with { Cache = [new CacheRule("/", TimeSpan.Zero) { Scope = (CacheScope)9 }] }, "unknown-word policy.cache[0].scope" },
        { "a private rule for all", p => p with { Cache = [new CacheRule("/", TimeSpan.Zero) { Scope = CacheScope.Private, SharedMaxAge = TimeSpan.Zero }] }, "private-shared policy.cache[0].sharedMaxAge" },
        { "compression of less than nothing", p => p with { Compression = new CompressionPolicy { LeastBytes = -1 } }, "bad-size policy.compression.leastBytes" },
        { "compression of no type", p => p with { Compression = new CompressionPolicy { Types = ["text/*", "*"] } }, "bad-media-type policy.compression.types[1]" },
        { "compression of an empty type", p => p with { Compression = new CompressionPolicy { Types = [null!] } }, "missing policy.compression.types[0]" },
        { "strip nothing", p => p with { StripHeaders = [""] }, "bad-name policy.stripHeaders[0]" },
        { "strip all", p => p with { StripHeaders = ["*"] }, "bad-name policy.stripHeaders[0]" },
        { "strip a middle", p => p with { StripHeaders = ["X-*-Id"] }, "bad-name policy.stripHeaders[0]" },
        { "strip what is needed", p => p with { StripHeaders = ["Ho*"] }, "bad-name policy.stripHeaders[0]" },
        { "tenant header", p => p with { TenantHeader = "X Tenant" }, "bad-name policy.tenantHeader" },
        { "user header", p => p with { UserHeader = "" }, "bad-name policy.userHeader" },
        { "hsts", p => p with { Hsts = TimeSpan.FromSeconds(-1) }, "bad-duration policy.hsts" },
        { "cookie", p => p with { Sticky = new StickyPolicy("a b", TimeSpan.FromHours(1)) }, "bad-name policy.sticky.cookie" },
        { "cookie time", p => p with { Sticky = new StickyPolicy("ab", TimeSpan.Zero) }, "bad-duration policy.sticky.for" },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void Each_mistake_is_one_problem_at_its_place(string what, Func<RoutePolicy, RoutePolicy> change, string expected)
    {
        Assert.NotEmpty(what);
        var problem = Assert.Single(Judge(change(RoutePolicy.Default)));
        Assert.Equal(expected, $"{problem.Code} {problem.Path}");
        Assert.NotEmpty(problem.Fix);
    }

    [Fact]
    public void All_mistakes_are_told_at_once()
    {
        var problems = Judge(new RoutePolicy
        {
            SlowStart = TimeSpan.FromDays(2),
            Breaker = new BreakerPolicy { Trials = 0, Failures = -1 },
            Rates = [Rate with { Requests = 0, Per = TimeSpan.Zero, Burst = 0 }],
            Allow = ["all"],
        });
        Assert.Equal(7, problems.Count);
    }

    [Fact]
    public void The_default_and_a_full_policy_are_good_and_survive_the_wire()
    {
        Assert.Empty(Judge(RoutePolicy.Default));
        var full = new RoutePolicy
        {
            Balance = Balance.RoundRobin,
            SlowStart = TimeSpan.FromMinutes(1),
            Probe = new ProbePolicy("/health?deep=1"),
            Rates =
            [
                Rate with { Burst = 100, Methods = ["GET"] },
                Rate with { Name = "by-key", By = RateKey.Header, Header = "X-Api-Key" },
                Rate with { Name = "by-tenant", By = RateKey.Tenant },
            ],
            Concurrency = new ConcurrencyLimit(10) { Waiting = 5 },
            MaxBodyBytes = 0,
            Allow = ["10.0.0.0/8", "2001:db8::/32"],
            Deny = ["10.1.2.3"],
            StripHeaders = ["X-Internal-*", "X-Tenant"],
            TenantHeader = "X-Tenant-Id",
            UserHeader = "X-User-Id",
            RedirectToHttps = true,
            Hsts = TimeSpan.FromDays(365),
            Sticky = new StickyPolicy("crew-split", TimeSpan.FromDays(7)),
        };
        var sent = JsonSerializer.Serialize(full, Json.Options);
        var read = JsonSerializer.Deserialize<RoutePolicy>(sent, Json.Options)!;
        Assert.Empty(Judge(read));
        Assert.Equal(sent, JsonSerializer.Serialize(read, Json.Options));
    }

    [Fact]
    public void No_policy_is_a_problem() => Assert.Equal("missing", Assert.Single(Judge(null)).Code);

    private static IReadOnlyList<Problem> Judge(RoutePolicy? policy)
    {
        var problems = new ProblemList();
        RoutePolicyJudge.Judge(policy, "policy", problems);
        return problems.Problems;
    }
}
