using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// Takes the lines of one answer and makes a batch of them. The buffers in it are lent to one scrape after another, whatever
/// the target; one thread at a time.
/// </summary>
internal sealed class ScrapePass
{
    private const int LargeBatch = 50_000;
    private const int Unknown = -1;

    private readonly ExpositionParser _parser = new();
    private readonly LabelDraft _draft = new();
    private readonly List<(byte[] Name, byte[] Value)> _conflicts = [];
    private ScrapeConfig _config = null!;
    private Relabelling _rules = null!;
    private Labels _target = Labels.Empty;
    private SeriesCache _cache = null!;
    private MetadataTable _metadata = null!;
    private ISampleSink _sink = null!;
    private ScrapeMetrics _metrics = null!;
    private long _time;

    /// <summary>What will be stored.</summary>
    public SampleBatch Batch { get; private set; } = new();

    /// <summary>Bytes that were read and not parsed yet; grows with the longest line.</summary>
    public byte[] Buffer { get; set; } = new byte[64 * 1024];

    /// <summary>Samples in the answer.</summary>
    public int Scraped { get; private set; }

    /// <summary>Samples that relabelling left.</summary>
    public int Kept { get; private set; }

    /// <summary>Begins an answer.</summary>
    public void Begin(ScrapeJob job, Labels target, SeriesCache cache, MetadataTable metadata, ISampleSink sink, ScrapeMetrics metrics, long time)
    {
        (_config, _rules, _target, _cache, _metadata, _sink, _metrics, _time) = (job.Config, job.SampleRules, target, cache, metadata, sink, metrics, time);
        (Scraped, Kept) = (0, 0);
        if (Batch.Count > LargeBatch)
            Batch = new();
        Batch.Clear();
        cache.Begin();
        metadata.Begin();
    }

    public void Speak(ExpositionFormat format) => _parser.Begin(format);

    /// <summary>Takes one line without its end.</summary>
    public void Take(ReadOnlySpan<byte> line)
    {
        if (_parser.TryReadKnown(line, _cache.Expected, out var read))
        {
            TakeSample(_cache.TakeExpected(), read);
            return;
        }
        _parser.Read(line, out read);
        if (read.Kind == LineKind.Sample)
            TakeSample(_cache.TryGet(read.Series, out var known) ? known : Unknown, read);
        else if (read.Kind is LineKind.Help or LineKind.Type or LineKind.Unit)
            _metadata.Note(read);
    }

    /// <summary>Call after the last line; throws when the answer is not whole or has too many samples.</summary>
    public void Finish()
    {
        _parser.Finish();
        if (IsOverLimit)
            throw new ScrapeFailure($"sample limit exceeded: {Kept} samples after relabelling, {_config.Limits.Samples} are allowed", _metrics.SampleLimit);
    }

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
        if (_cache.HandleOf(entry) is { } handle)
            Batch.Add(handle, hasTime ? read.Time!.Value : _time, read.Value);
    }

    // A series that is not known: its labels are read, joined with the target's, relabelled and judged.
    private int Meet(in ExpositionLine read)
    {
        _parser.ReadLabels(read.Series, read.SeriesAt, _draft);
        _draft.Pack(out var repeated);
        if (repeated >= 0)
            throw new ExpositionException(_parser.LineNumber, read.SeriesAt, $"label name \"{Encoding.UTF8.GetString(_draft.NameAt(repeated))}\" is not unique: invalid sample");
        Join();
        if (!_rules.Apply(_draft))
            return IsOverLimit ? Unknown : _cache.Drop(read.Series);
        Judge(read.SeriesAt);
        Kept++;
        return IsOverLimit ? Unknown : _cache.Add(read.Series, _draft.Pack(), _sink);
    }

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
            throw new ExpositionException(_parser.LineNumber, at, "missing metric name (__name__ label)");
        var limits = _config.Limits;
        if (limits.Labels > 0 && _draft.Count > limits.Labels)
            throw new ScrapeFailure($"label_limit exceeded (metric: {Shown(name)}, number of labels: {_draft.Count}, limit: {limits.Labels})", _metrics.LabelLimit);
        if (_config.LegacyNames && !LabelText.IsPlainMetricName(Encoding.UTF8.GetString(name)))
            throw new ExpositionException(_parser.LineNumber, at, $"invalid metric name {Shown(name)}: this job allows plain names only");
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
            throw new ExpositionException(_parser.LineNumber, at, $"invalid label name {Shown(label)}: this job allows plain names only");
    }

    private static string Shown(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text.Length > 50 ? text[..50] : text);
}
