using System.Globalization;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

public sealed class CronTimesTests
{
    [Theory]
    [InlineData("0 2 * * *", "UTC", "2026-11-22T01:59:59Z", "2026-11-22T02:00:00Z")]
    [InlineData("0 2 * * *", "UTC", "2026-11-22T02:00:00Z", "2026-11-23T02:00:00Z")]
    [InlineData("0 2 * * *", "Europe/Berlin", "2026-11-22T00:00:00Z", "2026-11-22T01:00:00Z")]
    [InlineData("*/15 * * * *", "UTC", "2026-11-22T02:14:00Z", "2026-11-22T02:15:00Z")]
    [InlineData("0 */6 * * *", "UTC", "2026-11-22T02:14:00Z", "2026-11-22T06:00:00Z")]
    [InlineData("30 3 * * 0", "UTC", "2026-11-23T00:00:00Z", "2026-11-29T03:30:00Z")]
    [InlineData("30 3 * * 7", "UTC", "2026-11-23T00:00:00Z", "2026-11-29T03:30:00Z")]
    [InlineData("30 3 * * SUN", "UTC", "2026-11-23T00:00:00Z", "2026-11-29T03:30:00Z")]
    [InlineData("0 0 * * 1-5", "UTC", "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z")]
    [InlineData("0 0 * * 5-7", "UTC", "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z")]
    [InlineData("0 0 1 * *", "UTC", "2026-11-22T00:00:00Z", "2026-12-01T00:00:00Z")]
    [InlineData("0 0 29 2 *", "UTC", "2026-11-22T00:00:00Z", "2028-02-29T00:00:00Z")]
    public void A_schedule_gives_its_next_time(string cron, string zone, string after, string next) =>
        Assert.Equal(At(next), Times(cron, zone).After(At(after)));

    [Fact]
    public void A_time_that_the_clocks_leave_out_is_moved_by_the_gap_and_one_that_comes_twice_counts_once()
    {
        // Berlin, 2026-03-29: from 02:00 to 03:00; 2026-10-25: from 03:00 back to 02:00.
        Assert.Equal(At("2026-03-29T01:30:00Z"), Times("30 2 * * *", "Europe/Berlin").After(At("2026-03-28T12:00:00Z")));
        Assert.Equal(At("2026-10-25T00:30:00Z"), Times("30 2 * * *", "Europe/Berlin").After(At("2026-10-24T12:00:00Z")));
        Assert.Equal(At("2026-10-26T01:30:00Z"), Times("30 2 * * *", "Europe/Berlin").After(At("2026-10-25T00:30:00Z")));
    }

    [Fact]
    public void A_jitter_is_the_same_at_every_time_of_one_schedule_and_another_for_others()
    {
        var ids = Enumerable.Range(1, 50).Select(n => new Guid(n, 0, 0, new byte[8])).ToList();
        var offsets = ids.Select(id => CronTimes.OffsetOf(id, TimeSpan.FromMinutes(30))).ToList();
        Assert.All(offsets, o => Assert.InRange(o, TimeSpan.Zero, TimeSpan.FromMinutes(30)));
        Assert.True(offsets.Distinct().Count() > 40);
        Assert.Equal(offsets, ids.Select(id => CronTimes.OffsetOf(id, TimeSpan.FromMinutes(30))));
        var times = CronTimes.Read("", "0 2 * * *", "UTC", TimeSpan.FromMinutes(30), ids[0]).Value!;
        var first = times.After(At("2026-11-22T00:00:00Z"))!.Value;
        Assert.Equal(At("2026-11-22T02:00:00Z") + offsets[0], first);
        Assert.Equal(first + TimeSpan.FromDays(1), times.After(first));
    }

    [Theory]
    [InlineData("")]
    [InlineData("* * * *")]
    [InlineData("0 0 * * * *")]
    [InlineData("61 * * * *")]
    [InlineData("0 24 * * *")]
    [InlineData("0 0 31 2 *")]
    [InlineData("0 0 * * 8")]
    [InlineData("0 0 * * x")]
    [InlineData("0 0 1 * 1")]
    [InlineData("@daily")]
    [InlineData("0 0 ? * *")]
    [InlineData("0 0 L * *")]
    public void What_is_no_schedule_is_refused_with_words(string cron)
    {
        var problem = Assert.Single(CronTimes.Read("schedules[0]", cron, "UTC", TimeSpan.Zero, Guid.Empty).Problems);
        Assert.Equal("schedules[0].cron", problem.Path);
    }

    [Fact]
    public void An_unknown_zone_is_refused() =>
        Assert.Equal("schedules[0].zone", Assert.Single(CronTimes.Read("schedules[0]", "0 2 * * *", "Europe/Nowhere", TimeSpan.Zero, Guid.Empty).Problems).Path);

    private static CronTimes Times(string cron, string zone) => CronTimes.Read("", cron, zone, TimeSpan.Zero, Guid.Empty).Value!;

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
