using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>Where a chunk of a series is.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ChunkPlace(long Offset, int Length, long MinTime, long MaxTime);

/// <summary>
/// Collects the series of a block, in the order of their labels, and writes its index: names, pairs of name and value with
/// the series that have them, series with their pairs and chunks. Bytes: docs/formats/metrics-block.md.
/// </summary>
internal sealed class BlockIndexWriter(long minTime)
{
    /// <summary>Every how many series the place of one is written down.</summary>
    public const int SeriesStride = 16;

    private readonly Dictionary<byte[], int> _pairs = new(Utf8Comparer.Instance);
    private readonly List<List<int>> _postings = [];
    private readonly List<int> _seriesPairs = [];
    private readonly List<int> _pairsBegin = [];
    private readonly ByteWriter _chunks = new(64 * 1024);
    private readonly List<int> _chunksBegin = [];

    /// <summary>The first bytes of an index.</summary>
    public static ReadOnlySpan<byte> Header => "GCMIDX\0\u0001"u8;

    /// <summary>How many series there are.</summary>
    public int Count => _pairsBegin.Count;

    /// <summary>Adds a series; its chunks lie one behind the other.</summary>
    public void Add(Labels labels, ReadOnlySpan<ChunkPlace> chunks)
    {
        var lookup = _pairs.GetAlternateLookup<ReadOnlySpan<byte>>();
        _pairsBegin.Add(_seriesPairs.Count);
        foreach (var label in labels)
        {
            if (!lookup.TryGetValue(label.Whole, out var pair))
            {
                lookup[label.Whole] = pair = _postings.Count;
                _postings.Add([]);
            }
            _seriesPairs.Add(pair);
            _postings[pair].Add(_pairsBegin.Count - 1);
        }
        _chunksBegin.Add(_chunks.Length);
        _chunks.Varint((ulong)chunks.Length);
        _chunks.Varint((ulong)chunks[0].Offset);
        var time = minTime;
        foreach (var chunk in chunks)
        {
            _chunks.Varint((ulong)(chunk.MinTime - time));
            _chunks.Varint((ulong)(chunk.MaxTime - chunk.MinTime));
            _chunks.Varint((ulong)chunk.Length);
            time = chunk.MaxTime;
        }
    }

    /// <summary>The whole file.</summary>
    public ByteWriter Write()
    {
        var into = new ByteWriter(_chunks.Length * 2 + 4096);
        into.Bytes(Header);
        var sections = new List<(int At, int Length)>();
        var pairs = _pairs.ToArray();
        Array.Sort(pairs, static (a, b) => ComparePairs(a.Key, b.Key));
        Section(into, sections, () => WriteNames(into, pairs));
        var places = new List<uint>();
        Section(into, sections, () => WritePairs(into, pairs, places));
        Section(into, sections, () => WritePlaces(into, places));
        places.Clear();
        var final = new int[pairs.Length];
        for (var i = 0; i < pairs.Length; i++)
            final[pairs[i].Value] = i;
        Section(into, sections, () => WriteSeries(into, final, places));
        Section(into, sections, () => WritePlaces(into, places));
        WriteContents(into, sections);
        return into;
    }

    private static void Section(ByteWriter into, List<(int At, int Length)> sections, Action write)
    {
        var at = into.Length;
        write();
        sections.Add((at, into.Length - at));
    }

    private static int ComparePairs(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        var order = LabelText.TakeCounted(ref a).SequenceCompareTo(LabelText.TakeCounted(ref b));
        return order != 0 ? order : LabelText.TakeCounted(ref a).SequenceCompareTo(LabelText.TakeCounted(ref b));
    }

    private static void WriteNames(ByteWriter into, KeyValuePair<byte[], int>[] pairs)
    {
        var names = new List<(byte[] Name, int Count)>();
        foreach (var (pair, _) in pairs)
        {
            ReadOnlySpan<byte> rest = pair;
            var name = LabelText.TakeCounted(ref rest);
            if (names.Count > 0 && name.SequenceEqual(names[^1].Name))
                names[^1] = (names[^1].Name, names[^1].Count + 1);
            else
                names.Add((name.ToArray(), 1));
        }
        into.Varint((ulong)names.Count);
        foreach (var (name, count) in names)
        {
            into.Counted(name);
            into.Varint((ulong)count);
        }
    }

    private void WritePairs(ByteWriter into, KeyValuePair<byte[], int>[] pairs, List<uint> places)
    {
        var begin = into.Length;
        foreach (var (pair, number) in pairs)
        {
            places.Add((uint)(into.Length - begin));
            ReadOnlySpan<byte> rest = pair;
            LabelText.TakeCounted(ref rest);
            into.Bytes(rest);
            PostingBytes.Write(into, _postings[number]);
        }
    }

    private void WriteSeries(ByteWriter into, int[] final, List<uint> places)
    {
        var begin = into.Length;
        var entry = new ByteWriter();
        for (var series = 0; series < Count; series++)
        {
            if (series % SeriesStride == 0)
                places.Add((uint)(into.Length - begin));
            entry.Clear();
            var (from, to) = (_pairsBegin[series], series + 1 < Count ? _pairsBegin[series + 1] : _seriesPairs.Count);
            entry.Varint((ulong)(to - from));
            var before = 0;
            for (var i = from; i < to; i++)
            {
                var pair = final[_seriesPairs[i]];
                entry.Varint((ulong)(pair - before));
                before = pair;
            }
            entry.Bytes(_chunks.Written[_chunksBegin[series]..(series + 1 < Count ? _chunksBegin[series + 1] : _chunks.Length)]);
            into.Counted(entry.Written);
        }
    }

    private static void WritePlaces(ByteWriter into, List<uint> places)
    {
        foreach (var place in places)
            into.UInt32(place);
    }

    private void WriteContents(ByteWriter into, List<(int At, int Length)> sections)
    {
        var begin = into.Length;
        into.Int64(minTime);
        into.Int64(Count);
        foreach (var (at, length) in sections)
        {
            into.Int64(at);
            into.Int64(length);
            into.UInt32(LogFrame.Checksum(into.Written.Slice(at, length)));
        }
        into.UInt32(LogFrame.Checksum(into.Written[begin..]));
        into.Bytes(Header);
    }
}

/// <summary>Ascending numbers: as gaps, or as runs where they are neighbours.</summary>
internal static class PostingBytes
{
    private const byte Gaps = 0, Runs = 1;

    public static void Write(ByteWriter into, List<int> numbers)
    {
        into.Varint((ulong)numbers.Count);
        var (gaps, runs) = (new ByteWriter(numbers.Count + 8), new ByteWriter(64));
        var (before, runBegin, runEnd) = (-1, numbers[0], numbers[0] - 1);
        var runBefore = -1;
        foreach (var number in numbers)
        {
            gaps.Varint((ulong)(number - before - 1));
            before = number;
            if (number != runEnd + 1)
            {
                Run();
                runBegin = number;
            }
            runEnd = number;
        }
        Run();
        into.Varint((ulong)Math.Min(gaps.Length, runs.Length) + 1);
        into.Byte(runs.Length < gaps.Length ? Runs : Gaps);
        into.Bytes((runs.Length < gaps.Length ? runs : gaps).Written);

        void Run()
        {
            runs.Varint((ulong)(runBegin - runBefore - 1));
            runs.Varint((ulong)(runEnd - runBegin));
            runBefore = runEnd;
        }
    }

    /// <summary>Adds the numbers of a list whose count was read.</summary>
    public static void Read(ref ByteReader from, int count, List<int> into)
    {
        var bytes = new ByteReader(from.Counted());
        var kind = bytes.Byte();
        var number = -1;
        while (count > 0)
        {
            number += bytes.Int32() + 1;
            var more = kind == Runs ? bytes.Int32() : 0;
            if (more >= count)
                throw new InvalidDataException("a list of series is longer than it says");
            count -= more + 1;
            for (var end = number + more; number < end; number++)
                into.Add(number);
            into.Add(number);
        }
    }
}
