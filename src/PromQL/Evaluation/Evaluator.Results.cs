using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>What a whole query answers.</summary>
internal sealed partial class Evaluator
{
    /// <summary>The answer at one moment.</summary>
    public QueryValue InstantValue(Expr expr)
    {
        if (expr.Type == ValueType.Matrix)
            return WholeRange(Unwrap(expr));
        if (Unwrap(expr) is StringLiteral text)
            return new StringValue(whole.Start, text.Value);
        var result = Evaluate(expr, whole);
        if (expr.Type == ValueType.Scalar)
            return new ScalarValue(whole.Start, result.Scalar[0]);
        Finish(result.Series);
        return new VectorValue([.. result.Series.Select(s => (s.Labels, new Point(whole.Start, s.HistogramAt(0) is null ? s.Values[0] : 0, s.HistogramAt(0))))]);
    }

    /// <summary>The answer at all steps, the series in the order of their labels.</summary>
    public QueryValue RangeValue(Expr expr)
    {
        var result = Evaluate(expr, whole);
        Finish(result.Series);
        return ToMatrix(result);
    }

    private StepMatrix FinishedSubquery(Subquery subquery)
    {
        var result = EvaluateSubquery(subquery, whole);
        Finish(result.Series);
        return result;
    }

    private QueryValue WholeRange(Expr expr)
    {
        if (expr is Subquery subquery)
            return ToMatrix(FinishedSubquery(subquery));
        var matrix = (MatrixSelector)expr;
        var to = (matrix.Selector.At is { } at ? TimeOf(at) : whole.Start) - matrix.Selector.Offset;
        if (matrix.Selector.Boundary != RangeBoundary.None)
            return WholeExtendedRange(matrix, to);
        var from = to - matrix.Range + 1;
        var all = new List<(Labels Labels, IReadOnlyList<Point> Points)>();
        foreach (var stored in reader.Select(from, to, matrix.Selector.Conditions, context.Cancellation))
        {
            context.ThrowIfStopped();
            var samples = _columns.ReadValid(stored, from, to);
            var points = new List<Point>(samples.Times.Length);
            for (var i = 0; i < samples.Times.Length; i++)
            {
                var histogram = samples.Histograms.IsEmpty ? null : samples.Histograms[i];
                var weight = histogram is null ? 1 : StepColumns.Weight(histogram);
                context.Read(weight);
                context.Hold(weight);
                points.Add(new(samples.Times[i], histogram is null ? samples.Values[i] : 0, histogram));
            }
            if (points.Count > 0)
                all.Add((stored.Labels, points));
        }
        all.Sort(static (a, b) => a.Labels.CompareTo(b.Labels));
        return new MatrixValue(all);
    }

    /// <summary>Drops the names that were kept until now.</summary>
    private void Finish(List<StepSeries> series)
    {
        if (context.DelayedNameRemoval)
            foreach (var one in series)
                if (one.DropName)
                    one.Labels = SeriesSet.DropName(one.Labels);
        SeriesSet.Unite(series);
    }

    private static MatrixValue ToMatrix(StepMatrix result)
    {
        result.Series.Sort(static (a, b) => a.Labels.CompareTo(b.Labels));
        var all = new List<(Labels Labels, IReadOnlyList<Point> Points)>(result.Series.Count);
        foreach (var series in result.Series)
        {
            var points = new List<Point>(StepColumns.Count(series.Values));
            for (var step = 0; step < series.Values.Length; step++)
                if (series.HistogramAt(step) is { } histogram)
                    points.Add(new(result.Steps.TimeOf(step), 0, histogram));
                else if (!Absent.Is(series.Values[step]))
                    points.Add(new(result.Steps.TimeOf(step), series.Values[step]));
            if (points.Count > 0)
                all.Add((series.Labels, points));
        }
        return new MatrixValue(all);
    }
}
