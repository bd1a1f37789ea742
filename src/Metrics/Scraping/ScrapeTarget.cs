namespace Groundcrew.Metrics;

/// <summary>One target: when it is scraped, what became of it, and what it brought. Status may be read by any thread; scrapes follow each other.</summary>
#pragma warning disable CA1001 // Ends with its loop: StopAsync disposes what it holds.
internal sealed class ScrapeTarget
#pragma warning restore CA1001
{
    private const int Open = 0;
    private const int Ended = 1;
    private const int TakenOver = 2;
    private static readonly TimeSpan MostTolerance = TimeSpan.FromMilliseconds(10);

    private readonly Scraper _scraper;
    private readonly SeriesCache _cache;
    private readonly MetadataTable _metadata;
    private readonly Dictionary<string, SeriesHandle> _reports;
    private ScrapeTarget? _earlier;
    private readonly CancellationTokenSource _stop = new();
    private readonly TimeSpan _offset;
    private volatile TargetStatus _status;
    private volatile ScrapeJob _job;
    private ScrapeJob _seenJob;
    private int _fate;
    private Task _running = Task.CompletedTask;

    /// <param name="scraper">Whose it is.</param>
    /// <param name="job">Its job.</param>
    /// <param name="plan">What it is.</param>
    /// <param name="seed">Differs between scrapers, so that they do not all ask at once.</param>
    /// <param name="earlier">A target that left and had the same labels, and was taken over (see <see cref="TryTakeOver"/>): its series go on.</param>
    public ScrapeTarget(Scraper scraper, ScrapeJob job, TargetPlan plan, ulong seed, ScrapeTarget? earlier = null)
    {
        (_earlier, _cache, _metadata, _reports) = (earlier, earlier?._cache ?? new(), earlier?._metadata ?? new(), earlier?._reports ?? new(StringComparer.Ordinal));
        (_scraper, _job, _seenJob, Plan) = (scraper, job, earlier?._seenJob ?? job, plan);
        _offset = TimeSpan.FromMilliseconds((Labels.HashOf(System.Text.Encoding.UTF8.GetBytes($"{plan.Final}{plan.Url}")) ^ seed) % (ulong)plan.Interval.TotalMilliseconds);
        _status = new()
        {
            ScrapePool = job.Config.JobName,
            DiscoveredLabels = plan.Discovered,
            Labels = plan.Final,
            ScrapeUrl = plan.Shown,
            GlobalUrl = scraper.Settings.PublicHost is { } host && plan.Url.IsLoopback ? new UriBuilder(plan.Url) { Host = host }.Uri.AbsoluteUri : plan.Shown,
            ScrapeInterval = plan.Interval,
            ScrapeTimeout = plan.Timeout,
        };
    }

    public TargetPlan Plan { get; }

    public TargetStatus Status => _status;

    public List<MetricMetadata> Metadata => _metadata.All(Plan.Final);

    /// <summary>Goes on by the settings of another version of its job.</summary>
    public void Follow(ScrapeJob job) => _job = job;

    public void Start() => _running = RunAsync(_stop.Token);

    /// <summary>Ends the loop; the target's series stay as they are.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    /// <summary>
    /// Call after <see cref="StopAsync"/> for a target that is gone: its series end, at the time of the scrape that would have been
    /// next, but only when two intervals passed and nobody took it over, because targets come back when a list of them is written
    /// again. When we end ourselves in between, nothing becomes stale.
    /// </summary>
    public async Task LeaveAsync(CancellationToken closing)
    {
        if (_status.LastScrape is null)
            return;
        var now = _scraper.Clock.GetUtcNow();
        var at = DueAfter(now);
        try
        {
            await Task.Delay(at - now + (Plan.Interval * 1.1), _scraper.Clock, closing);
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            return;
        }
        if (Interlocked.CompareExchange(ref _fate, Ended, Open) == Open)
            End(at);
    }

    /// <summary>Keeps the series of a target that is leaving from ending; false when they ended.</summary>
    public bool TryTakeOver() => Interlocked.CompareExchange(ref _fate, TakenOver, Open) == Open;

    /// <summary>When it is due next, after a moment: at its own offset in each interval.</summary>
    public DateTimeOffset DueAfter(DateTimeOffset now)
    {
        var passed = (now - DateTimeOffset.UnixEpoch - _offset).Ticks;
        var periods = Math.DivRem(passed, Plan.Interval.Ticks).Quotient;
        return DateTimeOffset.UnixEpoch + _offset + TimeSpan.FromTicks((periods + 1) * Plan.Interval.Ticks);
    }

    private async Task RunAsync(CancellationToken stop)
    {
        if (_earlier is not null)
            await _earlier._running;
        _earlier = null;
        try
        {
            while (true)
            {
                var now = _scraper.Clock.GetUtcNow();
                var due = DueAfter(now);
                var delay = Task.Delay(due - now, _scraper.Clock, stop);
                _status = _status with { NextScrape = due };
                await delay;
                _status = _status with { NextScrape = null };
                await _scraper.Slots.WaitAsync(stop);
                try
                {
                    await ScrapeAsync(due, stop);
                }
                finally
                {
                    _scraper.Slots.Release();
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // A scrape that was broken off brought nothing.
            _cache.Abandon();
        }
    }

    /// <summary>One scrape. The time of its samples is when it was due, if it is about that time; stored times then repeat evenly.</summary>
    internal async Task ScrapeAsync(DateTimeOffset due, CancellationToken stop)
    {
        var began = _scraper.Clock.GetUtcNow();
        var tolerance = Plan.Interval / 100 < MostTolerance ? Plan.Interval / 100 : MostTolerance;
        var at = (began - due).Duration() <= tolerance ? due : began;
        var time = at.ToUnixTimeMilliseconds();
        var job = _job;
        if (!ReferenceEquals(job, _seenJob))
            _cache.ForgetTexts();
        _seenJob = job;
        var pass = _scraper.Borrow();
        try
        {
            pass.Begin(job, Plan.Final, _cache, _metadata, _scraper.Sink, _scraper.Metrics, time);
            var (error, bytes) = await TryFetchAsync(job, pass, stop);
            Conclude(job, pass, began, time, error, bytes);
        }
        finally
        {
            _scraper.Return(pass);
        }
    }

    private async Task<(string? Error, long Bytes)> TryFetchAsync(ScrapeJob job, ScrapePass pass, CancellationToken stop)
    {
        if (job.Refusal is { } refusal)
            return (refusal, -1);
        using var limit = new CancellationTokenSource(Plan.Timeout, _scraper.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        try
        {
            return (null, await TargetCall.FetchAsync(job, Plan, pass, _scraper.Settings, _scraper.Metrics, either.Token));
        }
        catch (ScrapeFailure failure)
        {
            failure.Counter?.Add();
            return (failure.Message, -1);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException && limit.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            return ($"Get \"{Plan.Shown}\": context deadline exceeded: no complete answer within {PrometheusDuration.Format(Plan.Timeout)}", -1);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException && !stop.IsCancellationRequested)
        {
            return ($"Get \"{Plan.Shown}\": {Reason(e)}", -1);
        }
        catch (ExpositionException e)
        {
            return (e.Message, -1);
        }
    }

    // Stores what the scrape brought or, when it failed, that what was there before is not any more; and how it went.
    private void Conclude(ScrapeJob job, ScrapePass pass, DateTimeOffset began, long time, string? error, long bytes)
    {
        var scraper = _scraper;
        var took = scraper.Clock.GetUtcNow() - began;
        if (error is null)
        {
            _cache.Keep(pass.Batch, time);
            _metadata.Keep();
        }
        else
        {
            pass.Batch.Clear();
            _cache.Fail(pass.Batch, time);
        }
        Report(job, pass, time, error is null, took, bytes);
        var result = scraper.Sink.Commit(pass.Batch);
        scraper.Metrics.Count(result);
        if (error is null && result.Failure is null && scraper.Settings.Exemplars is { } exemplars)
            pass.Exemplars.AddTo(exemplars);
        if (result.Failure is { } failure)
            error ??= $"the store refuses samples: {failure}";
        if (_cache.IsOvergrown)
        {
            _cache.ForgetTexts();
            scraper.Metrics.CacheFlushes.Add();
        }
        scraper.Metrics.Scrapes.With(error is null ? "stored" : "failed").Add();
        _status = _status with
        {
            Health = error is null ? TargetHealth.Up : TargetHealth.Down,
            LastError = error ?? "",
            LastScrape = began,
            LastScrapeDuration = took,
        };
    }

    private void Report(ScrapeJob job, ScrapePass pass, long time, bool up, TimeSpan took, long bytes)
    {
        var batch = pass.Batch;
        batch.Add(ReportSeries("up"), time, up ? 1 : 0);
        batch.Add(ReportSeries("scrape_duration_seconds"), time, took.TotalSeconds);
        batch.Add(ReportSeries("scrape_samples_scraped"), time, pass.Scraped);
        batch.Add(ReportSeries("scrape_samples_post_metric_relabeling"), time, pass.Kept);
        batch.Add(ReportSeries("scrape_series_added"), time, up ? _cache.Added : 0);
        if (!_scraper.Settings.ExtraScrapeMetrics)
            return;
        batch.Add(ReportSeries("scrape_timeout_seconds"), time, Plan.Timeout.TotalSeconds);
        batch.Add(ReportSeries("scrape_sample_limit"), time, job.Config.Limits.Samples);
        batch.Add(ReportSeries("scrape_body_size_bytes"), time, bytes);
    }

    private void End(DateTimeOffset at)
    {
        var batch = new SampleBatch();
        var time = at.ToUnixTimeMilliseconds();
        _cache.Begin();
        _cache.Fail(batch, time);
        foreach (var series in _reports.Values)
            batch.Add(series, time, StaleMarker.Value);
        _scraper.Metrics.Count(_scraper.Sink.Commit(batch));
    }

    private SeriesHandle ReportSeries(string name)
    {
        if (!_reports.TryGetValue(name, out var series))
            _reports.Add(name, series = _scraper.Sink.Resolve(new LabelsBuilder().Reset(Plan.Final).Set(Labels.MetricName, name).ToLabels().Packed));
        return series;
    }

    // The innermost reason is the one that a person can act on, such as "Connection refused".
    private static string Reason(Exception e) => e switch
    {
        InvalidDataException => $"the compressed answer is damaged: {e.Message}",
        { InnerException: { } inner } and not HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => Reason(inner),
        _ => e.Message,
    };
}
