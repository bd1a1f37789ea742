using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>The floats and the histograms of a window apart.</summary>
internal static class WindowParts
{
    /// <summary>How many of the samples are histograms.</summary>
    public static int HistogramCount(this in Window window)
    {
        var count = 0;
        foreach (var histogram in window.Histograms)
            if (histogram is not null)
                count++;
        return count;
    }

    /// <summary>Only the floats; copied in the rare case that there are both.</summary>
    public static void Floats(this in Window window, int histograms, out ReadOnlySpan<long> times, out ReadOnlySpan<double> values)
    {
        times = window.Times;
        values = window.Values;
        if (histograms == 0)
            return;
        var floatTimes = new long[times.Length - histograms];
        var floatValues = new double[floatTimes.Length];
        var at = 0;
        for (var i = 0; i < times.Length; i++)
            if (window.Histograms[i] is null)
                (floatTimes[at], floatValues[at++]) = (times[i], values[i]);
        times = floatTimes;
        values = floatValues;
    }

    /// <summary>The histogram of a sample, null when it is a float.</summary>
    public static FloatHistogram? HistogramAt(this in Window window, int index) => window.Histograms.IsEmpty ? null : window.Histograms[index];

    /// <summary>Where the argument of this number stands.</summary>
    public static TextSpan SpanOf(this in CallSite site, int argument) => site.Call.Arguments[argument].Span;
}
