using System.Buffers.Binary;
using System.Text;

namespace Groundcrew.Bench.Metrics;

/// <summary>
/// Requests of remote write 1.0 about the same series, made once and filled with new samples: the labels of a request stay, so
/// the load costs little beside what it measures. Compressed as Snappy's format allows, with its repetitions found.
/// </summary>
internal sealed class WriteStream
{
    private const int SeriesARequest = 2000;
    private readonly Request[] _requests;

    public WriteStream(IReadOnlyList<Series> series)
    {
        Series = series.Count;
        _requests = [.. series.Chunk(SeriesARequest).Select(c => new Request(c))];
    }

    public int Series { get; }

    /// <summary>Sends one sample of every series at a moment, over some connections at once.</summary>
    public async Task SendAsync(Server to, long time, int connections, CancellationToken cancellation) =>
        await Parallel.ForEachAsync(_requests, new ParallelOptions { MaxDegreeOfParallelism = connections, CancellationToken = cancellation },
            async (request, stop) => await to.PostAsync(request.At(time), stop));

    /// <summary>Makes the requests of a moment without sending them: what several sides are sent in turn.</summary>
    public List<ReadOnlyMemory<byte>> Prepare(long time) => [.. _requests.Select(r => (ReadOnlyMemory<byte>)r.At(time).ToArray())];

    private sealed class Request
    {
        private readonly Series[] _series;
        private readonly byte[] _plain;
        private readonly int[] _at;
        private readonly byte[] _packed;

        public Request(Series[] series)
        {
            _series = series;
            _at = new int[series.Length];
            using var plain = new MemoryStream();
            for (var i = 0; i < series.Length; i++)
            {
                using var one = new MemoryStream();
                foreach (var (name, value) in series[i].Labels)
                {
                    using var pair = new MemoryStream();
                    Bytes(pair, 1, Encoding.UTF8.GetBytes(name));
                    Bytes(pair, 2, Encoding.UTF8.GetBytes(value));
                    Bytes(one, 1, pair.ToArray());
                }
                // A sample is 16 bytes: its value (9), the tag of its time (1), and a time of six bytes.
                one.Write([(2 << 3) | 2, 16, (1 << 3) | 1, .. new byte[8], 2 << 3, .. new byte[6]]);
                Bytes(plain, 1, one.ToArray());
                _at[i] = (int)plain.Length - 15;
            }
            _plain = plain.ToArray();
            _packed = new byte[_plain.Length + (_plain.Length / 6) + 64];
        }

        public ReadOnlyMemory<byte> At(long time)
        {
            for (var i = 0; i < _series.Length; i++)
            {
                BinaryPrimitives.WriteInt64LittleEndian(_plain.AsSpan(_at[i]), BitConverter.DoubleToInt64Bits(_series[i].Next()));
                var rest = (ulong)time;
                for (var b = 0; b < 6; b++, rest >>= 7)
                    _plain[_at[i] + 9 + b] = (byte)((rest & 0x7F) | (b < 5 ? 0x80u : 0));
            }
            return _packed.AsMemory(0, SnappyBlocks.Compress(_plain, _packed));
        }

        private static void Bytes(MemoryStream to, int field, byte[] bytes)
        {
            to.WriteByte((byte)((field << 3) | 2));
            var length = bytes.Length;
            for (; length >= 0x80; length >>= 7)
                to.WriteByte((byte)(length | 0x80));
            to.WriteByte((byte)length);
            to.Write(bytes);
        }
    }
}

/// <summary>Snappy's block format with a small search for repetitions: enough to be realistic input.</summary>
internal static class SnappyBlocks
{
    public static int Compress(ReadOnlySpan<byte> plain, Span<byte> packed)
    {
        var at = 0;
        for (var length = (uint)plain.Length; ; length >>= 7)
        {
            packed[at++] = (byte)(length >= 0x80 ? length | 0x80 : length);
            if (length < 0x80)
                break;
        }
        for (var begin = 0; begin < plain.Length; begin += 1 << 16)
            at += CompressBlock(plain.Slice(begin, Math.Min(1 << 16, plain.Length - begin)), packed[at..]);
        return at;
    }

    private static int CompressBlock(ReadOnlySpan<byte> plain, Span<byte> packed)
    {
        Span<ushort> seen = stackalloc ushort[1 << 13];
        seen.Clear();
        var (at, literal, i) = (0, 0, 1);
        while (i + 8 < plain.Length)
        {
            var word = BinaryPrimitives.ReadUInt32LittleEndian(plain[i..]);
            ref var slot = ref seen[(int)((word * 0x1E35A7BD) >> 19)];
            var candidate = (int)slot;
            slot = (ushort)i;
            if (candidate >= i || BinaryPrimitives.ReadUInt32LittleEndian(plain[candidate..]) != word)
            {
                i++;
                continue;
            }
            var length = 4;
            while (i + length < plain.Length && plain[candidate + length] == plain[i + length])
                length++;
            at += Literal(plain[literal..i], packed[at..]);
            at += Copy(i - candidate, length, packed[at..]);
            i += length;
            literal = i;
        }
        return at + Literal(plain[literal..], packed[at..]);
    }

    private static int Literal(ReadOnlySpan<byte> bytes, Span<byte> packed)
    {
        if (bytes.IsEmpty)
            return 0;
        var at = 0;
        if (bytes.Length <= 60)
            packed[at++] = (byte)((bytes.Length - 1) << 2);
        else
        {
            packed[at++] = 61 << 2;
            BinaryPrimitives.WriteUInt16LittleEndian(packed[at..], (ushort)(bytes.Length - 1));
            at += 2;
        }
        bytes.CopyTo(packed[at..]);
        return at + bytes.Length;
    }

    private static int Copy(int offset, int length, Span<byte> packed)
    {
        var at = 0;
        while (length > 0)
        {
            var piece = Math.Min(length, 64);
            packed[at++] = (byte)(((piece - 1) << 2) | 2);
            BinaryPrimitives.WriteUInt16LittleEndian(packed[at..], (ushort)offset);
            at += 2;
            length -= piece;
        }
        return at;
    }
}
