using System.Threading.Channels;

namespace Groundcrew.Metrics;

/// <summary>
/// Sends the samples of some series one request after another, so that those of each series stay in order. Waits while the other side
/// is away, and drops only what it refuses for good.
/// </summary>
internal sealed class SendShard
{
    private readonly Channel<OutgoingSample> _queue;
    private readonly RemoteWriteConfig _config;
    private readonly RemoteWriteClient _client;
    private readonly SendMetrics _metrics;
    private readonly SendRates _rates;
    private readonly TimeProvider _clock;
    private readonly WriteEncoder _encoder;
    private readonly List<OutgoingSample> _batch = [];

    public SendShard(RemoteWriteConfig config, RemoteWriteClient client, SendMetrics metrics, SendRates rates, TimeProvider clock, CancellationToken abandon)
    {
        (_config, _client, _metrics, _rates, _clock) = (config, client, metrics, rates, clock);
        _encoder = new(config.IsSecondVersion);
        _queue = Channel.CreateBounded<OutgoingSample>(new BoundedChannelOptions(config.Queue.Capacity) { SingleReader = true, SingleWriter = true });
        Running = Task.Run(() => RunAsync(abandon), CancellationToken.None);
    }

    /// <summary>Ends when the queue is completed and empty, or when what is left is abandoned.</summary>
    public Task Running { get; }

    /// <summary>Waits for room.</summary>
    public async ValueTask AddAsync(OutgoingSample sample, CancellationToken cancellation)
    {
        if (!_queue.Writer.TryWrite(sample))
            await _queue.Writer.WriteAsync(sample, cancellation);
        _metrics.Pending.Add(1);
    }

    public void Complete() => _queue.Writer.TryComplete();

    private async Task RunAsync(CancellationToken abandon)
    {
        try
        {
            while (await FillAsync(abandon))
            {
                await DeliverAsync(abandon);
                foreach (var sample in _batch)
                    sample.Ticket.Settle();
                _metrics.Pending.Add(-_batch.Count);
                _batch.Clear();
            }
        }
        catch (OperationCanceledException) when (abandon.IsCancellationRequested)
        {
            // What is left is read from the log again after the next start.
            _metrics.Pending.Add(-_batch.Count - _queue.Reader.Count);
        }
    }

    // Takes what is there, up to a whole request; what is less waits for more until its deadline. False at the end.
    private async Task<bool> FillAsync(CancellationToken abandon)
    {
        if (!await _queue.Reader.WaitToReadAsync(abandon))
            return false;
        Take();
        if (_batch.Count >= _config.Queue.MaxSamplesPerSend || _queue.Reader.Completion.IsCompleted)
            return true;
        using var deadline = new CancellationTokenSource(_config.Queue.BatchSendDeadline, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(abandon, deadline.Token);
        try
        {
            while (_batch.Count < _config.Queue.MaxSamplesPerSend && await _queue.Reader.WaitToReadAsync(either.Token))
                Take();
        }
        catch (OperationCanceledException) when (!abandon.IsCancellationRequested)
        {
            // The deadline: what is there goes.
        }
        return true;
    }

    private void Take()
    {
        while (_batch.Count < _config.Queue.MaxSamplesPerSend && _queue.Reader.TryRead(out var sample))
            _batch.Add(sample);
    }

    private async Task DeliverAsync(CancellationToken abandon)
    {
        var pause = _config.Queue.MinBackoff;
        for (var attempt = 0; ; attempt++)
        {
            if (_config.Queue.SampleAgeLimit > TimeSpan.Zero)
                DropOld();
            if (_batch.Count == 0)
                return;
            var packed = _encoder.Encode(_batch);
            var began = _clock.GetTimestamp();
            var result = await _client.SendAsync(packed, attempt, abandon);
            _rates.Sent(_clock.GetElapsedTime(began), result.IsDone ? _batch.Count : 0);
            if (result.IsDone || !result.MayRetry)
            {
                Count(result, packed.Length);
                return;
            }
            _metrics.Retried.Add(_batch.Count);
            _rates.Say(result.Why);
            await Task.Delay(result.Pause > pause ? result.Pause.Value : pause, _clock, abandon);
            pause = pause * 2 < _config.Queue.MaxBackoff ? pause * 2 : _config.Queue.MaxBackoff;
        }
    }

    // The other side of version 2.0 says how much it took, also when it refused the rest.
    private void Count(SendResult result, int bytes)
    {
        var histograms = _batch.Count(s => s.Histogram is not null);
        var floats = _batch.Count - histograms;
        var (tookFloats, tookHistograms) = result.Written ?? (result.IsDone ? (floats, histograms) : (0, 0));
        (tookFloats, tookHistograms) = (Math.Clamp(tookFloats, 0, floats), Math.Clamp(tookHistograms, 0, histograms));
        var refused = _batch.Count - tookFloats - tookHistograms;
        _metrics.Failed.Add(refused);
        _metrics.Sent.Add(tookFloats);
        _metrics.HistogramsSent.Add(tookHistograms);
        _rates.Say(!result.IsDone ? result.Why : refused > 0 ? $"the other side took {_batch.Count - refused} of {_batch.Count} samples" : "");
        if (!result.IsDone)
            return;
        _metrics.Bytes.Add(bytes);
        var newest = _batch.Max(s => s.Time) / 1000.0;
        if (newest > _metrics.HighestSent.Value)
            _metrics.HighestSent.Set(newest);
    }

    private void DropOld()
    {
        var oldest = (_clock.GetUtcNow() - _config.Queue.SampleAgeLimit).ToUnixTimeMilliseconds();
        var before = _batch.Count;
        foreach (var sample in _batch)
            if (sample.Time < oldest)
                sample.Ticket.Settle();
        _batch.RemoveAll(s => s.Time < oldest);
        _metrics.DroppedFor("too_old").Add(before - _batch.Count);
        _metrics.Pending.Add(_batch.Count - before);
    }
}
