using System.Numerics;
using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// Floats as blocks keep them: times and values apart, each as small numbers side by side. Times as deviations from a steady
/// interval; values, where all of them are decimal numbers of few digits, as steps of whole numbers, and otherwise as the
/// bits that change. Smaller than bit streams and faster to read. Bytes: docs/formats/metrics-block.md.
/// </summary>
internal sealed class ColumnChunk
{
    /// <summary>The most samples of one chunk.</summary>
    public const int MaxCount = 600;

    private const byte Constant = 0, Steps = 1, StepsOfSteps = 2, ChangedBits = 3;
    private const int MaxDigits = 12;
    private const double MaxWhole = 1L << 53;

    private static readonly double[] Powers = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];

    private readonly ulong[] _column = new ulong[MaxCount];
    private readonly long[] _whole = new long[MaxCount];
    private readonly List<int> _odd = [];
    private readonly ByteWriter _best = new();
    private readonly ByteWriter _try = new();

    /// <summary>Writes 1 to <see cref="MaxCount"/> samples.</summary>
    public void Write(ByteWriter into, ReadOnlySpan<long> times, ReadOnlySpan<double> values)
    {
        into.Varint((ulong)times.Length);
        WriteTimes(into, times);
        var bits = MemoryMarshal.Cast<double, long>(values);
        if (!bits.ContainsAnyExcept(bits[0]))
        {
            into.Byte(Constant);
            into.Int64(bits[0]);
            return;
        }
        _best.Clear();
        WriteChangedBits(_best, bits);
        if (TryWhole(values, bits, out var digits))
        {
            Try(bits, digits, twice: false);
            Try(bits, digits, twice: true);
        }
        into.Bytes(_best.Written);
    }

    /// <summary>How many samples a chunk has; the place behind that number.</summary>
    public static int Count(ReadOnlySpan<byte> bytes, out int at)
    {
        var reader = new ByteReader(bytes);
        var count = reader.Int32();
        at = reader.At;
        return count is >= 1 and <= MaxCount ? count : throw new InvalidDataException("a chunk names an impossible count");
    }

    /// <summary>Reads the samples; <paramref name="bytes"/> goes on for 8 bytes behind them.</summary>
    public static void Read(ReadOnlySpan<byte> bytes, int at, Span<long> times, Span<double> values)
    {
        var reader = new ByteReader(bytes) { At = at };
        times[0] = reader.ZigZag();
        if (times.Length > 1)
        {
            var interval = reader.ZigZag();
            at = reader.At;
            PackedColumn.Read(bytes, ref at, MemoryMarshal.Cast<long, ulong>(times[1..]));
            var time = times[0];
            for (var i = 1; i < times.Length; i++)
                times[i] = time += interval + LogNumbers.UnZigZag((ulong)times[i]);
            reader.At = at;
        }
        var kind = reader.Byte();
        if (kind == Constant)
            values.Fill(BitConverter.Int64BitsToDouble(reader.Int64()));
        else if (kind == ChangedBits)
            ReadChangedBits(bytes, ref reader, MemoryMarshal.Cast<double, long>(values));
        else
            ReadWhole(bytes, ref reader, kind, values);
    }

    private static void ReadChangedBits(ReadOnlySpan<byte> bytes, ref ByteReader reader, Span<long> values)
    {
        values[0] = reader.Int64();
        int shift = reader.Byte(), at = reader.At;
        PackedColumn.Read(bytes, ref at, MemoryMarshal.Cast<long, ulong>(values[1..]));
        var value = values[0];
        for (var i = 1; i < values.Length; i++)
            values[i] = value ^= values[i] << shift;
    }

    private static void ReadWhole(ReadOnlySpan<byte> bytes, ref ByteReader reader, byte kind, Span<double> values)
    {
        int digits = reader.Byte();
        var odd = reader.Int32();
        var oddAt = reader.At;
        for (var i = 0; i < odd; i++)
        {
            reader.Int32();
            reader.Int64();
        }
        var whole = reader.ZigZag();
        var step = kind == StepsOfSteps ? reader.ZigZag() : 0;
        var at = reader.At;
        var steps = MemoryMarshal.Cast<double, ulong>(values[1..]);
        PackedColumn.Read(bytes, ref at, steps);
        values[0] = whole;
        if (kind == StepsOfSteps)
            for (var i = 0; i < steps.Length; i++)
                values[i + 1] = whole += step += LogNumbers.UnZigZag(steps[i]);
        else
            for (var i = 0; i < steps.Length; i++)
                values[i + 1] = whole += LogNumbers.UnZigZag(steps[i]);
        if (digits > 0)
            for (var (i, power) = (0, Powers[digits]); i < values.Length; i++)
                values[i] /= power;
        reader.At = oddAt;
        for (var index = 0; odd > 0; odd--)
        {
            index += reader.Int32();
            values[index] = BitConverter.Int64BitsToDouble(reader.Int64());
        }
    }

    private void Try(ReadOnlySpan<long> bits, int digits, bool twice)
    {
        _try.Clear();
        WriteWhole(_try, bits, digits, bits.Length, twice);
        if (_try.Length >= _best.Length)
            return;
        _best.Clear();
        _best.Bytes(_try.Written);
    }

    private void WriteTimes(ByteWriter into, ReadOnlySpan<long> times)
    {
        into.ZigZag(times[0]);
        if (times.Length == 1)
            return;
        // The interval that most have, as far as a middle one tells.
        var deltas = _whole.AsSpan(0, times.Length - 1);
        for (var i = 0; i < deltas.Length; i++)
            deltas[i] = times[i + 1] - times[i];
        deltas.Sort();
        var interval = deltas[deltas.Length / 2];
        into.ZigZag(interval);
        for (var i = 1; i < times.Length; i++)
            _column[i - 1] = LogNumbers.ZigZag(times[i] - times[i - 1] - interval);
        PackedColumn.Write(into, _column.AsSpan(0, times.Length - 1));
    }

    private void WriteChangedBits(ByteWriter into, ReadOnlySpan<long> bits)
    {
        into.Byte(ChangedBits);
        into.Int64(bits[0]);
        ulong all = 0;
        for (var i = 1; i < bits.Length; i++)
            all |= _column[i - 1] = (ulong)(bits[i] ^ bits[i - 1]);
        var shift = BitOperations.TrailingZeroCount(all);
        into.Byte((byte)shift);
        for (var i = 0; i < bits.Length - 1; i++)
            _column[i] >>= shift;
        PackedColumn.Write(into, _column.AsSpan(0, bits.Length - 1));
    }

    /// <summary>Whether nearly all values are whole numbers divided by one power of ten, bit for bit.</summary>
    private bool TryWhole(ReadOnlySpan<double> values, ReadOnlySpan<long> bits, out int digits)
    {
        digits = 0;
        var failed = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var needed = digits;
            while (needed <= MaxDigits && !IsWhole(values[i], bits[i], needed, out _))
                needed++;
            if (needed <= MaxDigits)
                digits = needed;
            else if (++failed > values.Length / 16 + 1)
                return false;
        }
        _odd.Clear();
        for (var i = 0; i < values.Length; i++)
            if (!IsWhole(values[i], bits[i], digits, out _whole[i]))
            {
                _odd.Add(i);
                _whole[i] = i > 0 ? _whole[i - 1] : 0;
            }
        return _odd.Count <= values.Length / 16 + 1;
    }

    private static bool IsWhole(double value, long bits, int digits, out long whole)
    {
        var scaled = Math.Round(value * Powers[digits]);
        whole = 0;
        if (!(Math.Abs(scaled) < MaxWhole))
            return false;
        whole = (long)scaled;
        return BitConverter.DoubleToInt64Bits(whole / Powers[digits]) == bits;
    }

    private void WriteWhole(ByteWriter into, ReadOnlySpan<long> bits, int digits, int count, bool twice)
    {
        into.Byte(twice ? StepsOfSteps : Steps);
        into.Byte((byte)digits);
        into.Varint((ulong)_odd.Count);
        var before = 0;
        foreach (var index in _odd)
        {
            into.Varint((ulong)(index - before));
            into.Int64(bits[index]);
            before = index;
        }
        into.ZigZag(_whole[0]);
        var step = twice ? _whole[1] - _whole[0] : 0;
        if (twice)
            into.ZigZag(step);
        for (var i = 1; i < count; i++)
        {
            var next = _whole[i] - _whole[i - 1];
            _column[i - 1] = LogNumbers.ZigZag(twice ? next - step : next);
            step = next;
        }
        PackedColumn.Write(into, _column.AsSpan(0, count - 1));
    }
}
