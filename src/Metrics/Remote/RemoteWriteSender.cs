using System.Security.Cryptography;
using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// Hands on what is committed to another system that speaks remote write. The queue is the write log itself: where this came to is
/// kept in a file, so that a restart of either side loses nothing that the log still has, and repeats at most what was on its way.
/// Thread-safe.
/// </summary>
public sealed class RemoteWriteSender : IAsyncDisposable
{
    private const int ReadAtMost = 5000;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(1);

    private readonly RemoteWriteConfig _config;
    private readonly ISampleLog _log;
    private readonly SendPosition _position;
    private readonly TimeProvider _clock;
    private readonly SendMetrics _metrics;
    private readonly SendRates _rates = new();
    private readonly OutgoingLabels _labels;
    private readonly RemoteWriteClient _client;
    private readonly Queue<SendTicket> _tickets = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abandon = new();
    private SendShard[] _shards = [];
    private LogPosition _safe;
    private Task _running = Task.CompletedTask;
    private int _stopped;

    /// <summary>Sends nothing before <see cref="Start"/>.</summary>
    /// <param name="config">Where to and how.</param>
    /// <param name="externalLabels">Labels that every series gets which does not have them.</param>
    /// <param name="log">What was committed.</param>
    /// <param name="positionFile">The file that keeps the place in the log, of this sender alone (see <see cref="FileNameFor"/>).</param>
    /// <param name="files">How that file is written.</param>
    /// <param name="metrics">Where the metrics are.</param>
    /// <param name="clock">The time.</param>
    /// <param name="transport">Another transport than ordinary HTTP; not disposed here.</param>
    public RemoteWriteSender(RemoteWriteConfig config, Labels externalLabels, ISampleLog log, string positionFile, DurableFiles files, MetricRegistry metrics, TimeProvider clock, HttpMessageInvoker? transport = null)
    {
        (_config, _log, _clock) = (config, log, clock);
        Name = config.Name.Length > 0 ? config.Name : FileNameFor(config)[..6];
        _position = new(positionFile, files);
        _metrics = new(metrics, Name, config.Url.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped));
        _labels = new(config.RelabelRules, externalLabels);
        _client = new(config, transport, clock);
    }

    /// <summary>Its name in metrics: that of the configuration, or one made of its address.</summary>
    public string Name { get; }

    /// <summary>Why the last request failed; empty when it did not.</summary>
    public string LastError => _rates.LastError;

    /// <summary>A name for the file of a sender's position, the same for the same destination.</summary>
    public static string FileNameFor(RemoteWriteConfig config) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{config.Name}\n{config.Url}")))[..16];

    /// <summary>Begins where the last run came to; without one, at what is committed from now on.</summary>
    public void Start()
    {
        _safe = _position.Read() ?? _log.End;
        _position.Save(_safe);
        _metrics.ShardsMin.Set(_config.Queue.MinShards);
        _metrics.ShardsMax.Set(_config.Queue.MaxShards);
        _running = RunAsync();
    }

    /// <summary>Ends: reads no more, sends what was read as far as <paramref name="atMost"/> allows, and keeps the place.</summary>
    public async Task StopAsync(TimeSpan atMost)
    {
        if (Interlocked.Exchange(ref _stopped, 1) != 0)
            return;
        await _stop.CancelAsync();
        using (var limit = new CancellationTokenSource(atMost, _clock))
        await using (limit.Token.Register(_abandon.Cancel))
            await _running;
        _client.Dispose();
        _stop.Dispose();
        _abandon.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.FromSeconds(5));

    private async Task RunAsync()
    {
        await Task.Yield();
        Open(_config.Queue.MinShards);
        var samples = new List<LoggedSample>();
        try
        {
            using var reader = _log.OpenLog(_safe);
            var (lookedAt, savedAt, missed) = (_clock.GetTimestamp(), _clock.GetTimestamp(), 0L);
            while (true)
            {
                samples.Clear();
                var wait = reader.WaitAsync(_stop.Token);
                if (reader.Read(samples, ReadAtMost) > 0)
                    await DistributeAsync(samples, reader.Position);
                else
                    await IdleAsync(wait);
                if (reader.Missed > missed)
                    _metrics.DroppedFor("no_longer_in_the_log").Add(reader.Missed - missed);
                missed = reader.Missed;
                if (_clock.GetElapsedTime(savedAt) >= SaveEvery)
                {
                    Save();
                    savedAt = _clock.GetTimestamp();
                }
                if (_clock.GetElapsedTime(lookedAt) is var passed && passed >= LookEvery)
                {
                    await ReshardAsync(passed);
                    lookedAt = _clock.GetTimestamp();
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            await CloseAsync();
            Save();
        }
    }

    private async Task IdleAsync(Task wait)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var pause = Task.Delay(SaveEvery, _clock, either.Token);
        await Task.WhenAny(wait, pause);
        await either.CancelAsync();
        _stop.Token.ThrowIfCancellationRequested();
    }

    // What is read now is handed to the shards whole, also when the end comes in between: its place is only safe with all of it.
    private async Task DistributeAsync(List<LoggedSample> samples, LogPosition end)
    {
        var ticket = new SendTicket(end, samples.Count);
        _tickets.Enqueue(ticket);
        _rates.Came(samples.Count);
        var newest = samples.Max(s => s.Time) / 1000.0;
        if (newest > _metrics.Highest.Value)
            _metrics.Highest.Set(newest);
        foreach (var sample in samples)
        {
            if (sample.Histogram is not null && !_config.SendNativeHistograms)
                Drop(ticket, "native_histograms");
            else if (_labels.For(sample.Series) is not { } labels)
                Drop(ticket, "dropped_series");
            else
                await _shards[labels.Hash % (uint)_shards.Length].AddAsync(new(labels, sample.Time, sample.Value, sample.Histogram, ticket), _abandon.Token);
        }
    }

    private void Drop(SendTicket ticket, string reason)
    {
        _metrics.DroppedFor(reason).Add();
        ticket.Settle();
    }

    // The place behind the oldest samples that are settled without a gap.
    private void Save()
    {
        while (_tickets.TryPeek(out var ticket) && ticket.IsSettled)
            _safe = _tickets.Dequeue().End;
        _position.Save(_safe);
    }

    private async Task ReshardAsync(TimeSpan passed)
    {
        var (came, sent, sending) = _rates.Take();
        var seconds = passed.TotalSeconds;
        var behind = Math.Max(0, _clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0 - _metrics.HighestSent.Value);
        var inRate = came / seconds;
        var desired = ShardPlan.Desired(_shards.Length, inRate, sent / seconds, sending / seconds, _metrics.HighestSent.Value > 0 ? behind * inRate : 0, _config.Queue);
        _metrics.ShardsDesired.Set(desired);
        // While the other side is away, more of us at its door do not help.
        if (desired == _shards.Length || LastError.Length > 0)
            return;
        await CloseAsync();
        Open(desired);
    }

    private void Open(int count)
    {
        _shards = [.. Enumerable.Range(0, count).Select(_ => new SendShard(_config, _client, _metrics, _rates, _clock, _abandon.Token))];
        _metrics.Shards.Set(count);
    }

    private async Task CloseAsync()
    {
        foreach (var shard in _shards)
            shard.Complete();
        await Task.WhenAll(_shards.Select(s => s.Running));
    }
}
