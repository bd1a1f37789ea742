using Groundcrew.Cli.Speaking;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary>Time as a line of characters, which never shows more than there is.</summary>
public sealed class TimeBarTests
{
    private static readonly DateTimeOffset Zero = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeBar Bar = new(Zero, Zero.AddMinutes(20), 10);

    [Theory]
    [InlineData("0-20", "━━━━━━━━━━")]
    [InlineData("", "          ")]
    [InlineData("2-6", " ━━       ")]
    [InlineData("3-6.5", " ╌━╌      ")]
    [InlineData("3-3", " ╌        ")]
    [InlineData("2-5 5-8", " ━━━      ")]
    [InlineData("4-8 2-5 2-3", " ━━━      ")]
    [InlineData("2-4.9 5.1-8", " ━╌━      ")]
    [InlineData("-9--1 19-30 40-50", "         ╌")]
    public void A_stretch_is_whole_only_where_all_of_it_is_covered(string stretches, string line) =>
        Assert.Equal(line, Bar.Stretches(stretches.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Parse)));

    [Fact]
    public void Several_moments_of_one_part_are_shown_as_several() =>
        Assert.Equal("◆  + ◆   ◆", Bar.Moments(new[] { 0, 6, 7.9, 10, 20, 21, -1 }.Select(m => Zero.AddMinutes(m)), '◆'));

    [Fact]
    public void The_edges_are_named_as_far_as_there_is_room()
    {
        Assert.Equal("00:00  now", Bar.Edges("00:00", "now"));
        Assert.Equal("00:00", Bar.Edges("00:00", "00:20"));
    }

    private static (DateTimeOffset, DateTimeOffset) Parse(string text)
    {
        var at = text.IndexOf('-', 1);
        return (Minute(text[..at]), Minute(text[(at + 1)..]));

        static DateTimeOffset Minute(string number) => Zero.AddMinutes(double.Parse(number, System.Globalization.CultureInfo.InvariantCulture));
    }
}
