using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Scripts;

/// <summary>Whether an answer is what was expected; values may differ by a millionth.</summary>
internal static class Comparison
{
    private const double Tolerance = 1e-6;
    private const double SmallestNormal = 2.2250738585072014e-308;

    /// <summary>Whether two numbers count as the same: NaN equals NaN, the stale marker only itself.</summary>
    public static bool Same(double a, double b)
    {
        if (StaleMarker.Is(a) || StaleMarker.Is(b))
            return StaleMarker.Is(a) && StaleMarker.Is(b);
        if ((double.IsNaN(a) && double.IsNaN(b)) || a == b)
            return true;
        var (sum, difference) = (Math.Abs(a) + Math.Abs(b), Math.Abs(a - b));
        if (a == 0 || b == 0 || sum < SmallestNormal)
            return difference < Tolerance * SmallestNormal;
        return difference / Math.Min(sum, double.MaxValue) < Tolerance;
    }

    /// <summary>Why an answer at one moment is not as expected, or null.</summary>
    public static string? OfInstant(Expectation expected, QueryValue value) => value switch
    {
        ScalarValue s when expected.Scalar is { } scalar => Same(scalar, s.Value) ? null : "another scalar",
        StringValue s when expected.Text is { } text => s.Value == text ? null : "another string",
        VectorValue v when expected is { Scalar: null, Text: null } => OfVector(expected, v),
        _ => "a value of another type",
    };

    /// <summary>Why an answer over a range is not as expected, or null.</summary>
    public static string? OfRange(Expectation expected, MatrixValue matrix, long start, long step)
    {
        var wanted = expected.Series.Select(s => (s.Labels, Points: Timed(s.Points, start, step))).ToList();
        if (Duplicate(matrix.Series.Select(s => s.Labels)) is { } twice)
            return $"{twice} twice";
        foreach (var (labels, points) in matrix.Series)
        {
            var match = wanted.FindIndex(w => w.Labels.Equals(labels));
            if (match < 0)
                return $"unexpected series {labels}";
            if (OfPoints(wanted[match].Points, points) is { } difference)
                return $"{labels}: {difference}";
        }
        foreach (var (labels, points) in wanted)
            if (points.Count > 0 && !matrix.Series.Any(s => s.Labels.Equals(labels)))
                return $"expected series {labels} is missing";
        return null;
    }

    private static string? OfVector(Expectation expected, VectorValue vector)
    {
        var wanted = expected.Series;
        if (Duplicate(vector.Samples.Select(s => s.Labels)) is { } twice)
            return $"{twice} twice";
        for (var i = 0; i < vector.Samples.Count; i++)
        {
            var (labels, point) = vector.Samples[i];
            var match = wanted.FindIndex(w => w.Labels.Equals(labels));
            if (match < 0)
                return $"unexpected series {labels}";
            if (expected.Ordered && match != i)
                return $"{labels} stands at position {i + 1} instead of {match + 1}";
            var points = wanted[match].Points;
            if (points.Count != 1 || !SamePoint(points[0], point))
                return $"{labels} has another value";
        }
        foreach (var series in wanted)
            if (!vector.Samples.Any(s => s.Labels.Equals(series.Labels)))
                return $"expected series {series.Labels} is missing";
        return null;
    }

    private static string? OfPoints(List<(long Time, NotedPoint Point)> wanted, IReadOnlyList<Point> points)
    {
        if (wanted.Count != points.Count)
            return $"{points.Count} points instead of {wanted.Count}";
        for (var i = 0; i < wanted.Count; i++)
        {
            if (wanted[i].Time != points[i].Time)
                return $"a point at {points[i].Time / 1000.0}s instead of {wanted[i].Time / 1000.0}s";
            if (!SamePoint(wanted[i].Point, points[i]))
                return $"another value at {points[i].Time / 1000.0}s";
        }
        return null;
    }

    private static List<(long Time, NotedPoint Point)> Timed(IReadOnlyList<NotedPoint> points, long start, long step) =>
        [.. points.Select((p, i) => (start + (i * step), p)).Where(p => !p.p.IsGap)];

    private static bool SamePoint(NotedPoint wanted, Point point) => (wanted.Histogram, point.Histogram) switch
    {
        (null, null) => Same(wanted.Value, point.Value),
        ({ } a, { } b) => SameHistogram(a, b, wanted.HintIsStated),
        _ => false,
    };

    private static bool SameHistogram(FloatHistogram wanted, FloatHistogram actual, bool hintToo)
    {
        var (a, b) = (wanted.Copy(), actual.Copy());
        a.Compact();
        b.Compact();
        return a.Schema == b.Schema && Same(a.Count, b.Count) && Same(a.Sum, b.Sum)
            && a.ZeroThreshold == b.ZeroThreshold && Same(a.ZeroCount, b.ZeroCount)
            && a.CustomValues.AsSpan().SequenceEqual(b.CustomValues)
            && SameBuckets(a.PositiveSpans, a.PositiveBuckets, b.PositiveSpans, b.PositiveBuckets)
            && SameBuckets(a.NegativeSpans, a.NegativeBuckets, b.NegativeSpans, b.NegativeBuckets)
            && (!hintToo || a.ResetHint == CounterResetHint.Unknown || a.ResetHint == b.ResetHint);
    }

    /// <summary>Compared by the place of each bucket, because the same buckets can be written as different runs.</summary>
    private static bool SameBuckets(HistogramSpan[] spans, double[] counts, HistogramSpan[] otherSpans, double[] otherCounts)
    {
        var mine = ByIndex(spans, counts);
        var theirs = ByIndex(otherSpans, otherCounts);
        return mine.Count == theirs.Count && mine.All(m => theirs.TryGetValue(m.Key, out var other) && Same(m.Value, other));
    }

    private static Dictionary<int, double> ByIndex(HistogramSpan[] spans, double[] counts)
    {
        var all = new Dictionary<int, double>();
        var (index, next) = (0, 0);
        foreach (var span in spans)
        {
            index += span.Offset;
            for (var i = 0; i < span.Length; i++, index++, next++)
                if (counts[next] != 0)
                    all[index] = counts[next];
        }
        return all;
    }

    private static Labels? Duplicate(IEnumerable<Labels> labels)
    {
        var seen = new HashSet<Labels>();
        return labels.FirstOrDefault(l => !seen.Add(l));
    }
}
