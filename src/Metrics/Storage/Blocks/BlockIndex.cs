using System.Buffers.Binary;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>The index of a block, read where it lies. Series have numbers in the order of their labels. Thread-safe.</summary>
internal sealed class BlockIndex : SeriesIndex
{
    private const int Sections = 5;
    private const int ContentsBytes = 16 + (Sections * 20) + 4 + 8;

    private readonly MappedFile _file;
    private readonly (long At, int Length)[] _sections = new (long At, int Length)[Sections];
    private readonly (byte[] Name, int FirstPair, int Pairs)[] _names;
    private readonly long _minTime;

    /// <summary>Checks the whole file. Throws <see cref="InvalidDataException"/> that says what is wrong with it.</summary>
    public BlockIndex(MappedFile file)
    {
        _file = file;
        var contents = file.Slice(file.Length - ContentsBytes, ContentsBytes);
        var header = BlockIndexWriter.Header;
        if (!file.Slice(0, header.Length).SequenceEqual(header) || !contents[^header.Length..].SequenceEqual(header))
            throw new InvalidDataException("index does not begin and end as an index of version 1");
        var reader = new ByteReader(contents);
        (_minTime, Count) = (reader.Int64(), checked((int)reader.Int64()));
        for (var i = 0; i < Sections; i++)
        {
            _sections[i] = (reader.Int64(), checked((int)reader.Int64()));
            if (reader.UInt32() != LogFrame.Checksum(file.Slice(_sections[i].At, _sections[i].Length)))
                throw new InvalidDataException($"section {i} of index has another checksum");
        }
        if (LogFrame.Checksum(contents[..reader.At]) != reader.UInt32())
            throw new InvalidDataException("the table of contents of index has another checksum");
        _names = ReadNames();
    }

    /// <summary>How many series there are.</summary>
    public int Count { get; }

    public override int NameCount => _names.Length;

    public override int FindName(ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < _names.Length; i++)
            if (name.SequenceEqual(_names[i].Name))
                return i;
        return -1;
    }

    public override ReadOnlySpan<byte> NameAt(int name) => _names[name].Name;

    public override int ValueCount(int name) => _names[name].Pairs;

    public override ReadOnlySpan<byte> ValueAt(int name, int value) => Pair(_names[name].FirstPair + value).Counted();

    public override int FindValue(int name, ReadOnlySpan<byte> value)
    {
        var at = FirstNotBefore(name, value);
        return at < ValueCount(name) && ValueAt(name, at).SequenceEqual(value) ? at : -1;
    }

    public override (int First, int Beyond) ValuesFrom(int name, ReadOnlySpan<byte> prefix)
    {
        if (prefix.IsEmpty)
            return (0, ValueCount(name));
        var first = FirstNotBefore(name, prefix);
        var beyond = first;
        while (beyond < ValueCount(name) && ValueAt(name, beyond).StartsWith(prefix))
            beyond++;
        return (first, beyond);
    }

    public override int PostingCount(int name, int value)
    {
        var pair = Pair(_names[name].FirstPair + value);
        pair.Counted();
        return pair.Int32();
    }

    public override void AddPostings(int name, int value, List<int> into)
    {
        var pair = Pair(_names[name].FirstPair + value);
        pair.Counted();
        PostingBytes.Read(ref pair, pair.Int32(), into);
    }

    public override void AddAll(List<int> into)
    {
        for (var i = 0; i < Count; i++)
            into.Add(i);
    }

    public override Labels LabelsOf(int series)
    {
        var entry = Series(series);
        return TakeLabels(ref entry);
    }

    /// <summary>The labels of a series, and its chunks from first to last.</summary>
    public (Labels Labels, ChunkPlace[] Chunks) Read(int series)
    {
        var entry = Series(series);
        var labels = TakeLabels(ref entry);
        return (labels, TakeChunks(ref entry));
    }

    private ChunkPlace[] TakeChunks(ref ByteReader entry)
    {
        var chunks = new ChunkPlace[entry.Int32()];
        var (offset, time) = ((long)entry.Varint(), _minTime);
        for (var i = 0; i < chunks.Length; i++)
        {
            var min = time + (long)entry.Varint();
            time = min + (long)entry.Varint();
            var length = entry.Int32();
            chunks[i] = new(offset, length, min, time);
            offset += length;
        }
        return chunks;
    }

    private Labels TakeLabels(ref ByteReader entry)
    {
        var packed = new ByteWriter(256);
        var (pair, name) = (0, 0);
        for (var left = entry.Int32(); left > 0; left--)
        {
            pair += entry.Int32();
            while (_names[name].FirstPair + _names[name].Pairs <= pair)
                name++;
            packed.Counted(_names[name].Name);
            packed.Counted(Pair(pair).Counted());
        }
        return Labels.FromPacked(packed.Written);
    }

    private int FirstNotBefore(int name, ReadOnlySpan<byte> value)
    {
        int low = 0, high = ValueCount(name);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (ValueAt(name, middle).SequenceCompareTo(value) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private ByteReader Pair(int pair) => Entry(1, 2, pair);

    private ByteReader Series(int series)
    {
        var entries = Entry(3, 4, series / BlockIndexWriter.SeriesStride);
        for (var skip = series % BlockIndexWriter.SeriesStride; skip > 0; skip--)
            entries.Counted();
        return new(entries.Counted());
    }

    /// <summary>A section from the place on that another section names.</summary>
    private ByteReader Entry(int section, int places, int index)
    {
        var place = BinaryPrimitives.ReadUInt32LittleEndian(_file.Slice(_sections[places].At + (index * 4L), 4));
        return new(_file.Slice(_sections[section].At + place, _sections[section].Length - (int)place));
    }

    private (byte[] Name, int FirstPair, int Pairs)[] ReadNames()
    {
        var reader = new ByteReader(_file.Slice(_sections[0].At, _sections[0].Length));
        var names = new (byte[] Name, int FirstPair, int Pairs)[reader.Int32()];
        var pair = 0;
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = (reader.Counted().ToArray(), pair, reader.Int32());
            pair += names[i].Pairs;
        }
        return pair * 4 == _sections[2].Length ? names : throw new InvalidDataException("the names of index do not go with its pairs");
    }
}
