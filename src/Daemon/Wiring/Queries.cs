using System.Runtime.InteropServices;
using Groundcrew.Bedrock;
using Groundcrew.Metrics;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon.Wiring;

/// <summary>A query that was answered, and the time that it took.</summary>
/// <param name="Result">The answer.</param>
/// <param name="Queued">How long it waited for its turn.</param>
/// <param name="Took">How long it was evaluated.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct AnsweredQuery(QueryResult Result, TimeSpan Queued, TimeSpan Took);

/// <summary>What a caller asks beyond the query itself; null keeps what the platform does.</summary>
/// <param name="Timeout">How long it may run; never longer than the platform allows.</param>
/// <param name="Lookback">How old the newest sample of a selector may be.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct QueryWish(TimeSpan? Timeout, TimeSpan? Lookback);

/// <summary>
/// Answers queries, a bounded number at a time, each on a thread of its own pool slot; the others wait for their turn
/// within their time limit. Thread-safe.
/// </summary>
internal sealed class Queries : IDisposable
{
    /// <summary>The most that are evaluated at a time.</summary>
    public const int AtOnce = 20;

    private const int MostWaiting = 200;
    private static readonly double[] Buckets = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60];
    private readonly EngineOptions _options;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _turns = new(AtOnce, AtOnce);
    private readonly Metric.Series _evaluating;
    private readonly Metric.Series _queued;
    private readonly Metric.Series _samples;
    private readonly Metric.Series[] _outcomes;
    private int _waiting;

    public Queries(EngineOptions options, MetricRegistry metrics, TimeProvider clock)
    {
        (_options, _clock) = (options, clock);
        var duration = metrics.Histogram("prometheus_engine_query_duration_seconds", "How long do PromQL queries take: waiting for their turn (queue_time), evaluated (inner_eval)?", Buckets, "slice");
        (_evaluating, _queued) = (duration.With("inner_eval"), duration.With("queue_time"));
        _samples = metrics.Counter("prometheus_engine_query_samples_total", "How many samples did all PromQL queries read?").With();
        metrics.Observe("prometheus_engine_queries", "How many PromQL queries are evaluated now?", () => AtOnce - _turns.CurrentCount);
        metrics.Gauge("prometheus_engine_queries_concurrent_max", "How many PromQL queries may be evaluated at a time?").Set(AtOnce);
        var outcomes = metrics.Counter("groundcrew_queries_total", "How do PromQL queries end that came through the API?", "outcome");
        _outcomes = [.. ((string[])["bad_data", "execution", "timeout", "canceled", "success"]).Select(o => outcomes.With(o))];
        metrics.Observe("groundcrew_queries_waiting", "How many PromQL queries wait for their turn?", () => Volatile.Read(ref _waiting));
    }

    /// <summary>How they are evaluated.</summary>
    public EngineOptions Options => _options;

    /// <summary>Evaluates at one moment (milliseconds since 1970).</summary>
    public Task<AnsweredQuery> InstantAsync(IMetricSource source, string query, long time, QueryWish wish, CancellationToken cancellation) =>
        RunAsync(wish, engine => engine.Instant(source, query, time, cancellation), cancellation);

    /// <summary>Evaluates from <paramref name="start"/> to <paramref name="end"/> in steps (milliseconds).</summary>
    public Task<AnsweredQuery> RangeAsync(IMetricSource source, string query, long start, long end, long step, QueryWish wish, CancellationToken cancellation) =>
        RunAsync(wish, engine => engine.Range(source, query, start, end, step, cancellation), cancellation);

    public void Dispose() => _turns.Dispose();

    private async Task<AnsweredQuery> RunAsync(QueryWish wish, Func<QueryEngine, QueryResult> evaluate, CancellationToken cancellation)
    {
        var limit = wish.Timeout is { } wished && wished < _options.Timeout ? wished : _options.Timeout;
        var engine = new QueryEngine(_options with { Timeout = limit, Lookback = wish.Lookback ?? _options.Lookback }, _clock);
        var asked = _clock.GetTimestamp();
        if (!await HasTurnAsync(limit, cancellation))
            return Count(new(Unanswered(QueryErrorKind.Timeout, "query timed out in query queue"), _clock.GetElapsedTime(asked), TimeSpan.Zero));
        var began = _clock.GetTimestamp();
        try
        {
            var result = await Task.Run(() => evaluate(engine), cancellation);
            return Count(new(result, _clock.GetElapsedTime(asked, began), _clock.GetElapsedTime(began)));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return Count(new(Unanswered(QueryErrorKind.Canceled, "query was canceled in query execution"), _clock.GetElapsedTime(asked, began), _clock.GetElapsedTime(began)));
        }
        finally
        {
            _turns.Release();
        }
    }

    private async Task<bool> HasTurnAsync(TimeSpan limit, CancellationToken cancellation)
    {
        if (await _turns.WaitAsync(TimeSpan.Zero, cancellation))
            return true;
        if (Interlocked.Increment(ref _waiting) > MostWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }
        try
        {
            return await _turns.WaitAsync(limit, cancellation);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private AnsweredQuery Count(AnsweredQuery answered)
    {
        _evaluating.Observe(answered.Took.TotalSeconds);
        _queued.Observe(answered.Queued.TotalSeconds);
        _samples.Add(answered.Result.Stats.TotalQueryableSamples);
        _outcomes[answered.Result.Error is { } error ? (int)error.Kind : _outcomes.Length - 1].Add();
        return answered;
    }

    private static QueryResult Unanswered(QueryErrorKind kind, string message) => new(null, new QueryError(kind, message), new Annotations());
}
