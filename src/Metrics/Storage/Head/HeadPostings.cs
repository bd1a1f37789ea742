using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// Which series of the head have which label: for each name its values, for each value the numbers of its series,
/// ascending. Changed under the head's lock. Lists only grow at their end, so a view of one stays right.
/// </summary>
internal sealed class HeadPostings : SeriesIndex
{
    private readonly List<NameEntry> _names = [];
    private readonly Dictionary<byte[], int> _nameIndex = new(Utf8Comparer.Instance);
    private readonly SeriesTable _series;
    private NumberList _all;

    public HeadPostings(SeriesTable series) => _series = series;

    /// <summary>The order of the series that are in here.</summary>
    public SeriesRanks Ranks { get; } = new();

    /// <summary>How many pairs of name and value there are.</summary>
    public int PairCount { get; private set; }

    public override int NameCount => _names.Count;

    /// <summary>Adds a series that is newer than all there are.</summary>
    public void Add(HeadSeries series)
    {
        Ranks.Add(series);
        Index(series);
    }

    private void Index(HeadSeries series)
    {
        _all.Add(series.Id);
        foreach (var label in series.Labels)
        {
            var name = EntryOf(label.NameUtf8);
            if (!name.Lookup.TryGetValue(label.ValueUtf8, out var at))
            {
                at = name.Values.Count;
                var value = label.ValueUtf8.ToArray();
                name.Values.Add(new() { Value = value });
                name.ByValue.Add(value, at);
                PairCount++;
            }
            CollectionsMarshal.AsSpan(name.Values)[at].Numbers.Add(series.Id);
        }
    }

    /// <summary>Begins again with the series that are left.</summary>
    public void Rebuild()
    {
        _names.Clear();
        _nameIndex.Clear();
        (_all, PairCount) = (default, 0);
        Ranks.DropGone();
        foreach (var series in _series.All())
            Index(series);
    }

    public override int FindName(ReadOnlySpan<byte> name) => _nameIndex.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out var at) ? at : -1;

    public override ReadOnlySpan<byte> NameAt(int name) => _names[name].Name;

    public override int ValueCount(int name) => _names[name].Values.Count;

    public override ReadOnlySpan<byte> ValueAt(int name, int value) => _names[name].Values[value].Value;

    public override int FindValue(int name, ReadOnlySpan<byte> value) => _names[name].Lookup.TryGetValue(value, out var at) ? at : -1;

    public override (int First, int Beyond) ValuesFrom(int name, ReadOnlySpan<byte> prefix) => (0, ValueCount(name));

    public override int PostingCount(int name, int value) => CollectionsMarshal.AsSpan(_names[name].Values)[value].Numbers.Count;

    public override void AddPostings(int name, int value, List<int> into) => CollectionsMarshal.AsSpan(_names[name].Values)[value].Numbers.AddTo(into);

    public override void AddAll(List<int> into) => _all.AddTo(into);

    public override Labels LabelsOf(int series) => _series.Of(series)!.Labels;

    private NameEntry EntryOf(ReadOnlySpan<byte> name)
    {
        var at = FindName(name);
        if (at >= 0)
            return _names[at];
        var entry = new NameEntry(name.ToArray());
        _nameIndex.Add(entry.Name, _names.Count);
        _names.Add(entry);
        return entry;
    }

    private sealed class NameEntry
    {
        public NameEntry(byte[] name)
        {
            Name = name;
            Lookup = ByValue.GetAlternateLookup<ReadOnlySpan<byte>>();
        }

        public byte[] Name { get; }

        public List<ValueEntry> Values { get; } = [];

        public Dictionary<byte[], int> ByValue { get; } = new(Utf8Comparer.Instance);

        public Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> Lookup { get; }
    }

    [StructLayout(LayoutKind.Auto)]
    private struct ValueEntry
    {
        public byte[] Value;
        public NumberList Numbers;
    }

    /// <summary>Ascending numbers; a single one, which most values have, takes no array.</summary>
    [StructLayout(LayoutKind.Auto)]
    private struct NumberList
    {
        private int[]? _numbers;
        private int _first;

        public int Count { get; private set; }

        public void Add(int number)
        {
            if (Count == 0)
                _first = number;
            else
            {
                _numbers ??= [_first, 0];
                if (Count == _numbers.Length)
                    Array.Resize(ref _numbers, Count + (Count >> 1) + 1);
                _numbers[Count] = number;
            }
            Count++;
        }

        public readonly void AddTo(List<int> into)
        {
            if (Count == 1)
                into.Add(_first);
            else if (_numbers is not null)
                into.AddRange(_numbers.AsSpan(0, Count));
        }
    }
}

/// <summary>Texts in UTF-8 as keys, looked up by a span.</summary>
internal sealed class Utf8Comparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static Utf8Comparer Instance { get; } = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode(byte[] obj) => GetHashCode(obj.AsSpan());

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)Labels.HashOf(alternate);

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}
