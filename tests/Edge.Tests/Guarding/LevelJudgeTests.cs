using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class LevelJudgeTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);
    private static readonly Hold Pause = new(HoldKind.Paused, null, TimeSpan.FromSeconds(30), 100, Start);
    private static readonly Maintenance Closed = new("acme", "Back soon.", TimeSpan.Zero, false, Start, null, ["/status", "/open/*"]);

    [Fact]
    public void Good_ones_have_no_problems()
    {
        Assert.Empty(Of(Pause));
        Assert.Empty(Of(Pause with { Kind = HoldKind.Stopped, MaxWait = TimeSpan.Zero, MaxWaiting = 0 }));
        Assert.Empty(Of(Closed));
        Assert.Empty(Of(Closed with { Org = null, Message = null, Until = Start + TimeSpan.FromHours(1), Exempt = [] }));
    }

    [Fact]
    public void Each_mistake_of_a_hold_is_told()
    {
        Assert.Equal(["unknown-word hold.kind"], Of(Pause with { Kind = (HoldKind)9 }));
        Assert.Equal(["too-long hold.message", "bad-duration hold.maxWait", "bad-count hold.maxWaiting"],
            Of(Pause with { Message = new string('x', 1001), MaxWait = TimeSpan.FromDays(2), MaxWaiting = 0 }));
        Assert.Equal(["bad-count hold.maxWaiting"], Of(Pause with { MaxWaiting = 1_000_001 }));
    }

    [Fact]
    public void Each_mistake_of_a_maintenance_is_told()
    {
        Assert.Equal(["bad-name maintenance.org", "bad-duration maintenance.retryAfter", "bad-time maintenance.until"],
            Of(Closed with { Org = "A b", RetryAfter = TimeSpan.FromSeconds(-1), Until = Start }));
        Assert.Equal(["missing maintenance.exempt"], Of(Closed with { Exempt = null! }));
        Assert.Equal(["bad-path maintenance.exempt[0]", "bad-path maintenance.exempt[1]", "bad-path maintenance.exempt[2]", "bad-path maintenance.exempt[3]"],
            Of(Closed with { Exempt = ["status", "/a*b", null!, "/a/../b"] }));
    }

    private static IEnumerable<string> Of(Hold hold) => Told(p => LevelJudge.Judge(hold, "hold", p));

    private static IEnumerable<string> Of(Maintenance maintenance) => Told(p => LevelJudge.Judge(maintenance, "maintenance", p));

    private static List<string> Told(Action<ProblemList> judge)
    {
        var problems = new ProblemList();
        judge(problems);
        return [.. problems.Problems.Select(p => $"{p.Code} {p.Path}")];
    }
}
