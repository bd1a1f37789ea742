using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// The log that every batch enters before it is seen: numbered segments, of which the last grows. One writer; the end and
/// the list of segments may be asked by anyone.
/// </summary>
internal sealed class WriteLog : IDisposable
{
    /// <summary>Bytes of a segment before its first record.</summary>
    public const int HeaderBytes = 8;

    // Segments whose samples are known by number, for followers that missed them.
    private const int MaxCounts = 10_000;

    private readonly string _folder;
    private readonly long _segmentBytes;
    private readonly DurableFiles _files;
    private readonly Lock _gate = new();
    private readonly Lock _sync = new();
    private readonly Nudge _grown = new();
    private readonly List<(int Segment, long Count)> _samples = [];
    private int _waiting;
    private AppendFile _current;
    private int _segment;
    private bool _isSynced = true;

    /// <summary>Begins the segment behind those that were replayed.</summary>
    public WriteLog(string folder, int segment, long segmentBytes, DurableFiles files)
    {
        (_folder, _segment, _segmentBytes, _files) = (folder, segment, segmentBytes, files);
        _samples.Add((segment, 0));
        _current = Begin(segment);
        End = new(segment, _current.Length);
    }

    /// <summary>The place behind the last record.</summary>
    public LogPosition End
    {
        get
        {
            lock (_gate)
                return field;
        }
        private set;
    }

    /// <summary>The first bytes of a segment: what it is, and the version.</summary>
    public static ReadOnlySpan<byte> Header => "GCMLOG\0\u0001"u8;

    /// <summary>The name of a segment.</summary>
    public static string PathOf(string folder, int segment) => Path.Combine(folder, segment.ToString("D8", CultureInfo.InvariantCulture) + ".log");

    /// <summary>Adds a framed record. Throws the <see cref="IOException"/>s of the file system, and holds nothing of it then.</summary>
    public void Append(ReadOnlySpan<byte> frame, int samples)
    {
        if (_current.Length > HeaderBytes && _current.Length + frame.Length > _segmentBytes)
            Roll();
        _current.Append(frame);
        lock (_gate)
        {
            End = new(_segment, _current.Length);
            _isSynced = false;
            _samples[^1] = (_segment, _samples[^1].Count + samples);
        }
        if (Volatile.Read(ref _waiting) > 0)
            _grown.Set();
    }

    /// <summary>Ends the segment and begins the next; gives its number.</summary>
    public int Roll()
    {
        lock (_sync)
        {
            _current.Sync();
            var next = Begin(_segment + 1);
            _current.Dispose();
            lock (_gate)
            {
                _current = next;
                _segment++;
                End = new(_segment, next.Length);
                _isSynced = true;
                if (_samples.Count == MaxCounts)
                    _samples.RemoveAt(0);
                _samples.Add((_segment, 0));
            }
        }
        return _segment;
    }

    /// <summary>Makes what was appended survive the death of the machine; appends go on meanwhile.</summary>
    public void Sync()
    {
        lock (_sync)
        {
            lock (_gate)
            {
                if (_isSynced)
                    return;
                _isSynced = true;
            }
            try
            {
                _current.Sync();
            }
            catch (IOException)
            {
                lock (_gate)
                    _isSynced = false;
                throw;
            }
        }
    }

    /// <summary>Waits until the end is behind a place.</summary>
    public async Task WaitAsync(LogPosition seen, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _waiting);
        try
        {
            while (true)
            {
                var next = _grown.Next;
                if (End != seen)
                    return;
                await next.WaitAsync(cancellation);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>How many samples were written to segments by this process.</summary>
    public long SamplesIn(int from, int before)
    {
        lock (_gate)
            return _samples.Where(s => s.Segment >= from && s.Segment < before).Sum(s => s.Count);
    }

    /// <summary>The segments that are there, in order.</summary>
    public static List<int> SegmentsIn(string folder)
    {
        var found = new List<int>();
        if (Directory.Exists(folder))
            foreach (var path in Directory.EnumerateFiles(folder, "*.log"))
                if (int.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                    found.Add(number);
        found.Sort();
        return found;
    }

    /// <summary>Deletes the segments before one.</summary>
    public void DropBefore(int segment)
    {
        foreach (var old in SegmentsIn(_folder).Where(s => s < segment))
            _files.Delete(PathOf(_folder, old));
    }

    /// <summary>Syncs and closes.</summary>
    public void Dispose()
    {
        Sync();
        _current.Dispose();
    }

    private AppendFile Begin(int segment)
    {
        var file = _files.OpenAppend(PathOf(_folder, segment));
        try
        {
            if (file.Length > 0)
                file.Truncate(0);
            file.Append(Header);
            DiskSpace.SyncFolder(_folder);
            return file;
        }
        catch (IOException)
        {
            file.Dispose();
            throw;
        }
    }
}
