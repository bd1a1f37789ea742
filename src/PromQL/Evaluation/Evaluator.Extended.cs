using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>anchored</c> and <c>smoothed</c>: ranges that have values exactly at their borders.</summary>
internal sealed partial class Evaluator
{
    private readonly SampleBuffer _extended = new();

    private static void CheckBoundary(Expr range, string function)
    {
        var (word, allowed, fits) = (range as MatrixSelector)?.Selector.Boundary switch
        {
            RangeBoundary.Anchored => ("anchored", "changes, delta, increase, rate, resets", function is "changes" or "delta" or "increase" or "rate" or "resets"),
            RangeBoundary.Smoothed => ("smoothed", "delta, increase, rate", function is "delta" or "increase" or "rate"),
            _ => ("", "", true),
        };
        if (!fits)
            throw QueryContext.Failure($"{word} modifier can only be used with: {allowed} - not with {function}");
    }

    private bool SlideExtended(Sliding sliding, Frame frame, RangeBoundary boundary, in Samples samples, StepSeries to)
    {
        var (any, name) = (false, sliding.Function.Signature.Name);
        var (asStored, counter) = (name is "changes" or "resets", name is "rate" or "increase");
        for (var step = 0; step < to.Values.Length; step++)
        {
            if (step % 256 == 255)
                context.ThrowIfStopped();
            var end = frame.FirstEnd + (step * frame.Interval);
            var start = end - frame.Range;
            if (Around(samples.Times, start, end, boundary) is not (var first, var last))
            {
                to.Remove(step);
                continue;
            }
            if (last - first >= context.Room)
                throw QueryContext.TooMany();
            if (!asStored)
                Extend(samples, first, last, start, end, boundary, counter);
            var window = new Window
            {
                Times = asStored ? samples.Times[first..(last + 1)] : _extended.Times,
                Values = asStored ? samples.Values[first..(last + 1)] : _extended.Values,
                Histograms = !asStored ? _extended.Histograms : samples.Histograms.IsEmpty ? [] : samples.Histograms[first..(last + 1)],
                Start = start,
                End = end,
                StepTime = sliding.Steps.TimeOf(step),
                Labels = to.Labels,
                ReachesBoundaries = true,
            };
            var cell = default(Cell);
            sliding.Function.Evaluate(window, [], ref cell, sliding.Site);
            any |= Put(cell, step, to);
        }
        return any;
    }

    /// <summary>
    /// The first and the last sample that count: the newest one up to the begin, or the oldest one; and the newest one up to the
    /// end, or the first one at or after it when smoothed. Null when they say nothing about the range.
    /// </summary>
    private (int First, int Last)? Around(ReadOnlySpan<long> times, long start, long end, RangeBoundary boundary)
    {
        var smoothed = boundary == RangeBoundary.Smoothed;
        var oldest = CountUpTo(times, start - _lookback);
        var after = CountUpTo(times, smoothed ? end + _lookback : end);
        if (after == oldest)
            return null;
        var first = Math.Max(oldest, CountUpTo(times, start) - 1);
        var last = smoothed ? Math.Min(after - 1, CountUpTo(times, end - 1)) : after - 1;
        return times[last] <= start || times[first] > end ? null : (first, last);
    }

    /// <summary>How many of the times are not after a moment.</summary>
    private static int CountUpTo(ReadOnlySpan<long> times, long moment)
    {
        var (low, high) = (0, times.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (times[middle] <= moment)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>Puts together the value at the begin, the samples between, and the value at the end.</summary>
    private void Extend(in Samples samples, int first, int last, long start, long end, RangeBoundary boundary, bool counter)
    {
        var smoothed = boundary == RangeBoundary.Smoothed;
        _extended.Clear();
        var left = smoothed && samples.Times[first] < start ? first : -1;
        AddBoundary(samples, first, left, start, counter, isEnd: false);
        for (var i = first; i <= last; i++)
            if (samples.Times[i] > start && samples.Times[i] < end)
                AddInside(samples, i, followsInterpolated: left >= 0 && i == left + 1);
        AddBoundary(samples, last, smoothed && last > first && samples.Times[last] > end ? last - 1 : -1, end, counter, isEnd: true);
    }

    /// <summary>Adds the value of a sample, or the one between a sample and its successor when <paramref name="between"/> is not negative.</summary>
    private void AddBoundary(in Samples samples, int at, int between, long time, bool counter, bool isEnd)
    {
        var histogram = samples.Histograms.IsEmpty ? null : samples.Histograms[at];
        if (between < 0)
        {
            if (histogram is null)
                _extended.Add(time, samples.Values[at]);
            else
                _extended.Add(time, isEnd && samples.Times[at] != time ? WithoutReset(histogram) : histogram);
            return;
        }
        var share = (time - samples.Times[between]) / (double)(samples.Times[between + 1] - samples.Times[between]);
        var (before, after) = samples.Histograms.IsEmpty ? (null, null) : (samples.Histograms[between], samples.Histograms[between + 1]);
        if (before is not null && after is not null && Between(before, after, share, counter, isEnd) is { } mixed)
            _extended.Add(time, mixed);
        else if (histogram is not null)
            _extended.Add(time, histogram);
        else if (before is not null || after is not null)
            _extended.Add(time, samples.Values[at]);
        else
            _extended.Add(time, Between(samples.Values[between], samples.Values[between + 1], share, counter));
    }

    // Whether the counter was reset before this sample, the value that was interpolated before it has told already.
    private void AddInside(in Samples samples, int at, bool followsInterpolated)
    {
        if ((samples.Histograms.IsEmpty ? null : samples.Histograms[at]) is not { } histogram)
            _extended.Add(samples.Times[at], samples.Values[at]);
        else
            _extended.Add(samples.Times[at], followsInterpolated ? WithoutReset(histogram) : histogram);
    }

    /// <summary>The value on the line between two; a counter that was reset between them began at zero.</summary>
    private static double Between(double before, double after, double share, bool counter)
    {
        var from = counter && after < before ? 0 : before;
        return from + ((after - from) * share);
    }

    /// <summary>The same for histograms; null when they have different kinds of buckets.</summary>
    private static FloatHistogram? Between(FloatHistogram before, FloatHistogram after, double share, bool counter, bool isEnd)
    {
        var reset = counter && after.DetectReset(before);
        var result = after.Copy();
        result.Multiply(share);
        if (!reset)
        {
            var rest = before.Copy();
            rest.Multiply(1 - share);
            rest.ResetHint = result.ResetHint;
            if (result.Add(rest).HasFlag(HistogramRemarks.Incompatible))
                return null;
        }
        if (result.ResetHint != CounterResetHint.Gauge)
            result.ResetHint = !isEnd || !counter ? CounterResetHint.Unknown : reset ? CounterResetHint.CounterReset : CounterResetHint.NotCounterReset;
        return result;
    }

    private static FloatHistogram WithoutReset(FloatHistogram histogram)
    {
        if (histogram.ResetHint == CounterResetHint.Gauge)
            return histogram;
        var copy = histogram.Copy();
        copy.ResetHint = CounterResetHint.NotCounterReset;
        return copy;
    }

    /// <summary>A selector with such a range as the whole query.</summary>
    private MatrixValue WholeExtendedRange(MatrixSelector matrix, long end)
    {
        var boundary = matrix.Selector.Boundary;
        var (start, all) = (end - matrix.Range, new List<(Labels Labels, IReadOnlyList<Point> Points)>());
        var (from, until) = (start - _lookback + 1, boundary == RangeBoundary.Smoothed ? end + _lookback : end);
        foreach (var stored in reader.Select(from, until, matrix.Selector.Conditions, context.Cancellation))
        {
            context.ThrowIfStopped();
            var samples = _columns.ReadValid(stored, from, until);
            if (Around(samples.Times, start, end, boundary) is not (var first, var last))
                continue;
            Extend(samples, first, last, start, end, boundary, counter: false);
            var points = new List<Point>(_extended.Times.Length);
            for (var i = 0; i < _extended.Times.Length; i++)
            {
                var histogram = _extended.Histograms.IsEmpty ? null : _extended.Histograms[i];
                context.Hold(histogram is null ? 1 : StepColumns.Weight(histogram));
                points.Add(new(_extended.Times[i], histogram is null ? _extended.Values[i] : 0, histogram));
            }
            all.Add((stored.Labels, points));
        }
        all.Sort(static (a, b) => a.Labels.CompareTo(b.Labels));
        return new(all);
    }

    /// <summary>At each step the value on the line between the samples around it; the newest one where none follows.</summary>
    private static void FillSmoothed(in Samples samples, in Look look, StepSeries to)
    {
        var times = samples.Times;
        var moment = look.First;
        for (var step = 0; step < to.Values.Length; step++, moment += look.Interval)
        {
            var before = CountUpTo(times, moment) - 1;
            if (before < 0 || times[before] <= moment - look.Lookback)
            {
                to.Remove(step);
                continue;
            }
            var follows = times[before] < moment && before + 1 < times.Length && times[before + 1] <= moment + look.Lookback;
            var share = follows ? (moment - times[before]) / (double)(times[before + 1] - times[before]) : 0;
            var (histogram, next) = samples.Histograms.IsEmpty ? (null, null) : (samples.Histograms[before], follows ? samples.Histograms[before + 1] : null);
            if (look.OfTimes)
                to.Set(step, moment / 1000.0);
            else if (histogram is not null)
                to.Set(step, next is null ? histogram : Between(histogram, next, share, counter: false, isEnd: false) ?? histogram);
            else
                to.Set(step, follows && next is null ? Between(samples.Values[before], samples.Values[before + 1], share, counter: false) : samples.Values[before]);
        }
    }
}
