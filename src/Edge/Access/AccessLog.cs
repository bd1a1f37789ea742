using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading.Channels;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Hosting;

namespace Groundcrew.Edge;

/// <summary>
/// Writes one line a request to <c>access.log</c>, off the request's way. At most
/// <see cref="EdgeOptions.AccessLogCapacity"/> records wait; what does not fit, or what the disk refuses, is dropped and
/// counted in <c>groundcrew_edge_access_records_dropped_total</c>. Thread-safe.
/// </summary>
internal sealed class AccessLog : IHostedService, IDisposable
{
    private const int BatchBytes = 64 * 1024;

    /// <summary>The writer looks by itself: waking it for each record would cost a request more than all the rest of the log.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private readonly Channel<AccessRecord> _queue;
    private readonly Metric.Series _dropped;
    private readonly ISignals _signals;
    private readonly TimeProvider _clock;
    private readonly string _path;
    private readonly RotatedFile _file;
    private readonly TaskCompletionSource _stopping = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _writing = Task.CompletedTask;
    private volatile bool _isStopping;
    private volatile string? _failure;

    public AccessLog(EdgeOptions options, MetricRegistry metrics, ISignals signals, TimeProvider clock)
    {
        _queue = Channel.CreateBounded<AccessRecord>(new BoundedChannelOptions(options.AccessLogCapacity)
        {
            SingleReader = true,
            FullMode = BoundedChannelFullMode.Wait,
        });
        _dropped = metrics.Counter("groundcrew_edge_access_records_dropped_total",
            "Access records that were not written: the queue was full or the disk refused them.").With();
        (_signals, _clock) = (signals, clock);
        _path = Path.Combine(options.StateFolder, "access.log");
        _file = new RotatedFile(_path, options.AccessLogMaxBytes, options.AccessLogFiles);
    }

    /// <summary>Why the last batch was not written; null when it was.</summary>
    public string? Failure => _failure;

    /// <summary>Hands a record over; never waits.</summary>
    public void Add(in AccessRecord record)
    {
        if (!_queue.Writer.TryWrite(record))
            _dropped.Add();
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
        _queue.Writer.TryComplete();
        _isStopping = true;
        _stopping.TrySetResult();
    }

    /// <summary>Ends when the queue was completed and is empty.</summary>
    private async Task WriteAsync()
    {
        var batch = new ArrayBufferWriter<byte>(BatchBytes);
        await using var json = new Utf8JsonWriter(batch, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        while (true)
        {
            var isLast = _isStopping;
            while (_queue.Reader.TryPeek(out _))
                WriteBatch(batch, json);
            if (isLast)
                return;
            await Task.WhenAny(Task.Delay(LookEvery, TimeProvider.System), _stopping.Task);
        }
    }

    private void WriteBatch(ArrayBufferWriter<byte> batch, Utf8JsonWriter json)
    {
        batch.ResetWrittenCount();
        var count = 0;
        while (batch.WrittenCount < BatchBytes && _queue.Reader.TryRead(out var record))
        {
            json.Reset();
            record.WriteTo(json);
            json.Flush();
            batch.Write("\n"u8);
            count++;
        }
        Write(batch.WrittenSpan, count);
    }

    private void Write(ReadOnlySpan<byte> lines, int count)
    {
        try
        {
            _file.Append(lines);
            _failure = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _dropped.Add(count);
            if (_failure is null)
                _signals.Raise(new Signal("edge-access-log-failed", _path,
                    $"The access log cannot be written: {e.Message} Traffic flows on; its records are dropped and counted until the disk takes them again.",
                    SignalUrgency.Warning, _clock.GetUtcNow()));
            _failure = e.Message;
        }
    }
}
