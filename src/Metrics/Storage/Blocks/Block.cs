using System.Runtime.InteropServices;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// Series of a range of time in a folder that does not change, apart from what was deleted of it. Open until everyone has
/// released it. Thread-safe.
/// </summary>
internal sealed class Block
{
    public const string ChunksName = "chunks", IndexName = "index", TombstonesName = "tombstones";

    private readonly MappedFile _index;
    private readonly MappedFile _chunks;
    private readonly Action<string> _damaged;
    private volatile IReadOnlyDictionary<int, TimeRanges> _deleted;
    private int _holders = 1;

    private Block(string folder, BlockMeta meta, MappedFile index, MappedFile chunks, Action<string> damaged)
    {
        (Folder, Meta, _index, _chunks, _damaged) = (folder, meta, index, chunks, damaged);
        if (index.Length != meta.IndexBytes || chunks.Length != meta.ChunkBytes)
            throw new InvalidDataException("its files have not the sizes that meta.json names");
        if (!chunks.Slice(0, BlockWriter.ChunksHeader.Length).SequenceEqual(BlockWriter.ChunksHeader))
            throw new InvalidDataException("chunks does not begin as chunks of version 1");
        Index = new(index);
        _deleted = TombstoneFile.Read(Path.Combine(folder, TombstonesName));
    }

    public string Folder { get; }

    public BlockMeta Meta { get; }

    public BlockIndex Index { get; }

    /// <summary>What was deleted, by the number of the series.</summary>
    public IReadOnlyDictionary<int, TimeRanges> Deleted => _deleted;

    /// <summary>No sample is earlier.</summary>
    public long MinTime => Meta.MinTime;

    /// <summary>All samples are earlier.</summary>
    public long MaxTime => Meta.MaxTime;

    /// <summary>Whether its folder goes when the last reader releases it.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>Opens a block. Throws <see cref="InvalidDataException"/> that says what is wrong with it.</summary>
    /// <param name="folder">The block's folder.</param>
    /// <param name="damaged">Told once for each chunk that turns out to be damaged.</param>
    public static Block Open(string folder, Action<string> damaged)
    {
        var opened = new List<MappedFile>();
        try
        {
            var meta = BlockMeta.Parse(File.ReadAllBytes(Path.Combine(folder, BlockMeta.FileName)));
            opened.Add(new(Path.Combine(folder, IndexName)));
            opened.Add(new(Path.Combine(folder, ChunksName)));
            return new(folder, meta, opened[0], opened[1], damaged);
        }
        catch (Exception e) when (e is FileNotFoundException or OverflowException or ArgumentOutOfRangeException or InvalidDataException)
        {
            opened.ForEach(f => f.Dispose());
            throw new InvalidDataException(e.Message, e);
        }
    }

    public bool Overlaps(long from, long to) => MinTime <= to && MaxTime > from;

    /// <summary>The series that fulfil all conditions and have chunks in a range, in the order of their labels.</summary>
    public List<StoredSeries> Select(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation)
    {
        var found = new List<StoredSeries>();
        foreach (var number in Index.Select(matchers, cancellation))
        {
            var (labels, chunks) = Index.Read(number);
            if (chunks[0].MinTime <= to && chunks[^1].MaxTime >= from)
                found.Add(new BlockSeries(this, labels, chunks, _deleted.GetValueOrDefault(number)));
        }
        return found;
    }

    /// <summary>A series by its number.</summary>
    public BlockSeries SeriesAt(int number)
    {
        var (labels, chunks) = Index.Read(number);
        return new(this, labels, chunks, _deleted.GetValueOrDefault(number));
    }

    /// <summary>Writes down what is deleted from now on.</summary>
    public void Delete(IReadOnlyDictionary<int, TimeRanges> deleted, DurableFiles files)
    {
        TombstoneFile.Write(Path.Combine(Folder, TombstonesName), deleted, files);
        _deleted = deleted;
    }

    public void Hold() => Interlocked.Increment(ref _holders);

    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) > 0)
            return;
        _index.Dispose();
        _chunks.Dispose();
        if (IsLeaving)
            Remove(Folder);
    }

    /// <summary>Takes a block away: one rename, after which it is no block any more, and then its files.</summary>
    public static void Remove(string folder)
    {
        if (!Directory.Exists(folder))
            return;
        var gone = folder + ".gone";
        Directory.Move(folder, gone);
        Directory.Delete(gone, recursive: true);
    }

    /// <summary>Adds the samples of a chunk that are in a range; a damaged chunk is reported and has none.</summary>
    public void ReadChunk(in ChunkPlace place, long from, long to, SampleBuffer into)
    {
        var count = into.Count;
        try
        {
            // The last eight bytes are those of the next chunk or of the end; readers of columns look at them.
            var bytes = _chunks.Slice(place.Offset, place.Length + 4);
            var body = bytes[..(place.Length - 4)];
            if (LogFrame.Checksum(body) != MemoryMarshal.Read<uint>(bytes[(place.Length - 4)..]))
                throw new InvalidDataException("it has another checksum");
            ReadChunk(body[0], bytes[1..], from, to, into);
        }
        catch (Exception e) when (e is InvalidDataException or OverflowException or ArgumentOutOfRangeException or IndexOutOfRangeException)
        {
            into.RemoveLast(into.Count - count);
            _damaged($"The chunk at {place.Offset} of '{Path.Combine(Folder, ChunksName)}' cannot be read: {e.Message}.");
        }
    }

    private static void ReadChunk(byte kind, ReadOnlySpan<byte> bytes, long from, long to, SampleBuffer into)
    {
        if (kind == BlockWriter.Histograms)
        {
            var reader = new ByteReader(bytes);
            HistogramChunk.Decode(ref reader, from, to, into);
            return;
        }
        if (kind != BlockWriter.Floats)
            throw new InvalidDataException($"it is of the unknown kind {kind}");
        into.AddRange(ColumnChunk.Count(bytes, out var at), out var times, out var values);
        ColumnChunk.Read(bytes, at, times, values);
        if (times[0] < from || times[^1] > to)
            SampleMerge.Clip(into, times, values, from, to);
    }
}

/// <summary>A series of a block.</summary>
internal sealed class BlockSeries(Block block, Labels labels, ChunkPlace[] chunks, TimeRanges? deleted) : StoredSeries
{
    public override Labels Labels => labels;

    public override void Read(long from, long to, SampleBuffer into)
    {
        var read = deleted is null ? into : new SampleBuffer();
        foreach (ref readonly var chunk in chunks.AsSpan())
            if (chunk.MinTime <= to && chunk.MaxTime >= from)
                block.ReadChunk(in chunk, from, to, read);
        if (deleted is not null)
            SampleMerge.CopyKept(read, deleted, into);
    }
}

/// <summary>What was deleted of a block. Bytes: docs/formats/metrics-block.md.</summary>
internal static class TombstoneFile
{
    private static ReadOnlySpan<byte> Header => "GCMTMB\0\u0001"u8;

    public static IReadOnlyDictionary<int, TimeRanges> Read(string path)
    {
        var deleted = new Dictionary<int, TimeRanges>();
        if (!File.Exists(path))
            return deleted;
        ReadOnlySpan<byte> bytes = File.ReadAllBytes(path);
        var at = Header.Length;
        if (!bytes.StartsWith(Header) || !LogFrame.TryTake(bytes, ref at, out var content) || at != bytes.Length)
            throw new InvalidDataException("tombstones is damaged");
        var reader = new ByteReader(content);
        while (!reader.IsAtEnd)
        {
            var series = reader.Int32();
            var (from, to) = (reader.Int64(), reader.Int64());
            deleted[series] = TimeRanges.With(deleted.GetValueOrDefault(series), from, to);
        }
        return deleted;
    }

    public static void Write(string path, IReadOnlyDictionary<int, TimeRanges> deleted, DurableFiles files)
    {
        var bytes = new ByteWriter();
        bytes.Bytes(Header);
        LogFrame.Begin(bytes);
        foreach (var (series, ranges) in deleted.OrderBy(d => d.Key))
            foreach (var (from, to) in ranges.All)
            {
                bytes.Varint((ulong)series);
                bytes.Int64(from);
                bytes.Int64(to);
            }
        LogFrame.End(bytes, Header.Length);
        files.Replace(path, bytes.Written);
    }
}
