using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Groundcrew.Metrics;

/// <summary>
/// Takes a request of remote write apart, of version 1 (<c>prometheus.WriteRequest</c>) or 2
/// (<c>io.prometheus.write.v2.Request</c>), straight into batches. Lent to one request after another; not thread-safe.
/// </summary>
internal sealed class RemoteWriteRequest
{
    private const int MaxLabels = 10_000;

    private readonly LabelDraft _draft = new();
    private readonly LabelDraft _exemplar = new();
    private readonly List<Symbol> _symbols = [];

    /// <summary>The floats of the request.</summary>
    public SampleBatch Floats { get; } = new();

    /// <summary>Its native histograms.</summary>
    public SampleBatch Histograms { get; } = new();

    /// <summary>Its exemplars.</summary>
    public ExemplarBatch Exemplars { get; } = new();

    /// <summary>Samples of series whose labels are refused.</summary>
    public int Refused { get; private set; }

    /// <summary>Why the first of them was.</summary>
    public string? FirstRefusal { get; private set; }

    /// <summary>Reads a request whole; throws <see cref="ProtoException"/> when it is none, and then nothing of it may be stored.</summary>
    public void Read(ReadOnlySpan<byte> message, bool second, ISampleSink sink)
    {
        Floats.Clear();
        Histograms.Clear();
        Exemplars.Clear();
        (Refused, FirstRefusal) = (0, null);
        if (second)
            ReadSymbols(message);
        var proto = new ProtoReader(message);
        while (proto.Next())
            if (proto.Field == (second ? 5 : 1))
                ReadSeries(proto.Bytes(), second, message, sink);
            else
                proto.Skip();
    }

    private void ReadSymbols(ReadOnlySpan<byte> message)
    {
        _symbols.Clear();
        var proto = new ProtoReader(message);
        while (proto.Next())
            if (proto.Field != 4)
                proto.Skip();
            else if (proto.Bytes() is var text)
                _symbols.Add(new(Offset(message, text), text.Length));
        if (_symbols.Count > 0 && _symbols[0].Length > 0)
            throw new ProtoException("the first symbol is not empty");
    }

    // Fields may come in any order, so the labels are looked for first.
    private void ReadSeries(ReadOnlySpan<byte> series, bool second, ReadOnlySpan<byte> message, ISampleSink sink)
    {
        _draft.Clear();
        var names = new ProtoReader(series);
        while (names.Next())
            if (names.Field != 1)
                names.Skip();
            else if (second)
                ReadReferences(ref names, message, _draft);
            else
                ReadLabel(names.Bytes(), _draft);
        if (_draft.Count > MaxLabels)
            throw new ProtoException($"a series has more than {MaxLabels} labels");
        var packed = _draft.Pack(out var repeated);
        var why = Judge(repeated);
        var handle = why is null ? sink.Resolve(packed) : null;
        var refused = ReadSamples(series, second, handle);
        if (handle is not null)
            ReadExemplars(series, second, message, handle);
        if (why is null)
            return;
        Refused += refused;
        FirstRefusal ??= $"{why}: {Shown()}";
    }

    private int ReadSamples(ReadOnlySpan<byte> series, bool second, SeriesHandle? handle)
    {
        var refused = 0;
        var proto = new ProtoReader(series);
        while (proto.Next())
        {
            if (proto.Field == 2)
                ReadSample(proto.Bytes(), handle);
            else if (proto.Field == (second ? 3 : 4))
                ReadHistogram(proto.Bytes(), handle);
            else
            {
                proto.Skip();
                continue;
            }
            refused += handle is null ? 1 : 0;
        }
        return refused;
    }

    private void ReadExemplars(ReadOnlySpan<byte> series, bool second, ReadOnlySpan<byte> message, SeriesHandle handle)
    {
        var proto = new ProtoReader(series);
        while (proto.Next())
            if (proto.Field == (second ? 4 : 3))
                ReadExemplar(proto.Bytes(), second, message, handle);
            else
                proto.Skip();
    }

    private void ReadExemplar(ReadOnlySpan<byte> exemplar, bool second, ReadOnlySpan<byte> message, SeriesHandle handle)
    {
        double value = 0;
        long time = 0;
        _exemplar.Clear();
        var proto = new ProtoReader(exemplar);
        while (proto.Next())
            if (proto.Field == 2)
                value = proto.Double();
            else if (proto.Field == 3)
                time = (long)proto.Number();
            else if (proto.Field != 1)
                proto.Skip();
            else if (second)
                ReadReferences(ref proto, message, _exemplar);
            else
                ReadLabel(proto.Bytes(), _exemplar);
        var packed = _exemplar.Pack(out var repeated);
        if (repeated < 0 && AreTexts(_exemplar))
            Exemplars.Add(handle, packed, value, time, hasOwnTime: true);
    }

    private static bool AreTexts(LabelDraft labels)
    {
        for (var i = 0; i < labels.Count; i++)
            if (labels.NameAt(i).IsEmpty || !Utf8.IsValid(labels.NameAt(i)) || !Utf8.IsValid(labels.ValueAt(i)))
                return false;
        return true;
    }

    private static void ReadLabel(ReadOnlySpan<byte> label, LabelDraft into)
    {
        ReadOnlySpan<byte> name = default, value = default;
        var proto = new ProtoReader(label);
        while (proto.Next())
            if (proto.Field == 1)
                name = proto.Bytes();
            else if (proto.Field == 2)
                value = proto.Bytes();
            else
                proto.Skip();
        into.Add(name, value);
    }

    private void ReadReferences(ref ProtoReader proto, ReadOnlySpan<byte> message, LabelDraft into)
    {
        if (!proto.IsBytes)
            throw new ProtoException("the references of labels do not stand in a row");
        var row = new ProtoReader(proto.Bytes());
        while (!row.AtEnd)
        {
            var name = TextOf(row.Varint(), message);
            if (row.AtEnd)
                throw new ProtoException("invalid labelRefs length: a name has no value");
            into.Add(name, TextOf(row.Varint(), message));
        }
    }

    private ReadOnlySpan<byte> TextOf(ulong reference, ReadOnlySpan<byte> message) =>
        reference < (ulong)_symbols.Count
            ? message.Slice(_symbols[(int)reference].At, _symbols[(int)reference].Length)
            : throw new ProtoException($"labelRefs {reference} (name or value) is outside of the {_symbols.Count} symbols");

    private void ReadSample(ReadOnlySpan<byte> sample, SeriesHandle? series)
    {
        double value = 0;
        long time = 0;
        var proto = new ProtoReader(sample);
        while (proto.Next())
            if (proto.Field == 1)
                value = proto.Double();
            else if (proto.Field == 2)
                time = (long)proto.Number();
            else
                proto.Skip();
        if (series is not null)
            Floats.Add(series, time, value);
    }

    private void ReadHistogram(ReadOnlySpan<byte> message, SeriesHandle? series)
    {
        var histogram = HistogramForm.Read(message, out var time);
        if (series is not null)
            Histograms.Add(series, time, histogram);
    }

    private string? Judge(int repeated)
    {
        if (repeated >= 0)
            return $"label name \"{Encoding.UTF8.GetString(_draft.NameAt(repeated))}\" is not unique: invalid labels";
        if (!AreTexts(_draft))
            return "invalid metric name or labels, a name is empty or something is no valid UTF-8";
        return _draft.Get(Labels.MetricNameUtf8).IsEmpty ? "invalid metric name or labels, there is no metric name" : null;
    }

    private string Shown()
    {
        var text = new StringBuilder("{");
        for (var i = 0; i < _draft.Count && text.Length < 500; i++)
            LabelText.AppendPair(i > 0 ? text.Append(", ") : text, Encoding.UTF8.GetString(_draft.NameAt(i)), Encoding.UTF8.GetString(_draft.ValueAt(i)));
        return text.Append('}').ToString();
    }

    private static int Offset(ReadOnlySpan<byte> whole, ReadOnlySpan<byte> part) =>
        part.IsEmpty ? 0 : (int)System.Runtime.CompilerServices.Unsafe.ByteOffset(ref MemoryMarshal.GetReference(whole), ref MemoryMarshal.GetReference(part));

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Symbol(int At, int Length);
}
