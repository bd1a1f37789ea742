using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// Writes a block beside its place, series after series in the order of their labels; it is there once <see cref="Commit"/>
/// has renamed its folder. Not thread-safe.
/// </summary>
internal sealed class BlockWriter : IDisposable
{
    /// <summary>Kinds of chunks.</summary>
    public const byte Floats = 2, Histograms = 3;

    private const int FlushBytes = 1 << 20;

    private readonly string _folder;
    private readonly string _temporary;
    private readonly string _id;
    private readonly long _minTime;
    private readonly DurableFiles _files;
    private readonly AppendFile _chunks;
    private readonly BlockIndexWriter _index;
    private readonly ByteWriter _bytes = new(FlushBytes + (64 * 1024));
    private readonly ColumnChunk _column = new();
    private readonly List<ChunkPlace> _places = [];
    private long _samples, _chunkCount;
    private bool _isCommitted;

    /// <summary>Begins a block in a folder of blocks.</summary>
    public BlockWriter(string folder, string id, long minTime, DurableFiles files)
    {
        (_folder, _id, _minTime, _files) = (folder, id, minTime, files);
        _temporary = Path.Combine(folder, id + ".tmp");
        _chunks = files.OpenAppend(Path.Combine(_temporary, Block.ChunksName));
        _index = new(minTime);
        _bytes.Bytes(ChunksHeader);
    }

    /// <summary>The first bytes of <c>chunks</c>.</summary>
    public static ReadOnlySpan<byte> ChunksHeader => "GCMCHK\0\u0001"u8;

    /// <summary>Where it is once it is committed.</summary>
    public string Folder => Path.Combine(_folder, _id);

    /// <summary>How many samples there are.</summary>
    public long Samples => _samples;

    /// <summary>Adds a series with its samples, of which there is at least one.</summary>
    public void Add(Labels labels, SampleBuffer samples)
    {
        _places.Clear();
        for (var at = 0; at < samples.Count;)
        {
            var run = RunLength(samples, at);
            if (!samples.Histograms.IsEmpty && samples.Histograms[at] is not null)
                AddHistograms(samples, at, run);
            else
                AddFloats(samples, at, run);
            at += run;
        }
        _index.Add(labels, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_places));
        _samples += samples.Count;
        _chunkCount += _places.Count;
        if (_bytes.Length > FlushBytes)
            Flush();
    }

    /// <summary>Ends the block and gives it its place; from then on it is there, also after a crash.</summary>
    public BlockMeta Commit(long maxTime, int level, long headCut, IReadOnlyList<string> parents)
    {
        // Readers take eight bytes at once.
        _bytes.Int64(0);
        Flush();
        _chunks.Sync();
        var index = _index.Write();
        using (var file = _files.OpenAppend(Path.Combine(_temporary, Block.IndexName)))
        {
            file.Append(index.Written);
            file.Sync();
        }
        var meta = new BlockMeta(BlockMeta.Current, _id, _minTime, maxTime, level, headCut, parents, _index.Count, _samples, _chunkCount, _chunks.Length, index.Length);
        _files.Replace(Path.Combine(_temporary, BlockMeta.FileName), meta.ToBytes());
        _files.CommitFolder(_temporary, Folder);
        _isCommitted = true;
        return meta;
    }

    /// <summary>Throws the block away unless it was committed.</summary>
    public void Dispose()
    {
        _chunks.Dispose();
        if (!_isCommitted && Directory.Exists(_temporary))
            Directory.Delete(_temporary, recursive: true);
    }

    private static int RunLength(SampleBuffer samples, int at)
    {
        if (samples.Histograms.IsEmpty)
            return samples.Count - at;
        var isHistogram = samples.Histograms[at] is not null;
        var end = at + 1;
        while (end < samples.Count && samples.Histograms[end] is not null == isHistogram)
            end++;
        return end - at;
    }

    private void AddFloats(SampleBuffer samples, int at, int count)
    {
        var chunks = (count + ColumnChunk.MaxCount - 1) / ColumnChunk.MaxCount;
        for (var i = 0; i < chunks; i++)
        {
            var (from, to) = (at + (int)((long)count * i / chunks), at + (int)((long)count * (i + 1) / chunks));
            var begin = _bytes.Length;
            _bytes.Byte(Floats);
            _column.Write(_bytes, samples.Times[from..to], samples.Values[from..to]);
            EndChunk(begin, samples.Times[from], samples.Times[to - 1]);
        }
    }

    private void AddHistograms(SampleBuffer samples, int at, int count)
    {
        HistogramChunk? chunk = null;
        for (var i = at; i < at + count; i++)
        {
            var histogram = samples.Histograms[i]!;
            if (chunk is not null && chunk.TryAppend(samples.Times[i], histogram))
                continue;
            WriteChunk(chunk);
            // What is known of the first one, it brought from where the sample before it was.
            chunk = new(samples.Times[i], histogram, i == at ? histogram.ResetHint : histogram.HintAfter(samples.Histograms[i - 1]));
        }
        WriteChunk(chunk);
    }

    private void WriteChunk(HistogramChunk? chunk)
    {
        if (chunk is null)
            return;
        var begin = _bytes.Length;
        _bytes.Byte(Histograms);
        chunk.WriteTo(_bytes, chunk.View);
        EndChunk(begin, chunk.FirstTime, chunk.LastTime);
    }

    private void EndChunk(int begin, long minTime, long maxTime)
    {
        _bytes.UInt32(LogFrame.Checksum(_bytes.Written[begin..]));
        _places.Add(new(_chunks.Length + begin, _bytes.Length - begin, minTime, maxTime));
    }

    private void Flush()
    {
        _chunks.Append(_bytes.Written);
        _bytes.Clear();
    }
}
