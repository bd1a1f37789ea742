using System.Buffers;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>Judges the policy of a route whole. Pure; takes a policy as it came, with nulls where JSON had them.</summary>
internal static class RoutePolicyJudge
{
    private static readonly TimeSpan LongestCaching = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LongestHsts = TimeSpan.FromDays(3650);

    /// <summary>Browsers keep no cookie for longer.</summary>
    private static readonly TimeSpan LongestCookie = TimeSpan.FromDays(400);

    /// <summary>What a token may be made of (RFC 9110, section 5.6.2).</summary>
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Headers without which a message has no end or no host.</summary>
    private static readonly string[] Needed =
        ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Trailer", "Expect"];

    /// <summary>Adds everything that is wrong with <paramref name="policy"/>, which stands at <paramref name="path"/>.</summary>
    public static void Judge(RoutePolicy? policy, string path, ProblemList problems)
    {
        if (policy is null)
        {
            problems.Add("missing", path, "The policy is empty.", "Leave it out to take the defaults.");
            return;
        }
        var judging = new Judging(path, problems);
        judging.Word("balance", policy.Balance);
        judging.Duration("slowStart", policy.SlowStart, TimeSpan.Zero);
        if (judging.IsThere("time", policy.Time))
            JudgeTime(policy.Time, judging.Under("time"));
        if (judging.IsThere("retry", policy.Retry))
            JudgeRetry(policy.Retry, judging.Under("retry"));
        if (judging.IsThere("breaker", policy.Breaker))
            JudgeBreaker(policy.Breaker, judging.Under("breaker"));
        if (policy.Probe is { } probe)
            JudgeProbe(probe, judging.Under("probe"));
        JudgeRates(policy, judging);
        if (policy.Concurrency is { } concurrency)
            JudgeConcurrency(concurrency, judging.Under("concurrency"));
        JudgeTraffic(policy, judging);
        if (policy.Cache is { } rules)
            judging.Each("cache", rules, JudgeCache);
        if (policy.Compression is { } compression)
            JudgeCompression(compression, judging.Under("compression"));
    }

    private static void JudgeTime(TimeLimits time, Judging judging)
    {
        judging.Duration("connect", time.Connect);
        judging.Duration("response", time.Response);
        judging.Duration("idle", time.Idle);
        judging.Duration("upgraded", time.Upgraded);
    }

    private static void JudgeRetry(RetryPolicy retry, Judging judging)
    {
        judging.Count("attempts", retry.Attempts);
        judging.Percent("budgetPercent", retry.BudgetPercent);
        judging.Count("budgetMinimum", retry.BudgetMinimum, least: 0);
    }

    private static void JudgeBreaker(BreakerPolicy breaker, Judging judging)
    {
        judging.Count("failures", breaker.Failures);
        judging.Percent("failurePercent", breaker.FailurePercent);
        judging.Count("minimumRequests", breaker.MinimumRequests);
        judging.Duration("window", breaker.Window);
        judging.Duration("openFor", breaker.OpenFor);
        judging.Duration("openAtMost", breaker.OpenAtMost);
        judging.Count("trials", breaker.Trials);
        if (breaker.OpenAtMost < breaker.OpenFor)
            judging.Add("bad-duration", "openAtMost", $"{Quantity.Format(breaker.OpenAtMost)} is less than openFor.", "Use at least openFor.");
    }

    private static void JudgeProbe(ProbePolicy probe, Judging judging)
    {
        if (probe.Path is not ['/', ..] || probe.Path.AsSpan().ContainsAnyExceptInRange('!', '~') || probe.Path.Contains('#'))
            judging.Add("bad-path", "path", $"'{probe.Path}' is not a path.", "Begin with '/', and use no spaces, no fragment and only ASCII.");
        judging.Duration("period", probe.Period);
        judging.Duration("timeout", probe.Timeout);
        judging.Count("failures", probe.Failures);
        judging.Count("successes", probe.Successes);
    }

    private static void JudgeRates(RoutePolicy policy, Judging judging)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        judging.Each("rates", policy.Rates, (rate, at) =>
        {
            at.Problems.RequireSlug($"{at.Path}.name", rate.Name);
            if (rate.Name is not null && !names.Add(rate.Name))
                at.Add("duplicate-name", "name", $"'{rate.Name}' is the name of an earlier rate.", "Give each rate its own name.");
            JudgeRate(rate, policy, at);
        });
    }

    private static void JudgeRate(RateLimit rate, RoutePolicy policy, Judging judging)
    {
        judging.Count("requests", rate.Requests);
        judging.Duration("per", rate.Per);
        if (rate.Burst is { } burst)
            judging.Count("burst", burst);
        judging.Word("by", rate.By);
        if (rate.By == RateKey.Header || rate.Header is not null)
            judging.Token("header", rate.Header, "a header's name");
        if (rate.By == RateKey.Tenant && policy.TenantHeader is null)
            judging.Add("missing", "by", "It counts by tenant, and no header names the tenant.", "Set tenantHeader.");
        judging.Each("methods", rate.Methods, (method, at) => at.Token("", method, "a method"));
    }

    private static void JudgeConcurrency(ConcurrencyLimit limit, Judging judging)
    {
        judging.Count("requests", limit.Requests);
        judging.Count("waiting", limit.Waiting, least: 0);
        judging.Duration("wait", limit.Wait);
    }

    private static void JudgeTraffic(RoutePolicy policy, Judging judging)
    {
        if (policy.MaxBodyBytes < 0)
            judging.Add("bad-size", "maxBodyBytes", $"{policy.MaxBodyBytes} is no size.", "Use 0 or more bytes, or leave it out for no limit.");
        judging.Networks("allow", policy.Allow);
        judging.Networks("deny", policy.Deny);
        judging.Each("stripHeaders", policy.StripHeaders, (name, at) => JudgeStripped(name, at));
        if (policy.TenantHeader is not null)
            judging.Token("tenantHeader", policy.TenantHeader, "a header's name");
        if (policy.UserHeader is not null)
            judging.Token("userHeader", policy.UserHeader, "a header's name");
        if (policy.Hsts is { } hsts)
            judging.Duration("hsts", hsts, TimeSpan.Zero, LongestHsts);
        if (policy.Sticky is not { } sticky)
            return;
        judging.Token("sticky.cookie", sticky.Cookie, "a cookie's name");
        judging.Duration("sticky.for", sticky.For, most: LongestCookie);
    }

    private static void JudgeCache(CacheRule rule, Judging judging)
    {
        var bare = rule.Path is [.., '*'] ? rule.Path[..^1] : rule.Path;
        if (bare is not ['/', ..] || bare.AsSpan().ContainsAnyExceptInRange('!', '~') || bare.AsSpan().ContainsAny("*?#"))
            judging.Add("bad-path", "path", $"'{rule.Path}' is no path with or without a '*' at its end.", "Begin with '/', and use no spaces, no query and only ASCII.");
        judging.Duration("maxAge", rule.MaxAge, TimeSpan.Zero, LongestCaching);
        if (rule.SharedMaxAge is { } shared)
            judging.Duration("sharedMaxAge", shared, TimeSpan.Zero, LongestCaching);
        if (rule.Scope is { } scope)
            judging.Word("scope", scope);
        if (rule is { Scope: CacheScope.Private, SharedMaxAge: not null })
            judging.Add("private-shared", "sharedMaxAge", "The answers are for the client alone, and a time for shared caches is named.", "Leave one of them out.");
    }

    private static void JudgeCompression(CompressionPolicy compression, Judging judging)
    {
        if (compression.LeastBytes < 0)
            judging.Add("bad-size", "leastBytes", $"{compression.LeastBytes} is no size.", "Use 0 or more bytes.");
        if (compression.Types is { } types)
            judging.Each("types", types, (type, at) =>
            {
                if (!MediaTypes.IsPattern(type))
                    at.Add("bad-media-type", "", $"'{type}' is no media type.", "Write one such as text/html, text/* for all of a kind, or *+json for all that end so.");
            });
    }

    private static void JudgeStripped(string name, Judging judging)
    {
        var bare = name is [.., '*'] ? name[..^1] : name;
        judging.Token("", bare.Contains('*') ? null : bare, "a header's name with or without a '*' at its end");
        if (Array.Find(Needed, n => new HeaderRules([name]).Strips(n.AsSpan())) is { } needed && bare.Length > 0)
            judging.Add("bad-name", "", $"'{name}' would strip {needed}, which the request needs.", "Name what says who somebody is.");
    }

    /// <summary>Where the judging is, and what it has found.</summary>
    private readonly record struct Judging(string Path, ProblemList Problems)
    {
        private static readonly TimeSpan Day = TimeSpan.FromDays(1);

        public Judging Under(string name) => this with { Path = At(name) };

        public void Add(string code, string name, string message, string fix) => Problems.Add(code, At(name), message, fix);

        public bool IsThere(string name, object? value)
        {
            if (value is null)
                Add("missing", name, "It is empty.", "Leave it out to take the default.");
            return value is not null;
        }

        /// <summary>A time that is more than zero, or from <paramref name="least"/>, and at most a day or <paramref name="most"/>.</summary>
        public void Duration(string name, TimeSpan value, TimeSpan? least = null, TimeSpan? most = null)
        {
            if (value >= (least ?? TimeSpan.FromTicks(1)) && value <= (most ?? Day))
                return;
            Add("bad-duration", name, $"{Quantity.Format(value)} is no time for this.",
                $"Use {(least is null ? "more than 0" : "0 or more")} and at most {Quantity.Format(most ?? Day)}.");
        }

        public void Count(string name, int value, int least = 1)
        {
            if (value < least)
                Add("bad-count", name, $"{value} is too few.", $"Use {least} or more.");
        }

        public void Percent(string name, int value)
        {
            if (value is < 1 or > 100)
                Add("bad-percent", name, $"{value} is no share in percent.", "Use 1 to 100.");
        }

        public void Token(string name, string? value, string what)
        {
            if (string.IsNullOrEmpty(value) || value.AsSpan().ContainsAnyExcept(TokenCharacters))
                Add("bad-name", name, $"'{value}' is not {what}.", "Use letters, digits and '-', without spaces.");
        }

        public void Word<T>(string name, T value)
            where T : struct, Enum
        {
            if (!Enum.IsDefined(value))
                Add("unknown-word", name, $"'{value}' is not known.", $"Use one of {string.Join(", ", Enum.GetNames<T>())}.");
        }

        public void Networks(string name, IReadOnlyList<string>? networks)
        {
            if (IsThere(name, networks))
                AddressSet.Parse(networks!, At(name), Problems);
        }

        /// <summary>Judges what is in a list, and that nothing in it is empty.</summary>
        public void Each<T>(string name, IReadOnlyList<T>? list, Action<T, Judging> judge)
            where T : class
        {
            if (!IsThere(name, list))
                return;
            for (var i = 0; i < list!.Count; i++)
            {
                var at = Under($"{name}[{i}]");
                if (at.IsThere("", list[i]))
                    judge(list[i], at);
            }
        }

        private string At(string name) => name.Length == 0 ? Path : Path.Length == 0 ? name : $"{Path}.{name}";
    }
}
