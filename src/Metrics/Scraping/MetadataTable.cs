using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// What one target says about its metrics. What did not change costs a lookup and no allocation. Thread-safe.
/// </summary>
internal sealed class MetadataTable
{
    /// <summary>More metrics than this are not described: a target does not fill the memory with prose.</summary>
    private const int MaxMetrics = 50_000;
    private const int MaxHelpBytes = 4096;

    private readonly Lock _gate = new();
    private readonly Dictionary<byte[], Entry> _entries = new(ByteText.Comparer);
    private int _pass;

    public void Begin()
    {
        lock (_gate)
            _pass++;
    }

    public void Note(in ExpositionLine line)
    {
        lock (_gate)
        {
            var names = _entries.GetAlternateLookup<ReadOnlySpan<byte>>();
            if (!names.TryGetValue(line.Series, out var entry))
            {
                if (_entries.Count >= MaxMetrics)
                    return;
                names[line.Series] = entry = new();
            }
            entry.Seen = _pass;
            var text = line.Text.Length > MaxHelpBytes ? line.Text[..MaxHelpBytes] : line.Text;
            if (line.Kind == LineKind.Help)
                Replace(ref entry.Help, text);
            else if (line.Kind == LineKind.Unit)
                Replace(ref entry.Unit, text);
            else
                entry.Type = ExpositionParser.TypeOf(line.Text) ?? "unknown";
        }
    }

    /// <summary>Forgets what a scrape that ended well did not say any more.</summary>
    public void Keep()
    {
        lock (_gate)
            foreach (var (name, entry) in _entries)
                if (entry.Seen < _pass - 10)
                    _entries.Remove(name);
    }

    public List<MetricMetadata> All(Labels target)
    {
        lock (_gate)
            return [.. _entries.Select(e => new MetricMetadata(target, Plain(e.Key), e.Value.Type, Plain(e.Value.Help), Plain(e.Value.Unit)))];
    }

    private static void Replace(ref byte[] kept, ReadOnlySpan<byte> now)
    {
        if (!now.SequenceEqual(kept))
            kept = now.ToArray();
    }

    private static string Plain(byte[] escaped)
    {
        byte[] text = [.. escaped];
        return Encoding.UTF8.GetString(text.AsSpan(0, LabelDraft.Unescape(text)));
    }

    private sealed class Entry
    {
        public string Type = "unknown";
        public byte[] Help = [];
        public byte[] Unit = [];
        public int Seen;
    }
}
