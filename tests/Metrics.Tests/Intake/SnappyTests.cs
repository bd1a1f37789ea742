using System.Text;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class SnappyTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void What_is_packed_is_unpacked_again(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 400; round++)
        {
            var plain = new byte[round < 100 ? round : random.Next(200_000)];
            var variety = random.Next(1, 256);
            for (var i = 0; i < plain.Length; i++)
                plain[i] = i > 70 && random.Next(3) == 0 ? plain[i - random.Next(1, 70)] : (byte)random.Next(variety);
            Assert.Equal(plain, Unpack(Pack(plain))!);
        }
    }

    [Fact]
    public void Repetition_is_packed_tightly()
    {
        var plain = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("http_requests_total", 10_000)));
        Assert.InRange(Pack(plain).Length, 1, plain.Length / 15);
    }

    [Fact]
    public void Blocks_of_the_description_of_the_format_are_read()
    {
        Assert.Equal("abcabcabcabca"u8.ToArray(), Unpack([13, 8, (byte)'a', (byte)'b', (byte)'c', 1 | (6 << 2), 3])!);
        Assert.Equal("xxxxxx"u8.ToArray(), Unpack([6, 0, (byte)'x', 2 | (4 << 2), 1, 0])!);
        Assert.Equal("xxxxxx"u8.ToArray(), Unpack([6, 0, (byte)'x', 3 | (4 << 2), 1, 0, 0, 0])!);
        Assert.Empty(Unpack([0])!);
    }

    [Theory]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 5, 0, (byte)'x' })]
    [InlineData(new byte[] { 1, 0 })]
    [InlineData(new byte[] { 6, 0, (byte)'x', 2 | (4 << 2), 2, 0 })]
    [InlineData(new byte[] { 6, 0, (byte)'x', 2 | (4 << 2), 0, 0 })]
    [InlineData(new byte[] { 3, 0, (byte)'x', 2 | (4 << 2), 1, 0 })]
    [InlineData(new byte[] { 9, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 1 })]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x7F })]
    public void A_damaged_block_is_refused(byte[] packed) => Assert.Null(Unpack(packed));

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Damage_anywhere_never_leaves_the_bounds(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 3000; round++)
        {
            var plain = new byte[random.Next(1000)];
            for (var i = 0; i < plain.Length; i++)
                plain[i] = (byte)random.Next(4);
            var packed = Pack(plain);
            for (var change = random.Next(1, 5); change > 0; change--)
                packed[random.Next(packed.Length)] = (byte)random.Next(256);
            if (SnappyBlock.TryReadLength(packed, out var length, out _) && length < 1_000_000)
                SnappyBlock.TryUnpack(packed, new byte[length]);
        }
    }

    internal static byte[] Pack(byte[] plain)
    {
        var packed = new byte[SnappyBlock.MaxPackedLength(plain.Length)];
        return packed[..SnappyBlock.Pack(plain, packed)];
    }

    private static byte[]? Unpack(byte[] packed)
    {
        if (!SnappyBlock.TryReadLength(packed, out var length, out _) || length > 10_000_000)
            return null;
        var plain = new byte[length];
        return SnappyBlock.TryUnpack(packed, plain) ? plain : null;
    }
}
