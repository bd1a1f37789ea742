using System.Buffers;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Counts of all log keepers of a node.</summary>
internal sealed class LogCounters(MetricRegistry metrics)
{
    public Metric Lines { get; } = metrics.Counter("groundcrew_instance_log_lines_total", "Lines of output that were kept.");

    public Metric Dropped { get; } = metrics.Counter("groundcrew_instance_log_dropped_bytes_total", "Bytes of output that came faster than they could be kept, or could not be written.");
}

/// <summary>
/// Keeps the output of one instance: tails its spools into rotated files of JSON lines, adds the platform's own words,
/// and hides the values of its secrets. After an agent's restart it goes on where the log ends. Thread-safe.
/// </summary>
internal sealed class LogKeeper : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private const int LastKept = 5;
    private const int ShortestSecret = 6;
    private readonly Lock _gate = new();
    private readonly InstanceFolder _folder;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly LogCounters _counters;
    private readonly long _maxUnread;
    private readonly LogFiles _files;
    private readonly Spool _stdout;
    private readonly Spool _stderr;
    private readonly ArrayBufferWriter<byte> _batch = new();
    private readonly Queue<string> _last = new();
    private string[] _hidden = [];

    public LogKeeper(InstanceFolder folder, InstanceHostOptions options, LogCounters counters, TimeProvider clock, ILogger log)
    {
        (_folder, _clock, _log, _counters, _maxUnread) = (folder, clock, log, counters, options.MaxUnreadOutput);
        _files = new LogFiles(folder.Logs, options.LogFileBytes, options.LogFiles);
        _stdout = new Spool(Path.Combine(folder.Spool, "stdout"), "stdout");
        _stderr = new Spool(Path.Combine(folder.Spool, "stderr"), "stderr");
        _files.Open(See);
    }

    /// <summary>Set when lines were added, and when no more will come.</summary>
    public Nudge Written { get; } = new();

    /// <summary>Whether no more lines will come.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>The last few lines of the program.</summary>
    public IReadOnlyList<string> Last
    {
        get
        {
            lock (_gate)
                return [.. _last];
        }
    }

    /// <summary>Values that must not be seen in the log, whatever the program prints.</summary>
    public void Hide(IEnumerable<Secret> secrets)
    {
        var values = secrets.SelectMany(s => s.Reveal().Split('\n').Append(s.Reveal())).Select(v => v.Trim())
            .Where(v => v.Length >= ShortestSecret).Distinct(StringComparer.Ordinal).OrderByDescending(v => v.Length);
        lock (_gate)
            _hidden = [.. values];
    }

    /// <summary>Tails until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        while (true)
        {
            Poll(isOver: false);
            await Task.Delay(Look, _clock, cancellation);
        }
    }

    /// <summary>Reads all there is; no process writes any more.</summary>
    public void Drain() => Poll(isOver: true);

    /// <summary>Empties the spools before a new start, after a drain.</summary>
    public void Restart()
    {
        lock (_gate)
        {
            if (_stdout.Offset == 0 && _stderr.Offset == 0)
                return;
            // The mark last: a crash between leaves spools shorter than the log says, which starts them over; never lines twice.
            _stdout.Empty();
            _stderr.Empty();
            _files.Append(Bytes(Mark()), Mark);
        }
    }

    /// <summary>Adds words of the platform.</summary>
    public void Say(string text)
    {
        lock (_gate)
            Guarded(() => _files.Append(Bytes(StoredLine.Output(_clock.GetUtcNow(), "crew", text, null)), Mark));
        Written.Set();
    }

    /// <summary>No more lines will come.</summary>
    public void Close()
    {
        lock (_gate)
        {
            IsClosed = true;
            _stdout.Dispose();
            _stderr.Dispose();
        }
        Written.Set();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stdout.Dispose();
            _stderr.Dispose();
            _files.Dispose();
        }
    }

    private void Poll(bool isOver)
    {
        var isMore = true;
        while (isMore)
        {
            var wrote = false;
            lock (_gate)
            {
                if (IsClosed)
                    return;
                isMore = false;
                foreach (var spool in new[] { _stdout, _stderr })
                    Guarded(() => isMore |= Take(spool, isOver, ref wrote));
            }
            if (wrote)
                Written.Set();
        }
    }

    private bool Take(Spool spool, bool isOver, ref bool wrote)
    {
        var now = _clock.GetUtcNow();
        _batch.ResetWrittenCount();
        if (spool.Waiting is var waiting && waiting > _maxUnread)
        {
            spool.Offset += waiting - (_maxUnread / 2);
            _counters.Dropped.Add(waiting - (_maxUnread / 2));
            StoredLine.Output(now, "crew", $"{Quantity.FormatBytes(waiting - (_maxUnread / 2))} of {spool.Stream} came faster than they could be kept and were dropped", null).WriteTo(_batch);
        }
        var lines = 0;
        var before = spool.Offset;
        bool isMore;
        try
        {
            isMore = spool.Read((text, end) =>
            {
                var clean = Clean(text);
                StoredLine.Output(now, spool.Stream, clean, end).WriteTo(_batch);
                Remember(clean);
                lines++;
            }, isOver);
            if (_batch.WrittenCount > 0)
                _files.Append(_batch.WrittenSpan, Mark);
        }
        catch (IOException)
        {
            spool.Offset = before; // Not kept: it is read again.
            throw;
        }
        wrote |= _batch.WrittenCount > 0;
        _counters.Lines.Add(lines);
        if (spool.WantsPunch)
        {
            _files.Sync();
            spool.Punch();
        }
        return isMore;
    }

    private string Clean(string text)
    {
        foreach (var value in _hidden)
            text = text.Replace(value, Secret.Redacted, StringComparison.Ordinal);
        return text;
    }

    private void Remember(string text)
    {
        _last.Enqueue(text.Length > 300 ? text[..300] + "…" : text);
        if (_last.Count > LastKept)
            _last.Dequeue();
    }

    private void See(StoredLine line)
    {
        if (line.Offsets is { } offsets)
            (_stdout.Offset, _stderr.Offset) = (offsets.Stdout, offsets.Stderr);
        else if (line is { Stream: "stdout" or "stderr", Text: { } text })
        {
            if (line.End is { } end)
                (line.Stream == "stdout" ? _stdout : _stderr).Offset = end;
            Remember(text);
        }
    }

    private StoredLine Mark() => StoredLine.Mark(_clock.GetUtcNow(), new SpoolOffsets(_stdout.Offset, _stderr.Offset));

    private static ReadOnlySpan<byte> Bytes(StoredLine line)
    {
        var buffer = new ArrayBufferWriter<byte>();
        line.WriteTo(buffer);
        return buffer.WrittenSpan;
    }

    /// <summary>A full disk must not end the keeper: the spools hold what is not kept yet, within their limit.</summary>
    private void Guarded(Action work)
    {
        try
        {
            work();
        }
        catch (IOException e)
        {
            _log.LogWarning("The log in {Folder} cannot be written now: {Why}", _folder.Logs, e.Message);
        }
    }
}
