using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Scripts;

/// <summary>
/// Makes native histograms with custom buckets of the classic ones in a load: of <c>x_bucket</c> by <c>le</c>, <c>x_count</c>
/// and <c>x_sum</c> one series <c>x</c>.
/// </summary>
internal static class ClassicHistograms
{
    /// <summary>The histograms with their times; those whose buckets go down are left out.</summary>
    public static IEnumerable<(Labels Labels, long Time, FloatHistogram Histogram)> Of(ScriptCommand.Load load)
    {
        var found = new Dictionary<Labels, SortedDictionary<long, Classic>>();
        foreach (var series in load.Series)
        {
            var name = series.Labels.Get(Labels.MetricName);
            var suffix = name.EndsWith("_bucket", StringComparison.Ordinal) ? "_bucket" : name.EndsWith("_count", StringComparison.Ordinal) ? "_count" : name.EndsWith("_sum", StringComparison.Ordinal) ? "_sum" : null;
            var bound = 0.0;
            if (suffix is null || (suffix == "_bucket" && GoNumber.Parse(series.Labels.Get("le")) is not (_, null)))
                continue;
            if (suffix == "_bucket")
                bound = GoNumber.Parse(series.Labels.Get("le")).Value;
            var labels = new LabelsBuilder().Reset(series.Labels).Remove("le").Set(Labels.MetricName, name[..^suffix.Length]).ToLabels();
            if (!found.TryGetValue(labels, out var byTime))
                found.Add(labels, byTime = []);
            for (var i = 0; i < series.Points.Count; i++)
                if (series.Points[i] is { IsGap: false, Histogram: null } point && !StaleMarker.Is(point.Value))
                    Take(byTime, i * load.Step, suffix, bound, point.Value);
        }
        return from series in found
               from classic in series.Value
               let histogram = classic.Value.ToNative()
               where histogram is not null
               select (series.Key, classic.Key, histogram);
    }

    private static void Take(SortedDictionary<long, Classic> byTime, long time, string suffix, double bound, double value)
    {
        if (!byTime.TryGetValue(time, out var classic))
            byTime.Add(time, classic = new());
        switch (suffix)
        {
            case "_bucket":
                classic.Buckets[bound] = value;
                break;
            case "_count":
                classic.Count = value;
                break;
            default:
                classic.Sum = value;
                break;
        }
    }

    private sealed class Classic
    {
        public SortedDictionary<double, double> Buckets { get; } = [];

        public double? Count { get; set; }

        public double Sum { get; set; }

        public FloatHistogram? ToNative()
        {
            var count = Count ?? Buckets.Values.LastOrDefault();
            if (!Buckets.ContainsKey(double.PositiveInfinity))
                Buckets[double.PositiveInfinity] = count;
            var counts = new List<double>();
            var before = 0.0;
            foreach (var upTo in Buckets.Values)
            {
                counts.Add(upTo - before);
                before = upTo;
            }
            if (counts.Any(c => c < 0))
                return null;
            var histogram = new FloatHistogram
            {
                Schema = FloatHistogram.CustomBucketsSchema,
                Count = count,
                Sum = Sum,
                PositiveSpans = [new(0, (uint)counts.Count)],
                PositiveBuckets = [.. counts],
                CustomValues = [.. Buckets.Keys.Where(double.IsFinite)],
            };
            histogram.Compact(2);
            return histogram;
        }
    }
}
