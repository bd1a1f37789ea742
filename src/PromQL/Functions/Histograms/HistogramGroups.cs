using System.Globalization;
using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// The histograms of a vector: native ones as they are, classic ones put together of the series that differ in <c>le</c>
/// only. Made once for all steps; not thread-safe.
/// </summary>
internal sealed class HistogramGroups
{
    private readonly List<StepSeries> _native = [];
    private readonly Dictionary<Labels, ClassicGroup> _classic = [];
    private readonly CallSite _site;
    private readonly TextSpan _span;

    /// <summary>Puts together what the argument that stands at this place gave.</summary>
    public HistogramGroups(List<StepSeries> vector, in CallSite site, TextSpan span)
    {
        (_site, _span) = (site, span);
        foreach (var series in vector)
        {
            if (series.Histograms is not null)
                _native.Add(series);
            if (series.HasFloats())
                AddBucket(series);
        }
        foreach (var group in _classic.Values)
            group.Sort();
        foreach (var series in _native)
            TakeOutConflicts(series);
    }

    /// <summary>Series with native histograms.</summary>
    public IReadOnlyList<StepSeries> Native => _native;

    /// <summary>Classic histograms.</summary>
    public IReadOnlyCollection<ClassicGroup> Classic => _classic.Values;

    /// <summary>The metric's name for remarks about native histograms; without delayed removal it is gone by then.</summary>
    public string NameOf(Labels labels) => _site.Context.DelayedNameRemoval ? labels.Get(Labels.MetricName) : "";

    private void AddBucket(StepSeries series)
    {
        series.Labels.TryGet("le"u8, out var text);
        if (!TryParseBound(text, out var bound))
        {
            _site.Annotations.Warn(
                $"bucket label \"le\" is missing or has a malformed value of {LabelText.Quoted(Encoding.UTF8.GetString(text))}{Remarks.ForName(NameOf(series.Labels))}", _span);
            return;
        }
        var labels = series.Labels.Without("le");
        if (!_classic.TryGetValue(labels, out var group))
            _classic.Add(labels, group = new(labels));
        group.Add(bound, series.Values);
    }

    /// <summary>Where a native and a classic histogram of the same labels meet at a step, neither counts.</summary>
    private void TakeOutConflicts(StepSeries native)
    {
        if (!_classic.TryGetValue(native.Labels, out var group))
            return;
        for (var step = 0; step < native.Values.Length; step++)
            if (native.HistogramAt(step) is not null && group.RemoveAt(step))
            {
                native.Remove(step);
                _site.Annotations.Warn("vector contains a mix of classic and native histograms" + Remarks.ForName(NameOf(native.Labels)), _span);
            }
    }

    private static bool TryParseBound(ReadOnlySpan<byte> text, out double bound)
    {
        var sign = text.Length > 0 && text[0] is (byte)'+' or (byte)'-' ? 1 : 0;
        var rest = text[sign..];
        if (Ascii.EqualsIgnoreCase(rest, "inf"u8) || Ascii.EqualsIgnoreCase(rest, "infinity"u8))
        {
            bound = sign == 1 && text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }
        if (Ascii.EqualsIgnoreCase(text, "nan"u8))
        {
            bound = double.NaN;
            return true;
        }
        const NumberStyles styles = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return double.TryParse(text, styles, CultureInfo.InvariantCulture, out bound) && double.IsFinite(bound);
    }
}

/// <summary>A classic histogram over all steps.</summary>
internal sealed class ClassicGroup(Labels labels)
{
    private readonly List<(double Bound, double[] Counts)> _buckets = [];

    /// <summary>The labels without <c>le</c>.</summary>
    public Labels Labels => labels;

    /// <summary>How many bounds there are at most.</summary>
    public int Size => _buckets.Count;

    /// <summary>Adds the series of one bound.</summary>
    public void Add(double bound, double[] counts) => _buckets.Add((bound, counts));

    /// <summary>Orders the buckets.</summary>
    public void Sort() => _buckets.Sort(static (a, b) => a.Bound.CompareTo(b.Bound));

    /// <summary>The buckets that there are at a step.</summary>
    public void Read(int step, ClassicBuckets into)
    {
        into.Clear();
        foreach (var (bound, counts) in _buckets)
            if (!Absent.Is(counts[step]))
                into.Add(bound, counts[step]);
    }

    /// <summary>Takes away all buckets at a step; false when there was none.</summary>
    public bool RemoveAt(int step)
    {
        var any = false;
        foreach (var (_, counts) in _buckets)
        {
            any |= !Absent.Is(counts[step]);
            counts[step] = Absent.Value;
        }
        return any;
    }
}
