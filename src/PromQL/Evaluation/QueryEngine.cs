using Groundcrew.Metrics;
using Groundcrew.PromQL.Evaluation;

namespace Groundcrew.PromQL;

/// <summary>How an engine evaluates.</summary>
public sealed record EngineOptions
{
    /// <summary>How old the newest sample may be that a selector still takes (Prometheus: 5 minutes). The begin is excluded.</summary>
    public TimeSpan Lookback { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The step of subqueries that name none (Prometheus: the evaluation interval, 1 minute).</summary>
    public TimeSpan DefaultSubqueryStep { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The most samples that one query may hold at a time; a histogram counts as its size in bytes / 16.</summary>
    public long MaxSamples { get; init; } = 50_000_000;

    /// <summary>How long a query may run.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Whether experimental functions and aggregations are allowed.</summary>
    public bool Experimental { get; init; }

    /// <summary>Whether metric names are dropped at the end of the whole query (behind a flag in Prometheus 3).</summary>
    public bool DelayedNameRemoval { get; init; }
}

/// <summary>Answers PromQL queries. Thread-safe; holds nothing between queries.</summary>
/// <param name="options">How it evaluates.</param>
/// <param name="clock">What the time limit is measured with.</param>
public sealed class QueryEngine(EngineOptions options, TimeProvider clock)
{
    /// <summary>Evaluates at one moment (milliseconds since 1970).</summary>
    public QueryResult Instant(IMetricSource source, string query, long time, CancellationToken cancellation = default) =>
        Parsed(query, expr => Run(source, expr, new Steps(time, time, 0), isRange: false, cancellation));

    /// <summary>Evaluates at each step from <paramref name="start"/> to <paramref name="end"/>, both included (milliseconds).</summary>
    public QueryResult Range(IMetricSource source, string query, long start, long end, long step, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(step);
        return Parsed(query, expr => Run(source, expr, new Steps(start, end, step), isRange: true, cancellation));
    }

    private QueryResult Parsed(string query, Func<Expr, QueryResult> run)
    {
        var parsed = Parser.Parse(query, options.Experimental);
        return parsed.Expr is { } expr ? run(expr) : Refused(parsed.Error);
    }

    private QueryResult Run(IMetricSource source, Expr expr, Steps steps, bool isRange, CancellationToken cancellation)
    {
        if (isRange && expr.Type is not (ValueType.Scalar or ValueType.Vector))
            return Refused($"invalid expression type \"{(expr.Type == ValueType.Matrix ? "range vector" : "string")}\" for range query, must be Scalar or instant Vector");
        var context = new QueryContext(options, clock, cancellation) { Whole = steps };
        try
        {
            context.CheckSteps(steps.Start, steps.End, steps.Interval);
            if (DurationMath.AnyOpen(expr))
                expr = DurationMath.Resolve(expr, steps.Interval, steps.End - steps.Start);
            using var reader = source.OpenReader();
            var evaluator = new Evaluator(context, reader, options, steps, expr);
            var value = isRange ? evaluator.RangeValue(expr) : evaluator.InstantValue(expr);
            return new(value, null, context.Annotations) { Stats = context.Stats };
        }
        catch (QueryFailedException failed)
        {
            return new(null, new(failed.Kind, failed.Message), context.Annotations) { Stats = context.Stats };
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return new(null, new(QueryErrorKind.Canceled, "query was canceled in expression evaluation"), context.Annotations) { Stats = context.Stats };
        }
    }

    private static QueryResult Refused(string why) => new(null, new(QueryErrorKind.BadData, why), new());
}
