using System.Globalization;
using Groundcrew.Bedrock;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew metrics query</c>: a table for one moment, lines of blocks for a range.</summary>
internal static class MetricsQueryVerb
{
    private const int Steps = 120;
    private const int MostSteps = 11_000;
    private const int PlotHeight = 8;

    public static Verb Of(CrewRoot root)
    {
        var expression = Args.Word("EXPR", "The query, in PromQL.");
        var at = Args.Text("--at", "TIME", "The moment, or the end of the range: a time such as 2026-01-31T12:00:00Z, seconds since 1970, or how long ago, such as 10m. Default: now");
        var range = Args.Text("--range", "DURATION", "Values over so long, such as 6h, instead of one moment.");
        var step = Args.Text("--step", "DURATION", "The time from value to value. Default: 120 values in the range");
        return new Verb("query", "Ask in PromQL; an answer with values over time is drawn.", "crew metrics query up", "crew metrics query 'sum(rate(http_requests_total[5m]))' --range 6h --step 1m")
            .With(expression, at, range, step)
            .Does(root, call => RunAsync(call, call.Value(expression), call.Value(at), call.Value(range), call.Value(step)));
    }

    private static async Task<ExitCode> RunAsync(Call call, string query, string? at, string? range, string? step)
    {
        var end = at is null ? call.Now : TimeOf(at, call.Now);
        if (range is null && step is not null)
            throw new CrewFailedException(ExitCode.Usage, "--step goes with --range.");
        if (range is null)
            return await InstantAsync(call, query, end);
        var span = DurationOf("--range", range);
        var between = step is null ? TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling(span.TotalSeconds / Steps))) : DurationOf("--step", step);
        if (span / between > MostSteps)
            throw new CrewFailedException(ExitCode.Usage, $"--range {range} in steps of {step} are more than the {MostSteps} values that a series may have. Use a --step of at least {Math.Ceiling(span.TotalSeconds / MostSteps)}s.");
        return await RangeAsync(call, query, end - span, end, between);
    }

    private static async Task<ExitCode> InstantAsync(Call call, string query, DateTimeOffset at)
    {
        var answer = await MetricsVerbs.AskAsync<MetricQueryView>(call, "query", ("query", query), ("time", MetricsVerbs.Seconds(at)));
        return call.Show(answer.Data, view =>
        {
            if (view.Single() is { } single)
                call.Out.Line(Text.Clean(single));
            else if (view.Series() is { Count: > 0 } series)
                Table(series, call.Out).Write(call.Out);
            else
                call.Words.Line("No series has a value there. 'crew metrics labels __name__' lists the metrics, 'crew metrics targets' what is scraped.");
        });
    }

    private static Listing Table(IReadOnlyList<MetricSeriesView> series, Screen screen)
    {
        var names = SeriesNames.Of(series, screen, screen.Width * 3 / 4);
        if (series.Any(s => s.Values is not null))
            return OverTime(series, names);
        var table = new Listing(new("SERIES", Least: 20), new("VALUE", IsNumber: true));
        foreach (var (s, name) in series.Zip(names))
            table.Add(name, s.Value is { } point ? Whole(point.Value) : HistogramOf(s));
        return table;
    }

    /// <summary>The samples of a range as they are stored, such as those of <c>up[1m]</c>.</summary>
    private static Listing OverTime(IReadOnlyList<MetricSeriesView> series, IReadOnlyList<string> names)
    {
        var table = new Listing(new("SERIES", Least: 20), new("TIME (UTC)"), new("VALUE", IsNumber: true));
        foreach (var (s, name) in series.Zip(names))
        {
            foreach (var (time, value) in s.Values ?? [])
                table.Add(name, DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Round(time * 1000)).ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture), Whole(value));
            if (s.Histograms is { } histograms)
                table.Add(name, "", Text.Count(histograms.GetArrayLength(), "histogram"));
        }
        return table;
    }

    private static string HistogramOf(MetricSeriesView series) =>
        series.Histogram is { } h ? $"count {h[1].GetProperty("count").GetString()}, sum {h[1].GetProperty("sum").GetString()}" : "histograms";

    private static async Task<ExitCode> RangeAsync(Call call, string query, DateTimeOffset start, DateTimeOffset end, TimeSpan step)
    {
        var answer = await MetricsVerbs.AskAsync<MetricQueryView>(
            call, "query_range", ("query", query), ("start", MetricsVerbs.Seconds(start)), ("end", MetricsVerbs.Seconds(end)), ("step", step.TotalSeconds.ToString("R", CultureInfo.InvariantCulture)));
        return call.Show(answer.Data, view =>
        {
            var series = view.Series();
            if (series.Count == 0)
                call.Words.Line("No series has a value in that time. 'crew metrics labels __name__' lists the metrics, 'crew metrics targets' what is scraped.");
            else if (series.Count == 1)
                Plot(call, series[0], new Span(start, end, step));
            else
                Sparks(series, new Span(start, end, step), call.Out).Write(call.Out);
        });
    }

    private static void Plot(Call call, MetricSeriesView series, Span span)
    {
        call.Out.Line(call.Out.Ink.Of(Tone.Strong, Text.Clean(series.Name())));
        foreach (var line in Graph.Plot(span.ValuesOf(series, Math.Min(Steps, call.Out.Width - 12)), PlotHeight))
            call.Out.Line(line);
        call.Out.Line($"{span.Start.UtcDateTime:yyyy-MM-dd HH:mm:ss} to {span.End.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, last {LastOf(series)}");
    }

    private static Listing Sparks(IReadOnlyList<MetricSeriesView> series, Span span, Screen screen)
    {
        const int least = 20;
        var width = Math.Clamp(screen.Width / 3, least, 60);
        var table = new Listing(new("SERIES", Least: 16), new("OVER TIME"), new("LEAST", IsNumber: true), new("MOST", IsNumber: true), new("LAST", IsNumber: true));
        foreach (var (s, name) in series.Zip(SeriesNames.Of(series, screen, screen.Width / 3)))
        {
            var finite = (s.Values ?? []).Select(p => p.Value).Where(double.IsFinite).DefaultIfEmpty(double.NaN).ToList();
            // Blanks at the ends are times without a value, which a table would trim.
            table.Add(name, Graph.Spark(span.ValuesOf(s, width)).Replace(' ', '·'), Graph.Number(finite.Min()), Graph.Number(finite.Max()), LastOf(s));
        }
        return table;
    }

    private static string LastOf(MetricSeriesView series) => series.Values is [.., var last] ? Graph.Number(last.Value) : "histograms";

    private static string Whole(double value) => double.IsFinite(value) ? value.ToString("R", CultureInfo.InvariantCulture) : Graph.Number(value);

    private static DateTimeOffset TimeOf(string text, DateTimeOffset now)
    {
        if (Quantity.ParseDuration(text) is { } ago)
            return now - ago;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && Math.Abs(seconds) < 1e11)
            return DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000));
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time
            : throw new CrewFailedException(ExitCode.Usage, $"'{text}' is not a time. Use one such as 2026-01-31T12:00:00Z, seconds since 1970, or how long ago, such as 10m.");
    }

    private static TimeSpan DurationOf(string option, string text) => Quantity.ParseDuration(text) is { } duration && duration >= TimeSpan.FromMilliseconds(1) ? duration
        : throw new CrewFailedException(ExitCode.Usage, $"{option}: '{text}' is not a duration. Use a number with its unit, such as 30s or 6h.");

    /// <summary>The time that is drawn.</summary>
    private sealed record Span(DateTimeOffset Start, DateTimeOffset End, TimeSpan Step)
    {
        /// <summary>The values of a series at no more places than there are steps, for others would be gaps.</summary>
        public IReadOnlyList<double> ValuesOf(MetricSeriesView series, int width) => Graph.Fit(
            (series.Values ?? []).Select(p => (p.Time, p.Value)), Seconds(Start), Seconds(End), (int)Math.Clamp((End - Start) / Step + 1, 1, width));

        private static double Seconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds() / 1000d;
    }
}
