using Groundcrew.Bedrock;
using Microsoft.Extensions.Hosting;

namespace Groundcrew.Edge;

/// <summary>
/// Keeps one line a request in <c>access.log</c>, written off the request's way. At most
/// <see cref="EdgeOptions.AccessLogBuffer"/> bytes wait; what does not fit, or what the disk refuses, is dropped and
/// counted in <c>groundcrew_edge_access_records_dropped_total</c>. Thread-safe.
/// </summary>
internal sealed class AccessLog : IHostedService, IDisposable
{
    private const int FirstBytes = 64 * 1024;

    /// <summary>No more goes to the disk at once, so that files are rotated in time.</summary>
    private const int MostAtOnce = 256 * 1024;

    /// <summary>The writer looks by itself: waking it for each record would cost a request more than all the rest of the log.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private readonly Lock _gate = new();
    private readonly Metric.Series _dropped;
    private readonly ISignals _signals;
    private readonly TimeProvider _clock;
    private readonly string _path;
    private readonly RotatedFile _file;
    private readonly int _most;
    private readonly TaskCompletionSource _stopping = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _waiting;
    private byte[] _spare;
    private int _count;
    private Task _writing = Task.CompletedTask;
    private volatile string? _failure;

    public AccessLog(EdgeOptions options, MetricRegistry metrics, ISignals signals, TimeProvider clock)
    {
        _dropped = metrics.Counter("groundcrew_edge_access_records_dropped_total",
            "Access records that were not written: too many waited or the disk refused them.").With();
        (_signals, _clock, _most) = (signals, clock, options.AccessLogBuffer);
        (_waiting, _spare) = (new byte[Math.Min(FirstBytes, _most)], new byte[Math.Min(FirstBytes, _most)]);
        _path = Path.Combine(options.StateFolder, "access.log");
        _file = new RotatedFile(_path, options.AccessLogMaxBytes, options.AccessLogFiles);
    }

    /// <summary>Why the last batch was not written; null when it was.</summary>
    public string? Failure => _failure;

    /// <summary>Hands a whole line over; never waits for the disk.</summary>
    public void Add(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            if (_stopping.Task.IsCompleted || !HasRoom(line.Length))
            {
                _dropped.Add();
                return;
            }
            line.CopyTo(_waiting.AsSpan(_count));
            _count += line.Length;
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _writing = Task.Run(WriteAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>Takes no more records and writes those that wait.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        End();
        return _writing.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        End();
        _file.Dispose();
    }

    private void End()
    {
        lock (_gate)
            _stopping.TrySetResult();
    }

    private bool HasRoom(int more)
    {
        if (_count + more <= _waiting.Length)
            return true;
        if (_count + more > _most)
            return false;
        Array.Resize(ref _waiting, Math.Min(_most, Math.Max(_waiting.Length * 2, _count + more)));
        return true;
    }

    /// <summary>Ends when no more records come and all that waited are written.</summary>
    private async Task WriteAsync()
    {
        while (true)
        {
            var isLast = _stopping.Task.IsCompleted;
            WriteWaiting();
            if (isLast)
                return;
            await Task.WhenAny(Task.Delay(LookEvery, TimeProvider.System), _stopping.Task);
        }
    }

    private void WriteWaiting()
    {
        int count;
        lock (_gate)
        {
            (_waiting, _spare) = (_spare, _waiting);
            (count, _count) = (_count, 0);
        }
        for (var rest = _spare.AsSpan(0, count); !rest.IsEmpty;)
        {
            var lines = rest.Length <= MostAtOnce ? rest : rest[..(rest[..MostAtOnce].LastIndexOf((byte)'\n') + 1)];
            Write(lines);
            rest = rest[lines.Length..];
        }
    }

    private void Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            _file.Append(lines);
            _failure = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _dropped.Add(lines.Count((byte)'\n'));
            if (_failure is null)
                _signals.Raise(new Signal("edge-access-log-failed", _path,
                    $"The access log cannot be written: {e.Message} Traffic flows on; its records are dropped and counted until the disk takes them again.",
                    SignalUrgency.Warning, _clock.GetUtcNow()));
            _failure = e.Message;
        }
    }
}
