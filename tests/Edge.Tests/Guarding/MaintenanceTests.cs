using System.Text;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class MaintenanceTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);

    private static Maintenance ForAll => new(null, null, TimeSpan.Zero, false, Start, Start + TimeSpan.FromHours(2), []);

    /// <summary>T-09: every system's health paths and metrics stay open.</summary>
    [Theory]
    [InlineData("/", true)]
    [InlineData("/api/v1/sessions", true)]
    [InlineData("/health", false)]
    [InlineData("/health/ready", false)]
    [InlineData("/healthy", true)]
    [InlineData("/health/../api", true)]
    [InlineData("/Health", true)]
    [InlineData("/ready", false)]
    [InlineData("/ready/deep", true)]
    [InlineData("/live", false)]
    [InlineData("/healthz", false)]
    [InlineData("/readyz", false)]
    [InlineData("/livez", false)]
    [InlineData("/metrics", false)]
    [InlineData("/metrics/x", true)]
    [InlineData("/status", false)]
    [InlineData("/status/x", true)]
    [InlineData("/open/", false)]
    [InlineData("/open/a/b", false)]
    [InlineData("/open", true)]
    [InlineData("", true)]
    public void Health_metrics_and_the_list_are_served_and_all_else_is_held(string path, bool held)
    {
        var gate = new MaintenanceGate([ForAll with { Exempt = ["/status", "/open/*"] }]);
        Assert.Equal(held, gate.Holds("acme", path, Start) is not null);
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(0, true)]
    [InlineData(7199, true)]
    [InlineData(7200, false)]
    public void It_holds_from_its_beginning_to_before_its_end(int seconds, bool held) =>
        Assert.Equal(held, new MaintenanceGate([ForAll]).Holds("acme", "/", Start + TimeSpan.FromSeconds(seconds)) is not null);

    [Fact]
    public void Without_an_end_it_holds_until_it_is_taken_away()
    {
        Assert.NotNull(new MaintenanceGate([ForAll with { Until = null }]).Holds("acme", "/", Start + TimeSpan.FromDays(400)));
        Assert.Null(new MaintenanceGate([]).Holds("acme", "/", Start));
    }

    [Fact]
    public void An_organization_has_its_own_and_its_own_words_come_first()
    {
        var own = ForAll with { Org = "acme", Message = "Ours." };
        var gate = new MaintenanceGate([ForAll, own]);
        Assert.Same(own, gate.Holds("acme", "/", Start));
        Assert.Null(gate.Holds("other", "/", Start)!.Org);
        Assert.Null(new MaintenanceGate([own]).Holds("other", "/", Start));
    }

    [Fact]
    public void What_one_leaves_out_another_may_still_hold()
    {
        var own = ForAll with { Org = "acme", Exempt = ["/open"] };
        Assert.Null(new MaintenanceGate([own]).Holds("acme", "/open", Start));
        Assert.NotNull(new MaintenanceGate([own, ForAll]).Holds("acme", "/open", Start));
    }

    /// <summary>ZM-111, to the letter.</summary>
    [Fact]
    public void The_body_is_the_one_of_the_guide()
    {
        var answer = MaintenanceAnswer.For(ForAll, "*/*", Start);
        Assert.Equal("""{"error":"Service temporarily unavailable","message":"Scheduled maintenance in progress","retryAfter":3600}""", Encoding.UTF8.GetString(answer.Body));
        Assert.Equal(("application/json", 3600L), (answer.ContentType, answer.RetryAfter));
    }

    /// <summary>T-10: the fixed number unless the remaining time is asked for.</summary>
    [Theory]
    [InlineData(0, false, 0, 3600)]
    [InlineData(90, false, 0, 90)]
    [InlineData(90, true, 0, 7200)]
    [InlineData(90, true, 7199.5, 1)]
    [InlineData(90, true, 9000, 1)]
    [InlineData(0.2, false, 0, 1)]
    public void Clients_are_told_when_to_come_again(double retryAfter, bool isRemaining, double secondsIn, long expected)
    {
        var maintenance = ForAll with { RetryAfter = TimeSpan.FromSeconds(retryAfter), RetryAfterIsRemaining = isRemaining };
        Assert.Equal(expected, MaintenanceAnswer.For(maintenance, null, Start + TimeSpan.FromSeconds(secondsIn)).RetryAfter);
    }

    [Fact]
    public void Remaining_time_without_an_end_is_the_fixed_number() =>
        Assert.Equal(3600, MaintenanceAnswer.For(ForAll with { RetryAfterIsRemaining = true, Until = null }, null, Start).RetryAfter);

    [Theory]
    [InlineData(null, "application/json")]
    [InlineData("application/json", "application/json")]
    [InlineData("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8")]
    [InlineData("text/html, application/problem+json", "application/json")]
    public void People_get_a_page(string? accept, string expected) =>
        Assert.Equal(expected, MaintenanceAnswer.For(ForAll, accept, Start).ContentType);

    [Fact]
    public void Words_are_written_safely_in_both_forms()
    {
        var maintenance = ForAll with { Message = "Back at \"<b>four</b>\"" };
        Assert.Contains("\"Back at \\\"<b>four</b>\\\"\"", Encoding.UTF8.GetString(MaintenanceAnswer.For(maintenance, null, Start).Body), StringComparison.Ordinal);
        Assert.Contains("Back at &quot;&lt;b&gt;four&lt;/b&gt;&quot;", Encoding.UTF8.GetString(MaintenanceAnswer.For(maintenance, "text/html", Start).Body), StringComparison.Ordinal);
    }
}
