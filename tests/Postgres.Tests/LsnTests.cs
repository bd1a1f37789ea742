using Xunit;

namespace Groundcrew.Postgres.Tests;

/// <summary>Places in the write-ahead log, as PostgreSQL writes them.</summary>
public sealed class LsnTests
{
    [Theory]
    [InlineData("0/0", 0UL)]
    [InlineData("16/B374D848", 0x16B374D848UL)]
    [InlineData("FFFFFFFF/FFFFFFFF", ulong.MaxValue)]
    public void Its_text_is_read_and_written(string text, ulong value)
    {
        Assert.Equal(value, Lsn.Parse(text).Value);
        Assert.Equal(text, new Lsn(value).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("16")]
    [InlineData("/1")]
    [InlineData("1/123456789")]
    [InlineData("1/-2")]
    [InlineData("1/2/3")]
    public void What_is_none_is_refused(string text) => Assert.False(Lsn.TryParse(text, out _));

    [Theory]
    [InlineData("0/1000000", 1U, "000000010000000000000001")]
    [InlineData("0/FFFFFFFF", 1U, "0000000100000000000000FF")]
    [InlineData("1/0", 2U, "000000020000000100000000")]
    [InlineData("16/B374D848", 0xAU, "0000000A00000016000000B3")]
    public void A_segment_is_named_as_the_server_names_it(string text, uint timeline, string name) =>
        Assert.Equal(name, Lsn.Parse(text).SegmentName(timeline));
}
