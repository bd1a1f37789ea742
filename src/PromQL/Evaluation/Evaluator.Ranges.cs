using System.Runtime.InteropServices;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Functions of range vectors: each series is decoded once and a window slides over it.</summary>
internal sealed partial class Evaluator
{
    private StepMatrix InvokeOnRange(Call call, RangeFunction function, Steps steps)
    {
        var sink = new ListSink(steps, context);
        InvokeOnRange(call, function, steps, sink);
        if (call.Function.Name == "absent_over_time")
            return AbsentOver(Unwrap(call.Arguments[0]), sink.Series, steps);
        if (!context.DelayedNameRemoval)
            SeriesSet.Unite(sink.Series, strict: true);
        return new(steps, sink.Series);
    }

    private void InvokeOnRange(Call call, RangeFunction function, Steps steps, SeriesSink sink)
    {
        var (range, scalars) = Arguments(call, steps);
        CheckBoundary(range, call.Function.Name);
        var sliding = new Sliding(function, new CallSite(call, context), scalars, steps, sink);
        if (range is MatrixSelector matrix)
            SlideOverStored(matrix, sliding);
        else
            SlideOverSubquery((Subquery)range, sliding);
    }

    private (Expr Range, double[][] Scalars) Arguments(Call call, Steps steps)
    {
        Expr? range = null;
        var scalars = new List<double[]>();
        foreach (var argument in call.Arguments)
            if (argument.Type == ValueType.Matrix)
                range = Unwrap(argument);
            else
                scalars.Add(Evaluate(argument, steps).Scalar);
        return (range ?? throw new InvalidOperationException("A range function was called without a range."), [.. scalars]);
    }

    private void SlideOverStored(MatrixSelector matrix, Sliding sliding)
    {
        var selector = matrix.Selector;
        var steps = sliding.Steps;
        var frame = selector.At is { } at
            ? new Frame(TimeOf(at) - selector.Offset, 0, matrix.Range)
            : new Frame(steps.Start - selector.Offset, steps.Interval, matrix.Range);
        var boundary = selector.Boundary;
        var from = frame.FirstEnd - matrix.Range + 1 - (boundary == RangeBoundary.None ? 0 : _lookback);
        var until = frame.FirstEnd + ((steps.Count - 1) * frame.Interval) + (boundary == RangeBoundary.Smoothed ? _lookback : 0);
        foreach (var stored in reader.Select(from, until, selector.Conditions, context.Cancellation))
        {
            context.ThrowIfStopped();
            var samples = _columns.ReadValid(stored, from, until);
            if (!samples.Times.IsEmpty)
                Slide(sliding, frame, boundary, samples, stored.Labels, dropName: false);
        }
    }

    private void SlideOverSubquery(Subquery subquery, Sliding sliding)
    {
        var inner = EvaluateSubquery(subquery, sliding.Steps);
        var frame = subquery.At is { } at
            ? new Frame(TimeOf(at) - subquery.Offset, 0, subquery.Range)
            : new Frame(sliding.Steps.Start - subquery.Offset, sliding.Steps.Interval, subquery.Range);
        foreach (var series in inner.Series)
        {
            context.ThrowIfStopped();
            Slide(sliding, frame, RangeBoundary.None, _columns.Of(series, inner.Steps), series.Labels, series.DropName);
        }
    }

    /// <summary>The inside of a subquery at all of its own steps, which are multiples of its interval.</summary>
    private StepMatrix EvaluateSubquery(Subquery subquery, Steps steps)
    {
        var interval = subquery.Step != 0 ? subquery.Step : (long)options.DefaultSubqueryStep.TotalMilliseconds;
        var first = (subquery.At is { } at ? TimeOf(at) : steps.Start) - subquery.Offset - subquery.Range;
        var last = (subquery.At is { } pinned ? TimeOf(pinned) : steps.End) - subquery.Offset;
        var start = interval * (first / interval);
        if (start <= first)
            start += interval;
        context.CheckSteps(start, last, interval);
        return Evaluate(subquery.Inner, new Steps(start, last, interval));
    }

    private void Slide(Sliding sliding, Frame frame, RangeBoundary boundary, in Samples samples, Labels labels, bool dropName)
    {
        var series = new StepSeries(labels, sliding.Sink.Column()) { DropName = dropName };
        var any = boundary != RangeBoundary.None ? SlideExtended(sliding, frame, boundary, samples, series)
            : samples.Histograms.IsEmpty ? SlideFloats(sliding, frame, samples, series) : SlideMixed(sliding, frame, samples, series);
        if (!any)
            return;
        context.Hold(StepColumns.Weight(series));
        if (!sliding.Function.KeepsName)
            SeriesSet.DropName(series, context.DelayedNameRemoval);
        sliding.Sink.Take(series);
    }

    // A loop of its own beside SlideMixed: with the branches for histograms in it, floats take half as long again.
    private bool SlideFloats(Sliding sliding, Frame frame, in Samples samples, StepSeries to)
    {
        var times = samples.Times;
        var (any, first, after) = (false, 0, 0);
        Span<double> scalars = stackalloc double[sliding.Scalars.Length];
        for (var step = 0; step < to.Values.Length; step++)
        {
            if (step % 256 == 255)
                context.ThrowIfStopped();
            var end = frame.FirstEnd + (step * frame.Interval);
            var start = end - frame.Range;
            while (after < times.Length && times[after] <= end)
                after++;
            while (first < after && times[first] <= start)
                first++;
            if (first == after)
            {
                to.Values[step] = Absent.Value;
                continue;
            }
            if (after - first > context.Room)
                throw QueryContext.TooMany();
            context.Read(after - first);
            for (var i = 0; i < scalars.Length; i++)
                scalars[i] = sliding.Scalars[i][step];
            var window = new Window
            {
                Times = times[first..after],
                Values = samples.Values[first..after],
                Start = start,
                End = end,
                StepTime = sliding.Steps.TimeOf(step),
                Labels = to.Labels,
            };
            var cell = default(Cell);
            sliding.Function.Evaluate(window, scalars, ref cell, sliding.Site);
            any |= Put(cell, step, to);
        }
        return any;
    }

    private bool SlideMixed(Sliding sliding, Frame frame, in Samples samples, StepSeries to)
    {
        var times = samples.Times;
        var (any, first, after, weight) = (false, 0, 0, 0L);
        Span<double> scalars = stackalloc double[sliding.Scalars.Length];
        for (var step = 0; step < to.Values.Length; step++)
        {
            if (step % 256 == 255)
                context.ThrowIfStopped();
            var end = frame.FirstEnd + (step * frame.Interval);
            var start = end - frame.Range;
            for (; after < times.Length && times[after] <= end; after++)
                weight += WeightAt(samples, after);
            for (; first < after && times[first] <= start; first++)
                weight -= WeightAt(samples, first);
            if (first == after)
            {
                to.Remove(step);
                continue;
            }
            if (weight > context.Room)
                throw QueryContext.TooMany();
            context.Read(weight);
            for (var i = 0; i < scalars.Length; i++)
                scalars[i] = sliding.Scalars[i][step];
            var window = new Window
            {
                Times = times[first..after],
                Values = samples.Values[first..after],
                Histograms = samples.Histograms[first..after],
                Start = start,
                End = end,
                StepTime = sliding.Steps.TimeOf(step),
                Labels = to.Labels,
            };
            var cell = default(Cell);
            sliding.Function.Evaluate(window, scalars, ref cell, sliding.Site);
            any |= Put(cell, step, to);
        }
        return any;
    }

    private static long WeightAt(in Samples samples, int index) => samples.Histograms[index] is { } histogram ? StepColumns.Weight(histogram) : 1;

    private static bool Put(in Cell cell, int step, StepSeries to)
    {
        if (cell.Histogram is { } histogram)
            to.Set(step, histogram);
        else if (cell.IsSet)
            to.Set(step, cell.Value);
        else
            to.Remove(step);
        return cell.IsSet;
    }

    /// <summary>One where no series has a sample, with the labels that the selector says they must have.</summary>
    private StepMatrix AbsentOver(Expr range, List<StepSeries> present, Steps steps)
    {
        var found = new bool[steps.Count];
        foreach (var series in present)
            StepColumns.MarkPresent(series, found);
        var values = new double[steps.Count];
        for (var step = 0; step < found.Length; step++)
            values[step] = found[step] ? Absent.Value : 1;
        if (!StepColumns.Any(values))
            return new(steps, []);
        return new(steps, [new(AbsentFunction.DemandedLabels(range), values)]);
    }

    /// <summary>What stays the same for all series of one call.</summary>
    private sealed record Sliding(RangeFunction Function, CallSite Site, double[][] Scalars, Steps Steps, SeriesSink Sink);

    /// <summary>Where the window ends at the first step, how far it moves with each step, and how long it is.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Frame(long FirstEnd, long Interval, long Range);
}
