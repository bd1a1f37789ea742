using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class RateLimitersTests
{
    private readonly RateLimiters _limiters = new(new ManualClock());

    private static RateLimit Limit => new("writes", 10, TimeSpan.FromSeconds(1)) { Methods = new List<string> { "POST", "PUT" } };

    [Fact]
    public void A_limit_with_equal_settings_goes_on_counting_across_tables()
    {
        var before = Name(Limit);
        Assert.Same(before, Name(Limit));
        Assert.Single(_limiters.All);
    }

    [Fact]
    public void Other_settings_or_another_environment_have_a_limiter_of_their_own()
    {
        var all = new HashSet<RateLimiter>
        {
            Name(Limit),
            Name(Limit with { Requests = 11 }),
            Name(Limit with { Per = TimeSpan.FromSeconds(2) }),
            Name(Limit with { Name = "reads" }),
            Name(Limit with { Burst = 10 }),
            Name(Limit with { By = RateKey.Route }),
            Name(Limit with { Methods = ["POST"] }),
            Name(Limit, "pr-7"),
        };
        Assert.Equal(8, all.Count);
    }

    [Fact]
    public void What_no_table_names_any_more_is_dropped_when_the_new_one_serves()
    {
        var before = Name(Limit);
        var naming = _limiters.Begin();
        var other = Assert.Single(naming.Of("acme", "web", "production", [Limit with { Requests = 5 }]));
        Assert.Equal(2, _limiters.All.Count);
        naming.End();
        Assert.Same(other, Assert.Single(_limiters.All).Value);
        Assert.NotSame(before, Name(Limit));
    }

    [Fact]
    public void A_naming_that_is_given_up_drops_nothing()
    {
        var before = Name(Limit);
        _limiters.Begin().Of("acme", "web", "production", []);
        Assert.Same(before, Name(Limit));
    }

    [Fact]
    public void Two_routes_of_an_environment_share_a_limit()
    {
        var naming = _limiters.Begin();
        var one = naming.Of("acme", "web", "production", [Limit, Limit with { Name = "reads" }]);
        var two = naming.Of("acme", "web", "production", [Limit]);
        naming.End();
        Assert.Same(one[0], two[0]);
        Assert.Equal(2, _limiters.All.Count);
    }

    private RateLimiter Name(RateLimit limit, string environment = "production")
    {
        var naming = _limiters.Begin();
        var limiter = Assert.Single(naming.Of("acme", "web", environment, [limit]));
        naming.End();
        return limiter;
    }
}
