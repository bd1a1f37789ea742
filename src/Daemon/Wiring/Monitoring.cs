using Groundcrew.Bedrock;
using Groundcrew.Daemon.Settings;
using Groundcrew.Fleet;
using Groundcrew.Metrics;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon.Wiring;

/// <summary>How the configuration stands. Immutable.</summary>
/// <param name="Config">What holds.</param>
/// <param name="Text">The file that it came from.</param>
/// <param name="LoadedAt">When it was taken.</param>
/// <param name="Refused">What is wrong with the file as it is now; empty when it is the one that holds.</param>
/// <param name="RefusedAt">When the file was first found to be wrong; null while it is the one that holds.</param>
internal sealed record ConfigState(PrometheusConfig Config, string Text, DateTimeOffset LoadedAt, IReadOnlyList<Problem> Refused, DateTimeOffset? RefusedAt = null);

/// <summary>
/// The platform's metrics: the store, what fetches into it, and what asks it. Opening it reads the store's log back.
/// Thread-safe.
/// </summary>
internal sealed class Monitoring : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly MetricRegistry _metrics;
    private readonly string _folder;
    private IReadOnlyList<RemoteWriteSender> _senders = [];
    private readonly PrometheusFile _file;
    private readonly HttpMessageInvoker _transport;
    private readonly ISignals _signals;
    private readonly TimeProvider _clock;
    private readonly ILogger<Monitoring> _log;
    private readonly MetricsSettings _settings;
    private readonly Metric.Series _configOk;
    private readonly Metric.Series _loadedAt;
    private readonly Metric.Series _corruptions;
    private IReadOnlyDictionary<string, IReadOnlyList<TargetGroup>> _found = new Dictionary<string, IReadOnlyList<TargetGroup>>();
    private volatile ConfigState _state;

    public Monitoring(RoleSettings settings, Nodes nodes, Link link, MetricRegistry metrics, ISignals signals, TimeProvider clock, ILogger<Monitoring> log)
    {
        (_signals, _clock, _log, _metrics, StartedAt) = (signals, clock, log, metrics, clock.GetUtcNow());
        _folder = settings.FolderOf("control");
        _file = new PrometheusFile(settings.Metrics.ConfigFile ?? Path.Combine(settings.Data, "prometheus.yml"));
        _configOk = metrics.Gauge("prometheus_config_last_reload_successful", "Whether the last configuration reload attempt was successful.").With();
        _state = new ConfigState(new PrometheusConfig(), "", StartedAt, []);
        _corruptions = metrics.Counter("prometheus_tsdb_wal_corruptions_total", "Damaged places found in the write log.").With();
        _loadedAt = metrics.Gauge("prometheus_config_last_reload_success_timestamp_seconds", "Timestamp of the last successful configuration reload.").With();
        _settings = settings.Metrics;
        // The store needs its part of the file before it opens; the rest is taken when targets are first looked for, and a file
        // with problems is refused there.
        Options = OptionsBy(new PrometheusFile(_file.Path).Read().Value ?? new PrometheusConfig());
        Store = MetricStore.Open(Options, clock, metrics, signals);
        Queries = new Queries(new EngineOptions(), metrics, clock);
        _transport = new HttpMessageInvoker(new TargetTransport(settings, nodes, link));
        Exemplars = new ExemplarStore(metrics);
        Scraper = new Scraper(Store, new ScraperSettings
        {
            Exemplars = Exemplars,
            Transport = job => PlatformJobs.All.Contains(job) ? _transport : null, PublicHost = settings.Hostname, UserAgent = $"Groundcrew/{ProgramVersion.Text}",
        }, metrics, clock);
        Receiver = new RemoteWriteReceiver(Store, metrics, exemplars: Exemplars);
    }

    /// <summary>How the store was opened.</summary>
    public StoreOptions Options { get; }

    /// <summary>Damaged places that were found in the store's log since this process started.</summary>
    public long Corruptions => (long)_corruptions.Value;

    public MetricStore Store { get; }

    /// <summary>The newest exemplars.</summary>
    public ExemplarStore Exemplars { get; }

    public Queries Queries { get; }

    public Scraper Scraper { get; }

    /// <summary>Takes what others send.</summary>
    public RemoteWriteReceiver Receiver { get; }

    public DateTimeOffset StartedAt { get; }

    /// <summary>How the configuration stands.</summary>
    public ConfigState Config => _state;

    /// <summary>Works until it is stopped: compacts, drops what is too old.</summary>
    public Task RunAsync(CancellationToken stop) => Store.RunAsync(stop);

    /// <summary>Scrapes what was found, and reads the file again if it changed.</summary>
    public async Task FollowAsync(IReadOnlyDictionary<string, IReadOnlyList<TargetGroup>> found, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            _found = found;
            if (_file.HasChanged)
                await TakeAsync();
            else
                Apply();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Reads the file. One that is wrong changes nothing and raises a signal; its problems are the result.</summary>
    public async Task<IReadOnlyList<Problem>> ReloadAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            return await TakeAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_senders.Select(s => s.DisposeAsync().AsTask()));
        await Scraper.DisposeAsync();
        _transport.Dispose();
        Queries.Dispose();
        await Store.DisposeAsync();
        _turn.Dispose();
    }

    private async Task<IReadOnlyList<Problem>> TakeAsync()
    {
        var judged = _file.Read();
        _configOk.Set(judged.Value is null ? 0 : 1);
        if (judged.Value is not { } config)
        {
            _state = _state with { Refused = judged.Problems, RefusedAt = _state.RefusedAt ?? _clock.GetUtcNow() };
            _signals.Raise(new Signal(
                "prometheus-config-refused", _file.Path, $"The file is not taken, the configuration before it holds on: {string.Join("; ", judged.Problems)}", SignalUrgency.Warning, _clock.GetUtcNow()));
            return judged.Problems;
        }
        Exemplars.Capacity = config.MaxExemplars ?? ExemplarStore.DefaultCapacity;
        _state = new ConfigState(config, _file.Text, _clock.GetUtcNow(), []);
        _loadedAt.Set(_state.LoadedAt.ToUnixTimeMilliseconds() / 1000d);
        Apply();
        if (OptionsBy(config) != Options)
            _signals.Raise(new Signal(
                "prometheus-config-restart", _file.Path, "The file is taken, but its section 'storage' holds only after the control plane was started again.", SignalUrgency.Warning, _clock.GetUtcNow()));
        await SendAsync(config);
        _log.LogInformation("{File} is taken: {Jobs} jobs besides the platform's own, {Receivers} receivers of remote write", _file.Path, config.ScrapeConfigs.Count, config.RemoteWrites.Count);
        return [];
    }

    /// <summary>Those of before end first, for they keep in a file how far they came, and the new ones go on from there.</summary>
    private async Task SendAsync(PrometheusConfig config)
    {
        await Task.WhenAll(_senders.Select(s => s.DisposeAsync().AsTask()));
        if (config.RemoteWrites.Count > 0)
            Directory.CreateDirectory(Path.Combine(_folder, "remote-write"));
        _senders =
        [
            .. config.RemoteWrites.Select(to => new RemoteWriteSender(
                to, config.Global.ExternalLabels, Store, Path.Combine(_folder, "remote-write", RemoteWriteSender.FileNameFor(to)), DurableFiles.Real, _metrics, _clock)),
        ];
        foreach (var sender in _senders)
            sender.Start();
    }

    /// <summary>What the file says about the store goes before what the options say, as in Prometheus.</summary>
    private StoreOptions OptionsBy(PrometheusConfig config) => new()
    {
        Folder = Path.Combine(_folder, "metrics"),
        Retention = config.RetentionTime ?? _settings.Retention,
        MaxBytes = config.RetentionBytes ?? _settings.MaxBytes,
        OutOfOrderWindow = config.OutOfOrderWindow ?? TimeSpan.Zero,
    };

    private void Apply() => Scraper.Apply(_state.Config with { ScrapeConfigs = [.. PlatformJobs.All, .. _state.Config.ScrapeConfigs] }, _found);
}
