using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>The remarks of functions, in Prometheus' words.</summary>
internal static class Remarks
{
    /// <summary>A range with floats and histograms, where only one kind makes sense.</summary>
    public static void MixedFloatsAndHistograms(this Annotations to, Labels series, TextSpan at) =>
        to.Warn($"encountered a mix of histograms and floats{ForName(Name(series))}", at);

    /// <summary>A range with floats and histograms, of which only the floats counted.</summary>
    public static void IgnoredHistograms(this Annotations to, Labels series, TextSpan at) =>
        to.Info($"ignored histograms in a range containing both floats and histograms{ForName(Name(series))}", at);

    /// <summary>Histograms with exponential and with custom buckets.</summary>
    public static void MixedExponentialAndCustom(this Annotations to, Labels series, TextSpan at) =>
        to.Warn($"vector contains a mix of histograms with exponential and custom buckets schemas{ForName(Name(series))}", at);

    /// <summary>A gauge histogram where a counter is expected.</summary>
    public static void NotACounter(this Annotations to, Labels series, TextSpan at) =>
        to.Warn($"this native histogram metric is not a counter: {LabelText.Quoted(Name(series))}", at);

    /// <summary>A counter histogram where a gauge is expected.</summary>
    public static void NotAGauge(this Annotations to, Labels series, TextSpan at) =>
        to.Warn($"this native histogram metric is not a gauge: {LabelText.Quoted(Name(series))}", at);

    /// <summary>Custom bounds differed; the operation is <c>addition</c>, <c>subtraction</c> or <c>aggregation</c>.</summary>
    public static void BoundsReconciled(this Annotations to, string operation, TextSpan at) =>
        to.Info($"mismatched custom buckets were reconciled during {operation}", at);

    /// <summary>One histogram says that its counter was reset, another that it was not.</summary>
    public static void ResetCollision(this Annotations to, string operation, TextSpan at) =>
        to.Warn($"conflicting counter resets during histogram {operation}", at);

    /// <summary>A quantile outside of 0 to 1.</summary>
    public static void CheckQuantile(this Annotations to, double quantile, TextSpan at)
    {
        if (!(quantile >= 0 && quantile <= 1))
            to.Warn($"quantile value should be between 0 and 1, got {FloatText.General(quantile)}", at);
    }

    /// <summary>A metric that is used as a counter but not named like one; asked once for each series.</summary>
    public static void CheckCounterName(this Annotations to, Labels series, TextSpan at)
    {
        if (!to.FirstTime(series, at) || !series.TryGet(Labels.MetricNameUtf8, out var name) || IsCounterName(name))
            return;
        to.Info($"metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {LabelText.Quoted(Encoding.UTF8.GetString(name))}", at);
    }

    /// <summary>The words <c> for metric name "x"</c>, or nothing without a name.</summary>
    public static string ForName(string name) => name.Length == 0 ? "" : " for metric name " + LabelText.Quoted(name);

    private static string Name(Labels series) => series.Get(Labels.MetricName);

    private static bool IsCounterName(ReadOnlySpan<byte> name) =>
        name.EndsWith("_total"u8) || name.EndsWith("_sum"u8) || name.EndsWith("_count"u8) || name.EndsWith("_bucket"u8);
}
