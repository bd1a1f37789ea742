using System.Buffers.Binary;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class SipHashTests
{
    /// <summary>The first vectors of the authors' reference (128 bits), of the bytes 00, 01, 02 and so on.</summary>
    [Theory]
    [InlineData(0, "a3817f04ba25a8e66df67214c7550293")]
    [InlineData(1, "da87c1d86b99af44347659119b22fc45")]
    [InlineData(2, "8177228da4a45dc7fca38bdef60affe4")]
    [InlineData(3, "9c70b60c5267a94e5f33b6b02985ed51")]
    public void It_is_the_hash_that_its_authors_describe(int length, string expected)
    {
        var bytes = Enumerable.Range(0, length).Select(i => (byte)i).ToArray();
        var written = new byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(written, new SipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908).Of(bytes));
        Assert.Equal(expected, Convert.ToHexStringLower(written));
    }

    [Fact]
    public void Every_byte_and_the_length_matter_and_so_do_key_and_kind()
    {
        var hash = SipHash.Drawn();
        var seen = new HashSet<UInt128>();
        for (var length = 0; length <= 40; length++)
        {
            Assert.True(seen.Add(hash.Of(new byte[length])));
            for (var i = 0; i < length; i++)
            {
                var bytes = new byte[length];
                bytes[i] = 1;
                Assert.True(seen.Add(hash.Of(bytes)));
                Assert.True(seen.Add(hash.Of(bytes, 1)));
            }
        }
        Assert.NotEqual(hash.Of([1, 2, 3]), SipHash.Drawn().Of([1, 2, 3]));
    }
}
