using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Metrics;

/// <summary>Goes through the log beside the one who writes it, see <see cref="ISampleLogReader"/>.</summary>
internal sealed class LogFollower : ISampleLogReader, ILogVisitor
{
    private readonly string _folder;
    private readonly WriteLog _log;
    private readonly Func<int, Labels?> _inHead;
    private readonly Dictionary<int, Labels> _labels = [];
    private SafeFileHandle? _file;
    private byte[] _buffer = new byte[256 * 1024];
    private List<LoggedSample>? _into;
    private int _segment;
    private long _offset;

    /// <summary>Opens the log at a place.</summary>
    /// <param name="folder">Of the log.</param>
    /// <param name="log">Its writer.</param>
    /// <param name="inHead">The labels of a series of the head, which are shared where they are the same.</param>
    /// <param name="from">Where to begin.</param>
    public LogFollower(string folder, WriteLog log, Func<int, Labels?> inHead, LogPosition from)
    {
        (_folder, _log, _inHead) = (folder, log, inHead);
        var segments = WriteLog.SegmentsIn(folder);
        (_segment, _offset) = segments.Contains(from.Segment) ? (from.Segment, Math.Max(from.Offset, WriteLog.HeaderBytes)) : (segments[0], WriteLog.HeaderBytes);
        if (from.Segment > segments[^1])
            (_segment, _offset) = (log.End.Segment, log.End.Offset);
        LearnSeries(segments);
    }

    /// <inheritdoc/>
    public LogPosition Position => new(_segment, _offset);

    /// <inheritdoc/>
    public long Missed { get; private set; }

    /// <inheritdoc/>
    public int Read(List<LoggedSample> into, int atMost)
    {
        var before = into.Count;
        _into = into;
        while (into.Count - before < atMost && TryTakeRecord(out var content))
            LogRecordWriter.Visit(content, this);
        _into = null;
        return into.Count - before;
    }

    /// <inheritdoc/>
    public async Task WaitAsync(CancellationToken cancellation)
    {
        if (Position == _log.End || _log.End == new LogPosition(_segment + 1, WriteLog.HeaderBytes))
            await _log.WaitAsync(_log.End, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    void ILogVisitor.Series(int id, ReadOnlySpan<byte> packed) =>
        _labels[id] = _inHead(id) is { } known && known.Packed.SequenceEqual(packed) ? known : Labels.FromPacked(packed);

    void ILogVisitor.Float(int id, long time, long value, bool late)
    {
        if (_into is null)
            return;
        if (_labels.TryGetValue(id, out var labels))
            _into.Add(new(labels, time, BitConverter.Int64BitsToDouble(value), null));
        else
            Missed++;
    }

    void ILogVisitor.Histogram(int id, long time, FloatHistogram histogram, bool late)
    {
        if (_into is null)
            return;
        if (_labels.TryGetValue(id, out var labels))
            _into.Add(new(labels, time, 0, histogram));
        else
            Missed++;
    }

    void ILogVisitor.Deleted(int id, long from, long to)
    {
    }

    void ILogVisitor.HeadTimes(long minValid, long max)
    {
    }

    void ILogVisitor.HeadSeries(ref ByteReader reader)
    {
        var id = reader.Int32();
        ((ILogVisitor)this).Series(id, reader.Counted());
        HeadSeriesBytes.Skip(ref reader);
    }

    /// <summary>Which series the numbers mean that were given before the place at which reading begins.</summary>
    private void LearnSeries(List<int> segments)
    {
        var from = 0;
        foreach (var checkpoint in Checkpoint.In(_folder).Where(c => c <= _segment))
        {
            var path = Checkpoint.PathOf(_folder, checkpoint);
            if (Checkpoint.Judge(path) is not null)
                continue;
            Checkpoint.Visit(path, this);
            from = checkpoint;
            break;
        }
        var target = Position;
        (_segment, _offset) = (segments.First(s => s >= from), WriteLog.HeaderBytes);
        while ((_segment < target.Segment || (_segment == target.Segment && _offset < target.Offset)) && TryTakeRecord(out var content))
            LogRecordWriter.Visit(content, this);
        CloseFile();
        (_segment, _offset, Missed) = (target.Segment, target.Offset, 0);
    }

    /// <summary>The next record; goes on to the next segment at the end of one. False at the end of the log.</summary>
    private bool TryTakeRecord(out ReadOnlySpan<byte> content)
    {
        content = default;
        while (true)
        {
            var end = _log.End;
            if (_segment > end.Segment || (_segment == end.Segment && _offset >= end.Offset))
                return false;
            if (!OpenFile())
                continue;
            var limit = _segment == end.Segment ? end.Offset : RandomAccess.GetLength(_file!);
            if (TryTakeRecord(limit, out content))
                return true;
            if (_segment == end.Segment)
                return false;
            CloseFile();
            (_segment, _offset) = (_segment + 1, WriteLog.HeaderBytes);
        }
    }

    private bool TryTakeRecord(long limit, out ReadOnlySpan<byte> content)
    {
        content = default;
        for (; _offset + LogFrame.HeaderBytes <= limit; _offset++)
        {
            Span<byte> header = stackalloc byte[LogFrame.HeaderBytes];
            if (RandomAccess.Read(_file!, header, _offset) < header.Length)
                return false;
            var length = LogFrame.ContentLength(header);
            // A place from before a repair may lie within a record: the next one that is whole is looked for.
            if (length < 0 || _offset + LogFrame.HeaderBytes + length > limit)
                continue;
            if (LogFrame.HeaderBytes + length > _buffer.Length)
                _buffer = new byte[LogFrame.HeaderBytes + length];
            var frame = _buffer.AsSpan(0, LogFrame.HeaderBytes + length);
            var at = 0;
            if (RandomAccess.Read(_file!, frame, _offset) < frame.Length || !LogFrame.TryTake(frame, ref at, out content))
                continue;
            _offset += at;
            return true;
        }
        return false;
    }

    /// <summary>Opens the segment; when it was dropped meanwhile, the samples in it are missed and the oldest one is next.</summary>
    private bool OpenFile()
    {
        if (_file is not null)
            return true;
        try
        {
            _file = File.OpenHandle(WriteLog.PathOf(_folder, _segment), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return true;
        }
        catch (FileNotFoundException)
        {
            var next = WriteLog.SegmentsIn(_folder).FirstOrDefault(s => s > _segment, _log.End.Segment);
            Missed += _log.SamplesIn(_segment, next);
            (_segment, _offset) = (next, WriteLog.HeaderBytes);
            return false;
        }
    }

    private void CloseFile()
    {
        _file?.Dispose();
        _file = null;
    }
}
