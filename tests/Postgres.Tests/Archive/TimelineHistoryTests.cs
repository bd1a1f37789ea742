using Xunit;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>History files, as PostgreSQL writes and reads them.</summary>
public sealed class TimelineHistoryTests
{
    [Fact]
    public void A_file_of_PostgreSQL_is_read()
    {
        const string Text = "1\t0/5000098\tno recovery target specified\n\n# a comment\n2\t0/9000000\tbefore 2026-11-22 02:00:00+00\n";
        Assert.Equal([new TimelineFork(2, 1, Lsn.Parse("0/5000098")), new TimelineFork(5, 2, Lsn.Parse("0/9000000"))], TimelineHistory.Parse(5, Text));
    }

    [Fact]
    public void What_is_written_is_read_again_and_leaves_out_other_branches()
    {
        TimelineFork[] forks = [new(2, 1, new(0x100)), new(3, 1, new(0x200)), new(4, 2, new(0x300))];
        var text = TimelineHistory.Write(4, forks);
        Assert.Equal([forks[0], forks[2]], TimelineHistory.Parse(4, text));
        Assert.Equal("1\t0/100\ttaken from the archive\n2\t0/300\ttaken from the archive\n", text);
        Assert.Empty(TimelineHistory.Write(1, forks));
    }

    [Theory]
    [InlineData("one\t0/5000098")]
    [InlineData("1")]
    [InlineData("1\t5000098\tx")]
    [InlineData("3\t0/5000098\tx")]
    [InlineData("0\t0/5000098\tx")]
    [InlineData("2\t0/5000098\tx\n1\t0/6000000\tx")]
    [InlineData("1\t0/5000098\tx\n2\t0/4000000\tx")]
    public void What_is_no_history_is_refused(string text) => Assert.Throws<FormatException>(() => TimelineHistory.Parse(3, text));
}
