using System.Globalization;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Quantiles of all histograms of a vector. Remarks on what had to be put right are collected over all steps.</summary>
internal sealed class HistogramQuantiles(HistogramGroups groups, Steps steps, CallSite site, TextSpan nativeSpan, TextSpan classicSpan)
{
    private const string Fixed =
        "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

    private readonly Dictionary<string, (ForcedCounts Counts, int Times, long First, long Last)> _forced = [];

    /// <summary>Adds a series for each histogram; where the quantile is absent, it has no sample.</summary>
    public void Add(List<StepSeries> to, double[] quantiles, Func<Labels, Labels> label)
    {
        foreach (var series in groups.Native)
            to.AddFloats(label(series.Labels), OfNative(series, quantiles), site.Context);
        foreach (var group in groups.Classic)
        {
            site.Context.ThrowIfStopped();
            to.AddFloats(label(group.Labels), OfClassic(group, quantiles), site.Context);
        }
    }

    /// <summary>Says for each metric what had to be put right, once.</summary>
    public void Remark()
    {
        foreach (var (name, (counts, times, first, last)) in _forced)
        {
            var buckets = $"from buckets {FloatText.General(counts.Lowest)} to {FloatText.General(counts.Highest)}, with a max diff of {FloatText.TwoDigits(counts.MostMissing)}";
            site.Annotations.Info($"{Fixed}{Remarks.ForName(name)}, {buckets}, over {times} samples from {Moment(first)} to {Moment(last)}", classicSpan);
        }
    }

    private double[] OfNative(StepSeries series, double[] quantiles)
    {
        var values = new double[quantiles.Length];
        for (var step = 0; step < values.Length; step++)
        {
            values[step] = Absent.Value;
            if (Absent.Is(quantiles[step]) || series.HistogramAt(step) is not { } histogram)
                continue;
            values[step] = NativeHistogram.Quantile(quantiles[step], histogram, out var remark);
            if (remark == NativeHistogram.NaNRemark.None)
                continue;
            var result = remark == NativeHistogram.NaNRemark.ResultIsNaN ? "NaN" : "skewed higher";
            site.Annotations.Info($"input to histogram_quantile has NaN observations, result is {result}{Remarks.ForName(groups.NameOf(series.Labels))}", nativeSpan);
        }
        return values;
    }

    private double[] OfClassic(ClassicGroup group, double[] quantiles)
    {
        var values = new double[quantiles.Length];
        var buckets = new ClassicBuckets(group.Size);
        for (var step = 0; step < values.Length; step++)
        {
            values[step] = Absent.Value;
            if (Absent.Is(quantiles[step]))
                continue;
            group.Read(step, buckets);
            if (buckets.Count == 0)
                continue;
            values[step] = buckets.Quantile(quantiles[step], out var forced);
            if (forced is { } counts)
                Note(groups.NameOf(group.Labels), counts, steps.TimeOf(step));
        }
        return values;
    }

    private void Note(string name, ForcedCounts counts, long time)
    {
        if (_forced.TryGetValue(name, out var before))
            _forced[name] = (before.Counts.With(counts), before.Times + 1, Math.Min(before.First, time), Math.Max(before.Last, time));
        else
            _forced[name] = (counts, 1, time, time);
    }

    private static string Moment(long time) =>
        DateTimeOffset.FromUnixTimeMilliseconds(time).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
