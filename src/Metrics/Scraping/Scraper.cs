using System.Collections.Concurrent;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// Scrapes the targets of a configuration into a sink: each at its own fixed offset within its interval, as many at once as the
/// settings allow. A failed scrape writes nothing but <c>up 0</c> and its <c>scrape_*</c> series, and marks as stale what was there
/// before. Thread-safe.
/// </summary>
public sealed class Scraper : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Pool> _pools = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<ScrapePass> _passes = [];
    private readonly List<Task> _ending = [];
    private readonly Dictionary<Labels, ScrapeTarget> _leaving = [];
    private readonly CancellationTokenSource _closing = new();
    private readonly TargetDiscovery _discovery;
    private PrometheusConfig _config = new();
    private IReadOnlyDictionary<string, IReadOnlyList<TargetGroup>> _given = new Dictionary<string, IReadOnlyList<TargetGroup>>();
    private bool _isDisposed;

    /// <summary>Scrapes nothing until a configuration is applied.</summary>
    public Scraper(ISampleSink sink, ScraperSettings settings, MetricRegistry metrics, TimeProvider clock)
    {
        (Sink, Settings, Clock) = (sink, settings, clock);
        Metrics = new(metrics);
        Slots = new(settings.MaxConcurrentScrapes);
        _discovery = new(clock, metrics, Reconcile);
    }

    internal ISampleSink Sink { get; }

    internal ScraperSettings Settings { get; }

    internal TimeProvider Clock { get; }

    internal ScrapeMetrics Metrics { get; }

    internal SemaphoreSlim Slots { get; }

    /// <summary>Every target that is scraped, by job and then by address.</summary>
    public IReadOnlyList<TargetStatus> Targets
    {
        get
        {
            lock (_gate)
                return [.. _pools.Values.SelectMany(p => p.Targets.Values).Select(t => t.Status).OrderBy(t => t.ScrapePool, StringComparer.Ordinal).ThenBy(t => t.ScrapeUrl, StringComparer.Ordinal)];
        }
    }

    /// <summary>Targets that relabelling dropped or that cannot be scraped.</summary>
    public IReadOnlyList<DroppedTarget> DroppedTargets
    {
        get
        {
            lock (_gate)
                return [.. _pools.Values.SelectMany(p => p.Dropped)];
        }
    }

    /// <summary>What the targets say about their metrics.</summary>
    public IReadOnlyList<MetricMetadata> Metadata
    {
        get
        {
            lock (_gate)
                return [.. _pools.Values.SelectMany(p => p.Targets.Values).SelectMany(t => t.Metadata)];
        }
    }

    /// <summary>
    /// Scrapes by this configuration from now on. Targets that stay keep their state; those that are gone become stale. Jobs of the
    /// same object as before stay untouched.
    /// </summary>
    /// <param name="config">The configuration, judged.</param>
    /// <param name="discovered">Groups of targets for jobs of the configuration, by the job's name, besides those that it names itself.</param>
    public void Apply(PrometheusConfig config, IReadOnlyDictionary<string, IReadOnlyList<TargetGroup>>? discovered = null)
    {
        lock (_gate)
        {
            if (_isDisposed)
                return;
            (_config, _given) = (config, discovered ?? new Dictionary<string, IReadOnlyList<TargetGroup>>());
            _discovery.Apply(config);
            ReconcileAll();
        }
    }

    /// <summary>Ends the scrapes. Nothing becomes stale by it: whoever starts again goes on where this ends.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Task> stopping;
        lock (_gate)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            stopping = [.. _ending, .. _pools.Values.SelectMany(p => p.Targets.Values).Select(t => t.StopAsync())];
        }
        await _closing.CancelAsync();
        await _discovery.DisposeAsync();
        await Task.WhenAll(stopping);
        foreach (var pool in _pools.Values)
            pool.Job.Dispose();
        Slots.Dispose();
        _closing.Dispose();
    }

    internal ScrapePass Borrow() => _passes.TryTake(out var pass) ? pass : new ScrapePass();

    internal void Return(ScrapePass pass) => _passes.Add(pass);

    private void Reconcile()
    {
        lock (_gate)
            if (!_isDisposed)
                ReconcileAll();
    }

    private void ReconcileAll()
    {
        _ending.RemoveAll(t => t.IsCompleted);
        var wanted = _config.ScrapeConfigs.ToDictionary(c => c.JobName, StringComparer.Ordinal);
        foreach (var (name, pool) in _pools.ToList())
            if (!wanted.ContainsKey(name))
            {
                End([.. pool.Targets.Values], pool.Job);
                _pools.Remove(name);
                Metrics.PoolTargets.Remove("scrape_job", name);
            }
        foreach (var config in wanted.Values)
            Reconcile(config);
        Metrics.Pools.Set(_pools.Count);
    }

    private void Reconcile(ScrapeConfig config)
    {
        ScrapeJob? old = null;
        if (!_pools.TryGetValue(config.JobName, out var pool))
            _pools.Add(config.JobName, pool = new(new ScrapeJob(config, Settings)));
        else if (!ReferenceEquals(pool.Job.Config, config))
            (old, pool.Job) = (pool.Job, new ScrapeJob(config, Settings));
        var plans = Plans(pool);
        pool.Job.Refusal = config.Limits.Targets > 0 && plans.Count > config.Limits.Targets ? $"target_limit exceeded (number of targets: {plans.Count}, limit: {config.Limits.Targets})" : null;
        if (pool.Job.Refusal is not null)
            Metrics.TargetLimit.Add();
        var gone = pool.Targets.Where(t => !plans.ContainsKey(t.Key)).ToList();
        foreach (var (key, _) in gone)
            pool.Targets.Remove(key);
        foreach (var target in pool.Targets.Values)
            target.Follow(pool.Job);
        // Connections of the old version are closed by and by, as they fall idle: scrapes may still use them.
        if (gone.Count > 0)
            End([.. gone.Select(t => t.Value)], null);
        var seed = _config.Global.ExternalLabels.Hash;
        foreach (var (key, plan) in plans)
            if (!pool.Targets.ContainsKey(key))
            {
                var earlier = _leaving.Remove(plan.Final, out var leaving) && leaving.TryTakeOver() ? leaving : null;
                var target = new ScrapeTarget(this, pool.Job, plan, seed, earlier);
                pool.Targets.Add(key, target);
                target.Start();
            }
        Metrics.PoolTargets.With(config.JobName).Set(pool.Targets.Count);
    }

    private Dictionary<string, TargetPlan> Plans(Pool pool)
    {
        var config = pool.Job.Config;
        var most = config.Limits.KeepDroppedTargets > 0 ? config.Limits.KeepDroppedTargets : long.MaxValue;
        var plans = new Dictionary<string, TargetPlan>(StringComparer.Ordinal);
        pool.Dropped.Clear();
        var given = _given.TryGetValue(config.JobName, out var groups) ? groups : [];
        foreach (var group in config.StaticTargets.Concat(given).Concat(_discovery.GroupsOf(config.JobName)))
            foreach (var target in group.Targets)
            {
                var (plan, discovered, why) = TargetLabels.Plan(config, pool.Job.TargetRules, group, target);
                if (plan is not null)
                    plans.TryAdd(plan.Key, plan);
                else if (pool.Dropped.Count < most)
                    pool.Dropped.Add(new(config.JobName, discovered, why));
            }
        return plans;
    }

    private void End(IReadOnlyList<ScrapeTarget> targets, ScrapeJob? job)
    {
        foreach (var target in targets)
            _leaving[target.Plan.Final] = target;
        _ending.Add(EndAsync(targets, job));
    }

    private async Task EndAsync(IReadOnlyList<ScrapeTarget> targets, ScrapeJob? job)
    {
        await Task.WhenAll(targets.Select(t => t.StopAsync()));
        job?.Dispose();
        await Task.WhenAll(targets.Select(t => t.LeaveAsync(_closing.Token)));
        lock (_gate)
            foreach (var target in targets)
                if (_leaving.TryGetValue(target.Plan.Final, out var last) && ReferenceEquals(last, target))
                    _leaving.Remove(target.Plan.Final);
    }

    private sealed class Pool(ScrapeJob job)
    {
        public ScrapeJob Job { get; set; } = job;

        public Dictionary<string, ScrapeTarget> Targets { get; } = new(StringComparer.Ordinal);

        public List<DroppedTarget> Dropped { get; } = [];
    }
}
