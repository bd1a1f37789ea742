using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Scripts;

/// <summary>Does the commands of one script on one store. Not thread-safe.</summary>
internal sealed class ScriptRun(QueryEngine engine, CancellationToken cancellation)
{
    private const long Minute = 60_000;
    private readonly MemoryMetrics _store = new();
    private readonly List<ScriptEval> _evals = [];

    /// <summary>What was evaluated so far.</summary>
    public IReadOnlyList<ScriptEval> Evals => _evals;

    /// <summary>Does one command.</summary>
    public void Do(ScriptCommand command)
    {
        cancellation.ThrowIfCancellationRequested();
        switch (command)
        {
            case ScriptCommand.Clear:
                _store.Clear();
                break;
            case ScriptCommand.Load load:
                Load(load);
                break;
            case ScriptCommand.Eval eval:
                _evals.Add(eval.IsRange ? Range(eval) : Instant(eval));
                break;
        }
    }

    private void Load(ScriptCommand.Load load)
    {
        foreach (var series in load.Series)
        {
            FloatHistogram? before = null;
            for (var i = 0; i < series.Points.Count; i++)
            {
                var (point, time) = (series.Points[i], i * load.Step);
                if (point.IsGap)
                    continue;
                if (point.Histogram is null)
                    _store.Add(series.Labels, time, point.Value);
                else
                    _store.Add(series.Labels, time, AsStored(point.Histogram, before));
                before = point.Histogram;
            }
        }
        if (!load.WithCustomBuckets)
            return;
        foreach (var histograms in ClassicHistograms.Of(load).GroupBy(h => h.Labels))
        {
            FloatHistogram? before = null;
            foreach (var (labels, time, histogram) in histograms)
            {
                _store.Add(labels, time, AsStored(histogram, before));
                before = histogram;
            }
        }
    }

    /// <summary>A histogram as it comes back from a store.</summary>
    private static FloatHistogram AsStored(FloatHistogram histogram, FloatHistogram? before)
    {
        var hint = histogram.HintAfter(before);
        if (histogram.ResetHint == hint)
            return histogram;
        var copy = histogram.Copy();
        copy.ResetHint = hint;
        return copy;
    }

    private ScriptEval Range(ScriptCommand.Eval eval)
    {
        var result = engine.Range(_store, eval.Query, eval.Start, eval.End, eval.Step, cancellation);
        return Judge(eval, eval.Query, result, () => result.Value is MatrixValue m ? Comparison.OfRange(eval.Expected, m, eval.Start, eval.Step) : "a value of another type");
    }

    /// <summary>The question itself, then the same pinned by <c>@</c> at other times; each of them also as the middle of a range.</summary>
    private ScriptEval Instant(ScriptCommand.Eval eval)
    {
        var alsoAsRange = !eval.Expected.Ordered && !PinnedVariants.DependsOnTheRange(eval.Query);
        foreach (var (query, time) in PinnedVariants.Of(eval.Query, eval.Start).Prepend((eval.Query, eval.Start)))
        {
            var result = engine.Instant(_store, query, time, cancellation);
            var judged = Judge(eval, query, result, () => OfInstant(eval.Expected, result.Value!));
            if (judged.Passed && alsoAsRange && result is { Error: null, Value: ScalarValue or VectorValue })
                judged = AsRange(eval, query, time);
            if (!judged.Passed)
                return query == eval.Query && time == eval.Start ? judged : judged with { Failure = $"{judged.Failure} (asked as {query} at {time / 1000.0}s)" };
        }
        return new(eval.Line, eval.Query);
    }

    private static string? OfInstant(Expectation expected, QueryValue value) => (value, expected.RangeVector) switch
    {
        (MatrixValue m, { } range) => Comparison.OfRange(expected, m, range.Start, range.Step),
        _ => Comparison.OfInstant(expected, value),
    };

    private ScriptEval AsRange(ScriptCommand.Eval eval, string query, long time)
    {
        var result = engine.Range(_store, query, time - Minute, time + Minute, Minute, cancellation);
        if (result.Error is { } error)
            return new(eval.Line, eval.Query, $"fails as a range query: {error.Message}", Show(eval), null);
        var middle = new List<(Labels Labels, Point Point)>();
        foreach (var (labels, points) in ((MatrixValue)result.Value!).Series)
            foreach (var point in points.Where(p => p.Time == time))
                middle.Add((labels, point));
        QueryValue value = eval.Expected.Scalar is not null && middle.Count == 1 ? new ScalarValue(time, middle[0].Point.Value) : new VectorValue(middle);
        var difference = Comparison.OfInstant(eval.Expected, value);
        return difference is null ? new(eval.Line, eval.Query) : new(eval.Line, eval.Query, $"as a range query: {difference}", Show(eval), Show(value));
    }

    private static ScriptEval Judge(ScriptCommand.Eval eval, string query, QueryResult result, Func<string?> compare)
    {
        var expected = eval.Expected;
        string? failure;
        if (result.Error is { } error)
            failure = !expected.Fails ? $"the query failed: {error.Message}"
                : expected.Failure.FirstOrDefault(rule => !rule.Fits(error.Message)) is { } other ? $"the query failed with {GoText.Quote(error.Message)} instead of {other}" : null;
        else
            failure = expected.Fails ? "the query should have failed" : Remarks(expected, query, result.Annotations) ?? compare();
        return failure is null ? new(eval.Line, eval.Query) : new(eval.Line, eval.Query, failure, Show(eval), result.Value is { } value ? Show(value) : null);
    }

    private static string? Remarks(Expectation expected, string query, Annotations annotations) =>
        Remarks("warning", expected.Warnings, expected.NoWarnings, query, annotations.Warnings) ?? Remarks("info", expected.Infos, expected.NoInfos, query, annotations.Infos);

    private static string? Remarks(string kind, List<MessageRule>? rules, bool none, string query, IReadOnlyList<(string Text, TextSpan? Span)> given)
    {
        var texts = given.Select(g => g.Span is { } span ? $"{g.Text} ({SourcePosition.Of(query, span.Start)})" : g.Text).ToList();
        if (none && texts.Count > 0)
            return $"unexpected {kind} {GoText.Quote(texts[0])}";
        if (rules is null)
            return null;
        foreach (var rule in rules)
            if (!texts.Any(rule.Fits))
                return texts.Count == 0 ? $"no {kind}, expected {rule}" : $"{kind} {GoText.Quote(texts[0])}, expected {rule}";
        return texts.FirstOrDefault(text => !rules.Any(rule => rule.Fits(text))) is { } other ? $"unexpected {kind} {GoText.Quote(other)}" : null;
    }

    private static string Show(ScriptCommand.Eval eval)
    {
        if (eval.Expected.Fails)
            return "a failure";
        if (eval.Expected.Scalar is { } scalar)
            return GoNumber.Format(scalar);
        if (eval.Expected.Text is { } text)
            return GoText.Quote(text);
        return Lines(eval.Expected.Series.Select(s => (s.Labels, string.Join(' ', s.Points.Select(p => p.IsGap ? "_" : Show(p.Value, p.Histogram))))));
    }

    private static string Show(QueryValue value) => value switch
    {
        ScalarValue s => GoNumber.Format(s.Value),
        StringValue s => GoText.Quote(s.Value),
        VectorValue v => Lines(v.Samples.Select(s => (s.Labels, Show(s.Point.Value, s.Point.Histogram)))),
        MatrixValue m => Lines(m.Series.Select(s => (s.Labels, string.Join(' ', s.Points.Select(p => $"{Show(p.Value, p.Histogram)} @[{p.Time / 1000.0}]"))))),
        _ => "",
    };

    private static string Show(double value, FloatHistogram? histogram) =>
        histogram is not null ? HistogramNotation.Print(histogram) : StaleMarker.Is(value) ? "stale" : GoNumber.Format(value);

    private static string Lines(IEnumerable<(Labels Labels, string Points)> series)
    {
        var text = new StringBuilder();
        foreach (var (labels, points) in series)
            text.Append(text.Length > 0 ? "\n" : "").Append(labels).Append(' ').Append(points);
        return text.Length == 0 ? "nothing" : text.ToString();
    }
}
