using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Groundcrew.Edge;

/// <summary>
/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein): a short hash under a secret key, so that nobody who
/// does not know the key can choose two inputs that meet. Immutable; allocates nothing.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct SipHash(ulong key0, ulong key1)
{
    private readonly ulong _key0 = key0;
    private readonly ulong _key1 = key1;

    /// <summary>A key of its own, drawn now.</summary>
    public static SipHash Drawn()
    {
        Span<byte> key = stackalloc byte[16];
        RandomNumberGenerator.Fill(key);
        return new SipHash(BinaryPrimitives.ReadUInt64LittleEndian(key), BinaryPrimitives.ReadUInt64LittleEndian(key[8..]));
    }

    /// <summary>The hash of some bytes. Inputs with different <paramref name="kind"/> are hashed under different keys.</summary>
    public UInt128 Of(ReadOnlySpan<byte> bytes, ulong kind = 0)
    {
        var (a, b, c, d) = (_key0 ^ kind ^ 0x736f6d6570736575UL, _key1 ^ 0x646f72616e646f6dUL ^ 0xee, _key0 ^ kind ^ 0x6c7967656e657261UL, _key1 ^ 0x7465646279746573UL);
        var last = (ulong)(byte)bytes.Length << 56;
        while (bytes.Length >= 8)
        {
            Absorb(BinaryPrimitives.ReadUInt64LittleEndian(bytes), ref a, ref b, ref c, ref d);
            bytes = bytes[8..];
        }
        for (var i = 0; i < bytes.Length; i++)
            last |= (ulong)bytes[i] << (8 * i);
        Absorb(last, ref a, ref b, ref c, ref d);
        c ^= 0xee;
        var low = Squeeze(ref a, ref b, ref c, ref d);
        b ^= 0xdd;
        var high = Squeeze(ref a, ref b, ref c, ref d);
        return new UInt128(high, low);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Absorb(ulong word, ref ulong a, ref ulong b, ref ulong c, ref ulong d)
    {
        d ^= word;
        Round(ref a, ref b, ref c, ref d);
        Round(ref a, ref b, ref c, ref d);
        a ^= word;
    }

    private static ulong Squeeze(ref ulong a, ref ulong b, ref ulong c, ref ulong d)
    {
        for (var i = 0; i < 4; i++)
            Round(ref a, ref b, ref c, ref d);
        return a ^ b ^ c ^ d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(ref ulong a, ref ulong b, ref ulong c, ref ulong d)
    {
        a += b;
        b = BitOperations.RotateLeft(b, 13) ^ a;
        a = BitOperations.RotateLeft(a, 32);
        c += d;
        d = BitOperations.RotateLeft(d, 16) ^ c;
        a += d;
        d = BitOperations.RotateLeft(d, 21) ^ a;
        c += b;
        b = BitOperations.RotateLeft(b, 17) ^ c;
        c = BitOperations.RotateLeft(c, 32);
    }
}
