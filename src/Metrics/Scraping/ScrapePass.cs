using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// Takes the lines of one answer and makes a batch of them. The buffers in it are lent to one scrape after another, whatever
/// the target; one thread at a time.
/// </summary>
internal sealed class ScrapePass : IExpositionSink
{
    private const int LargeBatch = 50_000;
    private const int SmallBuffer = 64 * 1024;
    private const int LargeBuffer = 1024 * 1024;
    private const int Unknown = -1;

    private readonly ExpositionParser _parser = new();
    private readonly ProtoExposition _proto = new();
    private readonly LabelDraft _draft = new();
    private readonly LabelDraft _exemplar = new();
    private readonly List<(byte[] Name, byte[] Value)> _conflicts = [];
    private ScrapeConfig _config = null!;
    private Relabelling _rules = null!;
    private Labels _target = Labels.Empty;
    private SeriesCache _cache = null!;
    private MetadataTable _metadata = null!;
    private ISampleSink _sink = null!;
    private ScrapeMetrics _metrics = null!;
    private long _time;
    private ExpositionFormat _format;
    private bool _histogramType;
    private bool _summaryType;
    private bool _hasTooManyBuckets;
    private bool _keepsExemplars;
    private int _maxSchema;

    /// <summary>What will be stored.</summary>
    public SampleBatch Batch { get; private set; } = new();

    /// <summary>The exemplars of what will be stored.</summary>
    public ExemplarBatch Exemplars { get; } = new();

    /// <summary>Bytes that were read and not parsed yet; grows with the longest line.</summary>
    public byte[] Buffer { get; set; } = new byte[SmallBuffer];

    /// <summary>Whether the answer is text.</summary>
    public bool IsText => _format != ExpositionFormat.Protobuf;

    /// <summary>Samples in the answer.</summary>
    public int Scraped { get; private set; }

    /// <summary>Samples that relabelling left.</summary>
    public int Kept { get; private set; }

    /// <summary>Begins an answer.</summary>
    public void Begin(ScrapeJob job, Labels target, SeriesCache cache, MetadataTable metadata, ISampleSink sink, ScrapeMetrics metrics, long time)
    {
        (_config, _rules, _target, _cache, _metadata, _sink, _metrics, _time) = (job.Config, job.SampleRules, target, cache, metadata, sink, metrics, time);
        (Scraped, Kept, _hasTooManyBuckets, _keepsExemplars) = (0, 0, false, job.KeepsExemplars);
        _maxSchema = HistogramLimits.SchemaOf(_config.NativeHistogramMinBucketFactor);
        if (Buffer.Length > LargeBuffer)
            Buffer = new byte[SmallBuffer];
        if (Batch.Count > LargeBatch)
            Batch = new();
        Batch.Clear();
        Exemplars.Clear();
        cache.Begin();
        metadata.Begin();
    }

    /// <summary>Says how the answer is to be read.</summary>
    public void Speak(ExpositionFormat format)
    {
        _format = format;
        (_histogramType, _summaryType) = (false, false);
        // What texts stand for depends on the format.
        _cache.Speak(format);
        _parser.Begin(format);
        _proto.Begin(_config.NativeHistograms, _config.AlsoClassicHistograms);
    }

    /// <summary>Takes what is whole in these bytes, lines or families, and tells how much that was.</summary>
    /// <param name="bytes">What came and was not taken yet.</param>
    /// <param name="needed">How many bytes the rest needs to become whole, as far as that is known.</param>
    public int TakeFrom(ReadOnlySpan<byte> bytes, out long needed) =>
        _format == ExpositionFormat.Protobuf ? TakeFamilies(bytes, out needed) : TakeLines(bytes, out needed);

    /// <summary>Takes one line without its end.</summary>
    public void Take(ReadOnlySpan<byte> line)
    {
        if (_parser.TryReadKnown(line, _cache.Expected, out var read))
        {
            TakeSample(_cache.TakeExpected(), read);
            return;
        }
        if (_parser.LineNumber == 0 && line.Length > 0 && line[0] < ' ' && line[0] is not ((byte)'\t' or (byte)'\r'))
            throw new ScrapeFailure("the answer is not the text that its Content-Type names");
        _parser.Read(line, out read);
        Take(read);
    }

    /// <inheritdoc/>
    public void Take(in ExpositionLine line)
    {
        if (line.Kind == LineKind.Sample)
        {
            if (_format == ExpositionFormat.Protobuf && line.Series.SequenceEqual(_cache.Expected))
                TakeSample(_cache.TakeExpected(), line);
            else
                TakeSample(_cache.TryGet(line.Series, out var known) ? known : Unknown, line);
        }
        else if (line.Kind is LineKind.Help or LineKind.Type or LineKind.Unit)
        {
            _metadata.Note(line);
            if (line.Kind == LineKind.Type)
                (_histogramType, _summaryType) = (line.Text.SequenceEqual("histogram"u8), line.Text.SequenceEqual("summary"u8));
        }
    }

    /// <summary>Call after the last byte, with what is left; throws when the answer is not whole or has too many samples.</summary>
    public void Finish(ReadOnlySpan<byte> rest = default)
    {
        if (_format == ExpositionFormat.Protobuf)
        {
            if (!rest.IsEmpty)
                throw Mistaken(new ProtoException("the answer ends within a family"));
        }
        else
        {
            if (!rest.IsEmpty)
                Take(rest);
            _parser.Finish();
        }
        if (IsOverLimit)
            throw new ScrapeFailure($"sample limit exceeded: {Kept} samples after relabelling, {_config.Limits.Samples} are allowed", _metrics.SampleLimit);
        if (_hasTooManyBuckets)
            throw new ScrapeFailure("histogram bucket limit exceeded", _metrics.BucketLimit);
    }

    private int TakeLines(ReadOnlySpan<byte> bytes, out long needed)
    {
        var start = 0;
        while (bytes[start..].IndexOf((byte)'\n') is >= 0 and var length)
        {
            Take(bytes.Slice(start, length));
            start += length + 1;
        }
        needed = bytes.Length - start + 1;
        return start;
    }

    private int TakeFamilies(ReadOnlySpan<byte> bytes, out long needed)
    {
        var at = 0;
        needed = 1;
        try
        {
            while (ProtoExposition.TryMeasure(bytes[at..], out var start, out var length))
            {
                needed = start + length;
                if (bytes.Length - at < needed)
                    return at;
                _proto.Read(bytes.Slice(at + start, (int)length), this);
                at += (int)needed;
            }
        }
        catch (ProtoException e)
        {
            throw Mistaken(e);
        }
        needed = bytes.Length - at + 1;
        return at;
    }

    private ScrapeFailure Mistaken(ProtoException e) => new($"the answer is not the protobuf that its Content-Type names, or is damaged, after {_proto.Families} families: {e.Message}");

    private bool IsOverLimit => _config.Limits.Samples > 0 && Kept > _config.Limits.Samples;

    private void TakeSample(int entry, in ExpositionLine read)
    {
        Scraped++;
        if (entry == Unknown)
            entry = Meet(read);
        else if (_cache.HandleOf(entry) is not null)
            Kept++;
        // Beyond its limit an answer is counted to its end and nothing of it is kept.
        if (entry == Unknown || IsOverLimit)
            return;
        var hasTime = read.Time is not null && _config.HonorTimestamps;
        _cache.Touch(entry, !hasTime || _config.TrackTimestampsStaleness);
        if (_cache.HandleOf(entry) is not { } handle)
            return;
        var time = hasTime ? read.Time!.Value : _time;
        if (read.Histogram is not { } histogram)
            Batch.Add(handle, time, read.Value);
        else if (HistogramLimits.TryFit(histogram, _maxSchema, _config.Limits.NativeHistogramBuckets))
            Batch.Add(handle, time, histogram);
        else
            _hasTooManyBuckets = true;
        if (_keepsExemplars && !read.Exemplar.IsEmpty)
            TakeExemplar(handle, time, read);
    }

    private void TakeExemplar(SeriesHandle series, long time, in ExpositionLine read)
    {
        _parser.ReadExemplar(read, _exemplar, out var value, out var own);
        Exemplars.Add(series, _exemplar.Pack(), value, own ?? time, own is not null);
    }

    // A series that is not known: its labels are read, joined with the target's, relabelled and judged.
    private int Meet(in ExpositionLine read)
    {
        if (_format == ExpositionFormat.Protobuf)
            ProtoExposition.ReadLabels(read.Series, _draft);
        else
            _parser.ReadLabels(read.Series, read.SeriesAt, _draft);
        Normalize();
        _draft.Pack(out var repeated);
        if (repeated >= 0)
            throw Refusal(read.SeriesAt, $"label name \"{Encoding.UTF8.GetString(_draft.NameAt(repeated))}\" is not unique: invalid sample");
        Join();
        if (!_rules.Apply(_draft))
            return IsOverLimit ? Unknown : _cache.Drop(read.Series);
        Judge(read.SeriesAt);
        Kept++;
        return IsOverLimit ? Unknown : _cache.Add(read.Series, _draft.Pack(), _sink);
    }

    // Bounds and quantiles are one number however they are written, so that one series does not become two.
    private void Normalize()
    {
        var name = _histogramType ? "le"u8 : "quantile"u8;
        if ((_histogramType || _summaryType) && ExpositionNumber.TryParse(_draft.Get(name), out var number))
            _draft.Set(name, Encoding.UTF8.GetBytes(FloatText.OpenMetrics(number)));
    }

    private FormatException Refusal(int at, string message) =>
        _format == ExpositionFormat.Protobuf ? new ProtoException(message) : new ExpositionException(_parser.LineNumber, at, message);

    // The target's labels win, and what they replace is kept under another name; with honor_labels it is the other way round.
    private void Join()
    {
        _conflicts.Clear();
        foreach (var label in _target)
        {
            var there = _draft.Find(label.NameUtf8);
            if (there >= 0 && _config.HonorLabels)
                continue;
            if (there >= 0 && !_draft.ValueAt(there).IsEmpty)
                _conflicts.Add((label.NameUtf8.ToArray(), _draft.ValueAt(there).ToArray()));
            _draft.Set(label.NameUtf8, label.ValueUtf8);
        }
        foreach (var (name, value) in _conflicts.OrderBy(c => c.Name.Length))
        {
            byte[] exported = [.. "exported_"u8, .. name];
            while (!_draft.Get(exported).IsEmpty)
                exported = [.. "exported_"u8, .. exported];
            _draft.Set(exported, value);
        }
    }

    private void Judge(int at)
    {
        var name = _draft.Get(Labels.MetricNameUtf8);
        if (name.IsEmpty)
            throw Refusal(at, "missing metric name (__name__ label)");
        var limits = _config.Limits;
        if (limits.Labels > 0 && _draft.Count > limits.Labels)
            throw new ScrapeFailure($"label_limit exceeded (metric: {Shown(name)}, number of labels: {_draft.Count}, limit: {limits.Labels})", _metrics.LabelLimit);
        if (_config.LegacyNames && !LabelText.IsPlainMetricName(Encoding.UTF8.GetString(name)))
            throw Refusal(at, $"invalid metric name {Shown(name)}: this job allows plain names only");
        if (limits.LabelNameLength == 0 && limits.LabelValueLength == 0 && !_config.LegacyNames)
            return;
        for (var i = 0; i < _draft.Count; i++)
            JudgeLabel(_draft.NameAt(i), _draft.ValueAt(i), name, at);
    }

    private void JudgeLabel(ReadOnlySpan<byte> label, ReadOnlySpan<byte> value, ReadOnlySpan<byte> name, int at)
    {
        var limits = _config.Limits;
        if (limits.LabelNameLength > 0 && label.Length > limits.LabelNameLength)
            throw new ScrapeFailure($"label_name_length_limit exceeded (metric: {Shown(name)}, label name: {Shown(label)}, length: {label.Length}, limit: {limits.LabelNameLength})", _metrics.LabelLimit);
        if (limits.LabelValueLength > 0 && value.Length > limits.LabelValueLength)
            throw new ScrapeFailure($"label_value_length_limit exceeded (metric: {Shown(name)}, label name: {Shown(label)}, value: \"{Shown(value)}\", length: {value.Length}, limit: {limits.LabelValueLength})", _metrics.LabelLimit);
        if (_config.LegacyNames && !LabelText.IsPlainLabelName(Encoding.UTF8.GetString(label)))
            throw Refusal(at, $"invalid label name {Shown(label)}: this job allows plain names only");
    }

    private static string Shown(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text.Length > 50 ? text[..50] : text);
}
