using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Groundcrew.Metrics;

/// <summary>Takes what an exposition says, line by line or as if it had lines.</summary>
internal interface IExpositionSink
{
    /// <summary>Takes a sample, or something that is said about a metric. What it points to is good during the call only.</summary>
    void Take(in ExpositionLine line);
}

/// <summary>
/// Reads an exposition in protobuf (<c>io.prometheus.client.MetricFamily</c>, each after its length), one family after the other.
/// Series are identified by their labels, counted one after another. Native histograms are samples of the plain name; classic ones
/// become the series that the text format would have. Throws <see cref="ProtoException"/>. Not thread-safe.
/// </summary>
internal sealed class ProtoExposition
{
    private static readonly string[] Types = ["counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram"];

    private readonly ProtoHistogram _histogram = new();
    private readonly List<(double Bound, double Count)> _buckets = [];
    private byte[] _key = new byte[256];
    private bool _native;
    private bool _classic;

    /// <summary>Families that were read.</summary>
    public int Families { get; private set; }

    /// <summary>Begins another exposition.</summary>
    /// <param name="native">Whether native histograms are taken; otherwise all are read as classic ones.</param>
    /// <param name="alsoClassic">Whether a native histogram is read as a classic one too, if it has such buckets.</param>
    public void Begin(bool native, bool alsoClassic) => (_native, _classic, Families) = (native, alsoClassic, 0);

    /// <summary>Where the first family of some bytes begins and how long it is; false when its length is not all there yet.</summary>
    public static bool TryMeasure(ReadOnlySpan<byte> bytes, out int start, out long length)
    {
        length = 0;
        for (start = 0; start < bytes.Length; start++)
        {
            length |= (long)(bytes[start] & 0x7F) << (7 * start);
            if (bytes[start] < 0x80)
            {
                start++;
                return true;
            }
            if (start == 4)
                throw new ProtoException("a family has no believable length");
        }
        return false;
    }

    /// <summary>Takes the labels apart by which a sample of this format is identified.</summary>
    public static void ReadLabels(ReadOnlySpan<byte> key, LabelDraft into)
    {
        into.Load(key);
        for (var i = 0; i < into.Count; i++)
            if (into.NameAt(i).IsEmpty || !Utf8.IsValid(into.NameAt(i)) || !Utf8.IsValid(into.ValueAt(i)))
                throw new ProtoException("a label's name is empty, or a label is not valid UTF-8");
    }

    /// <summary>Reads a family, without its length.</summary>
    public void Read(ReadOnlySpan<byte> family, IExpositionSink into)
    {
        Families++;
        ReadOnlySpan<byte> name = default, help = default, unit = default;
        ulong type = 0;
        for (var proto = new ProtoReader(family); proto.Next();)
            switch (proto.Field)
            {
                case 1: name = proto.Bytes(); break;
                case 2: help = proto.Bytes(); break;
                case 3: type = proto.Number(); break;
                case 5: unit = proto.Bytes(); break;
                default: proto.Skip(); break;
            }
        if (name.IsEmpty || !Utf8.IsValid(name))
            throw new ProtoException("a family's name is empty or not valid UTF-8");
        if (type >= (ulong)Types.Length)
            throw new ProtoException($"unknown metric type for metric \"{Encoding.UTF8.GetString(name)}\": {type}");
        Describe(name, help, unit, (int)type, into);
        for (var proto = new ProtoReader(family); proto.Next();)
            if (proto.Field == 4)
                ReadMetric(proto.Bytes(), name, (int)type, into);
            else
                proto.Skip();
    }

    private static void Describe(ReadOnlySpan<byte> name, ReadOnlySpan<byte> help, ReadOnlySpan<byte> unit, int type, IExpositionSink into)
    {
        into.Take(new ExpositionLine { Kind = LineKind.Type, Series = name, Text = Encoding.UTF8.GetBytes(Types[type]) });
        if (!Utf8.IsValid(help) || !Utf8.IsValid(unit))
            throw new ProtoException($"the help or the unit of \"{Encoding.UTF8.GetString(name)}\" is not valid UTF-8");
        // What is said about metrics is kept with the escapes of the text formats.
        if (help.IndexOfAny((byte)'\\', (byte)'\n') >= 0)
            help = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(help).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal));
        if (!help.IsEmpty)
            into.Take(new ExpositionLine { Kind = LineKind.Help, Series = name, Text = help });
        if (!unit.IsEmpty)
            into.Take(new ExpositionLine { Kind = LineKind.Unit, Series = name, Text = unit });
    }

    private void ReadMetric(ReadOnlySpan<byte> metric, ReadOnlySpan<byte> name, int type, IExpositionSink into)
    {
        var key = 0;
        long time = 0;
        ReadOnlySpan<byte> value = default;
        var wanted = type switch { 0 => 3, 1 => 2, 2 => 4, 3 => 5, _ => 7 };
        for (var proto = new ProtoReader(metric); proto.Next();)
            if (proto.Field == 1)
                key = ReadLabel(proto.Bytes(), key);
            else if (proto.Field == 6)
                time = (long)proto.Number();
            else if (proto.Field == wanted)
                value = proto.Bytes();
            else
                proto.Skip();
        var series = new Series(key, name, time == 0 ? null : time);
        if (type == 2)
            ReadSummary(value, series, into);
        else if (type >= 4)
            ReadHistogram(value, series, gauge: type == 5, into);
        else
            Give(series, "", "", 0, SimpleValue(value), into);
    }

    private int ReadLabel(ReadOnlySpan<byte> label, int at)
    {
        ReadOnlySpan<byte> name = default, value = default;
        for (var proto = new ProtoReader(label); proto.Next();)
            if (proto.Field == 1)
                name = proto.Bytes();
            else if (proto.Field == 2)
                value = proto.Bytes();
            else
                proto.Skip();
        return Pair(at, name, value);
    }

    // Gauge, counter and untyped all have their value as the first field.
    private static double SimpleValue(ReadOnlySpan<byte> message)
    {
        double value = 0;
        for (var proto = new ProtoReader(message); proto.Next();)
            if (proto.Field == 1)
                value = proto.Double();
            else
                proto.Skip();
        return value;
    }

    private void ReadSummary(ReadOnlySpan<byte> summary, in Series series, IExpositionSink into)
    {
        double count = 0, sum = 0;
        _buckets.Clear();
        for (var proto = new ProtoReader(summary); proto.Next();)
            switch (proto.Field)
            {
                case 1: count = proto.Number(); break;
                case 2: sum = proto.Double(); break;
                case 3: _buckets.Add(Two(proto.Bytes())); break;
                default: proto.Skip(); break;
            }
        Give(series, "_count", "", 0, count, into);
        Give(series, "_sum", "", 0, sum, into);
        foreach (var (quantile, value) in _buckets)
            Give(series, "", "quantile", quantile, value, into);
    }

    private static (double Quantile, double Value) Two(ReadOnlySpan<byte> message)
    {
        double quantile = 0, value = 0;
        for (var proto = new ProtoReader(message); proto.Next();)
            if (proto.Field == 1)
                quantile = proto.Double();
            else if (proto.Field == 2)
                value = proto.Double();
            else
                proto.Skip();
        return (quantile, value);
    }

    private void ReadHistogram(ReadOnlySpan<byte> message, in Series series, bool gauge, IExpositionSink into)
    {
        _buckets.Clear();
        _histogram.Read(message, _buckets);
        if (_native && _histogram.IsNative)
        {
            var key = Key(series, "", "", 0);
            into.Take(new ExpositionLine { Kind = LineKind.Sample, Series = key, Time = series.Time, Histogram = _histogram.ToHistogram(gauge) });
            if (!_classic || _buckets.Count == 0)
                return;
        }
        Give(series, "_count", "", 0, _histogram.Count, into);
        Give(series, "_sum", "", 0, _histogram.Sum, into);
        var last = double.NaN;
        foreach (var (bound, count) in _buckets)
            Give(series, "_bucket", "le", last = bound, count, into);
        // Clients may leave the last bucket out, since its count is that of all.
        if (!double.IsPositiveInfinity(last))
            Give(series, "_bucket", "le", double.PositiveInfinity, _histogram.Count, into);
    }

    private void Give(in Series series, string suffix, string label, double labelValue, double value, IExpositionSink into) =>
        into.Take(new ExpositionLine { Kind = LineKind.Sample, Series = Key(series, suffix, label, labelValue), Time = series.Time, Value = value });

    // The labels of the metric stand in the buffer already; what makes each of its series is written behind them.
    private ReadOnlySpan<byte> Key(in Series series, string suffix, string label, double value)
    {
        var most = series.Name.Length + suffix.Length;
        var rented = most <= 256 ? null : ArrayPool<byte>.Shared.Rent(most);
        var name = rented ?? stackalloc byte[256];
        series.Name.CopyTo(name);
        var length = series.Name.Length + Encoding.UTF8.GetBytes(suffix, name[series.Name.Length..]);
        var at = Pair(series.Labels, Labels.MetricNameUtf8, name[..length]);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        if (label.Length > 0)
        {
            Span<byte> text = stackalloc byte[64], labelName = stackalloc byte[16];
            at = Pair(at, labelName[..Encoding.UTF8.GetBytes(label, labelName)], text[..Encoding.UTF8.GetBytes(FloatText.OpenMetrics(value), text)]);
        }
        return _key.AsSpan(0, at);
    }

    private int Pair(int at, scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value)
    {
        var needed = at + LabelText.CountedLength(name.Length) + LabelText.CountedLength(value.Length);
        if (needed > _key.Length)
            Array.Resize(ref _key, Math.Max(needed, _key.Length * 2));
        at += LabelText.WriteCounted(_key.AsSpan(at), name);
        return at + LabelText.WriteCounted(_key.AsSpan(at), value);
    }

    private readonly ref struct Series(int labels, ReadOnlySpan<byte> name, long? time)
    {
        /// <summary>How many bytes of the key the metric's labels take.</summary>
        public readonly int Labels = labels;
        public readonly ReadOnlySpan<byte> Name = name;
        public readonly long? Time = time;
    }
}
