using System.Buffers.Binary;
using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Tests.Differential;

/// <summary>A request of remote write 1.0, written by the letter of its protobuf messages; Snappy with literals only.</summary>
internal static class WriteRequest
{
    public static byte[] Encode(IEnumerable<(Labels Labels, IReadOnlyList<(long Time, double Value)> Samples)> series)
    {
        using var request = new MemoryStream();
        foreach (var (labels, samples) in series)
            Message(request, 1, one =>
            {
                foreach (var label in labels)
                {
                    var (name, value) = (label.Name, label.Value);
                    Message(one, 1, pair =>
                    {
                        Bytes(pair, 1, Encoding.UTF8.GetBytes(name));
                        Bytes(pair, 2, Encoding.UTF8.GetBytes(value));
                    });
                }
                foreach (var (time, value) in samples)
                    Message(one, 2, sample =>
                    {
                        Varint(sample, (1 << 3) | 1);
                        Span<byte> bits = stackalloc byte[8];
                        BinaryPrimitives.WriteInt64LittleEndian(bits, BitConverter.DoubleToInt64Bits(value));
                        sample.Write(bits);
                        Varint(sample, 2 << 3);
                        Varint(sample, (ulong)time);
                    });
            });
        return Snappy(request.ToArray());
    }

    private static byte[] Snappy(byte[] plain)
    {
        using var packed = new MemoryStream();
        Varint(packed, (ulong)plain.Length);
        for (var at = 0; at < plain.Length; at += 60)
        {
            var length = Math.Min(60, plain.Length - at);
            packed.WriteByte((byte)((length - 1) << 2));
            packed.Write(plain, at, length);
        }
        return packed.ToArray();
    }

    private static void Message(MemoryStream to, int field, Action<MemoryStream> write)
    {
        using var inner = new MemoryStream();
        write(inner);
        Bytes(to, field, inner.ToArray());
    }

    private static void Bytes(MemoryStream to, int field, byte[] bytes)
    {
        Varint(to, (ulong)((field << 3) | 2));
        Varint(to, (ulong)bytes.Length);
        to.Write(bytes);
    }

    private static void Varint(MemoryStream to, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            to.WriteByte((byte)(value | 0x80));
        to.WriteByte((byte)value);
    }
}
