using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>Why a query has no answer; the names are those of Prometheus' API (<c>errorType</c>).</summary>
public enum QueryErrorKind
{
    /// <summary><c>bad_data</c>: the text or a parameter is wrong.</summary>
    BadData,

    /// <summary><c>execution</c>: the data does not allow it, such as a many-to-many match, or a limit on samples.</summary>
    Execution,

    /// <summary><c>timeout</c></summary>
    Timeout,

    /// <summary><c>canceled</c></summary>
    Canceled,
}

/// <summary>Why a query has no answer.</summary>
public sealed record QueryError(QueryErrorKind Kind, string Message);

/// <summary>A sample: a float, or a histogram when that is not null.</summary>
public readonly record struct Point(long Time, double Value, FloatHistogram? Histogram = null);

/// <summary>The answer to a query.</summary>
public abstract record QueryValue;

/// <summary>One number.</summary>
public sealed record ScalarValue(long Time, double Value) : QueryValue;

/// <summary>A text.</summary>
public sealed record StringValue(long Time, string Value) : QueryValue;

/// <summary>A sample for each series; in the order that the query asks for, if it asks.</summary>
public sealed record VectorValue(IReadOnlyList<(Labels Labels, Point Point)> Samples) : QueryValue;

/// <summary>Samples over time for each series, the series in the order of their labels.</summary>
public sealed record MatrixValue(IReadOnlyList<(Labels Labels, IReadOnlyList<Point> Points)> Series) : QueryValue;

/// <summary>What a query read, as Prometheus' API tells it with <c>stats</c>.</summary>
/// <param name="TotalQueryableSamples">The samples that were read at all steps together; one that several steps see counts for each.</param>
/// <param name="PeakSamples">The most samples that were held at a time.</param>
public sealed record QueryStats(long TotalQueryableSamples, long PeakSamples)
{
    /// <summary>Of a query that read nothing.</summary>
    public static QueryStats None { get; } = new(0, 0);
}

/// <summary>An answer, or why there is none, and the remarks on it.</summary>
public sealed record QueryResult(QueryValue? Value, QueryError? Error, Annotations Annotations)
{
    /// <summary>What it read.</summary>
    public QueryStats Stats { get; init; } = QueryStats.None;
}
