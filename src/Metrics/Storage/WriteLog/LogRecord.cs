namespace Groundcrew.Metrics;

/// <summary>What the parts of a record are.</summary>
internal enum LogPart : byte
{
    None = 0,
    Series = 1,
    Floats = 2,
    Histograms = 3,
    LateFloats = 4,
    LateHistograms = 5,
    Deleted = 6,
    HeadSeries = 7,
    HeadTimes = 8,
}

/// <summary>Who wants to know what a record holds. What throws here stops the reading.</summary>
internal interface ILogVisitor
{
    void Series(int id, ReadOnlySpan<byte> packed);

    void Float(int id, long time, long value, bool late);

    void Histogram(int id, long time, FloatHistogram histogram, bool late);

    void Deleted(int id, long from, long to);

    void HeadSeries(ref ByteReader reader);

    void HeadTimes(long minValid, long max);
}

/// <summary>
/// Writes the content of one record: parts one behind the other, each with its kind, its count and its entries. A batch is
/// one record, so it is there whole or not at all.
/// </summary>
internal sealed class LogRecordWriter
{
    private const byte ValueMask = 3, RawValue = 0, IntegerValue = 1, ZeroValue = 2, SingleValue = 3, NextId = 4, SameTime = 8;

    private readonly ByteWriter _bytes = new(64 * 1024);
    private LogPart _part;
    private int _countAt;
    private uint _count;
    private int _id;
    private long _time;

    /// <summary>The framed record.</summary>
    public ReadOnlySpan<byte> Frame => _bytes.Written;

    /// <summary>The bytes so far.</summary>
    public int Length => _bytes.Length;

    public void Begin()
    {
        _bytes.Clear();
        LogFrame.Begin(_bytes);
        _part = LogPart.None;
    }

    public ReadOnlySpan<byte> End()
    {
        EndPart();
        LogFrame.End(_bytes);
        return _bytes.Written;
    }

    public void Series(int id, ReadOnlySpan<byte> packed)
    {
        Into(LogPart.Series);
        _bytes.Varint((ulong)id);
        _bytes.Counted(packed);
    }

    public void Float(int id, long time, long value, bool late)
    {
        Into(late ? LogPart.LateFloats : LogPart.Floats);
        var number = BitConverter.Int64BitsToDouble(value);
        var integer = number is > -9e15 and < 9e15 ? (long)number : 0;
        var kind = value == 0 ? ZeroValue
            : integer != 0 && BitConverter.DoubleToInt64Bits(integer) == value ? IntegerValue
            : BitConverter.DoubleToInt64Bits((float)number) == value ? SingleValue : RawValue;
        _bytes.Byte((byte)(kind | (id == _id + 1 ? NextId : 0) | (time == _time ? SameTime : 0)));
        if (id != _id + 1)
            _bytes.ZigZag((long)id - _id);
        if (time != _time)
            _bytes.ZigZag(time - _time);
        if (kind == IntegerValue)
            _bytes.ZigZag(integer);
        else if (kind == SingleValue)
            _bytes.UInt32(BitConverter.SingleToUInt32Bits((float)number));
        else if (kind == RawValue)
            _bytes.Int64(value);
        (_id, _time) = (id, time);
    }

    public void Histogram(int id, long time, FloatHistogram histogram, bool late)
    {
        Into(late ? LogPart.LateHistograms : LogPart.Histograms);
        _bytes.Varint((ulong)id);
        _bytes.ZigZag(time);
        HistogramBytes.Write(_bytes, histogram);
    }

    public void Deleted(int id, long from, long to)
    {
        Into(LogPart.Deleted);
        _bytes.Varint((ulong)id);
        _bytes.Int64(from);
        _bytes.Int64(to);
    }

    public void HeadTimes(long minValid, long max)
    {
        Into(LogPart.HeadTimes);
        _bytes.Int64(minValid);
        _bytes.Int64(max);
    }

    /// <summary>Begins one series of a checkpoint, which its owner writes.</summary>
    public ByteWriter HeadSeries()
    {
        Into(LogPart.HeadSeries);
        return _bytes;
    }

    /// <summary>Hands what a record holds to a visitor.</summary>
    public static void Visit(ReadOnlySpan<byte> content, ILogVisitor visitor)
    {
        var reader = new ByteReader(content);
        while (!reader.IsAtEnd)
        {
            var part = (LogPart)reader.Byte();
            var count = reader.UInt32();
            if (part is LogPart.Floats or LogPart.LateFloats)
                VisitFloats(ref reader, count, visitor, part == LogPart.LateFloats);
            else
                for (; count > 0; count--)
                    VisitOther(ref reader, part, visitor);
        }
    }

    private static void VisitFloats(ref ByteReader reader, uint count, ILogVisitor visitor, bool late)
    {
        var id = 0;
        long time = 0;
        for (; count > 0; count--)
        {
            var flags = reader.Byte();
            id = (flags & NextId) != 0 ? id + 1 : checked((int)(id + reader.ZigZag()));
            if ((flags & SameTime) == 0)
                time += reader.ZigZag();
            var value = (flags & ValueMask) switch
            {
                RawValue => reader.Int64(),
                IntegerValue => BitConverter.DoubleToInt64Bits(reader.ZigZag()),
                SingleValue => BitConverter.DoubleToInt64Bits(BitConverter.UInt32BitsToSingle(reader.UInt32())),
                _ => 0,
            };
            visitor.Float(id, time, value, late);
        }
    }

    private static void VisitOther(ref ByteReader reader, LogPart part, ILogVisitor visitor)
    {
        switch (part)
        {
            case LogPart.Series:
                visitor.Series(reader.Int32(), reader.Counted());
                break;
            case LogPart.Histograms or LogPart.LateHistograms:
                visitor.Histogram(reader.Int32(), reader.ZigZag(), HistogramBytes.Read(ref reader), part == LogPart.LateHistograms);
                break;
            case LogPart.Deleted:
                visitor.Deleted(reader.Int32(), reader.Int64(), reader.Int64());
                break;
            case LogPart.HeadSeries:
                visitor.HeadSeries(ref reader);
                break;
            case LogPart.HeadTimes:
                visitor.HeadTimes(reader.Int64(), reader.Int64());
                break;
            default:
                throw new InvalidDataException($"it has a part of the unknown kind {(int)part}");
        }
    }

    private void Into(LogPart part)
    {
        if (_part != part)
        {
            EndPart();
            (_part, _count, _id, _time) = (part, 0, 0, 0);
            _bytes.Byte((byte)part);
            _countAt = _bytes.Length;
            _bytes.UInt32(0);
        }
        _count++;
    }

    private void EndPart()
    {
        if (_part != LogPart.None)
            _bytes.PatchUInt32(_countAt, _count);
    }
}
