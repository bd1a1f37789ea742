using Groundcrew.Daemon.Wiring;
using Groundcrew.Metrics;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon.Doors;

/// <summary>Queries through Prometheus' API: <c>query</c>, <c>query_range</c>, <c>query_exemplars</c>, <c>format_query</c>, <c>parse_query</c>.</summary>
internal static class PrometheusQueryDoor
{
    private const long MostSteps = 11_000;

    public static async Task<PrometheusAnswer> InstantAsync(PrometheusRequest request)
    {
        var parameters = request.Parameters;
        var limit = parameters.Limit();
        var time = parameters.Time("time", request.Now);
        var wish = WishOf(parameters);
        return AnswerOf(parameters, limit, await request.Queries.InstantAsync(request.Source, parameters.Get("query"), time, wish, request.Cancellation));
    }

    public static async Task<PrometheusAnswer> RangeAsync(PrometheusRequest request)
    {
        var parameters = request.Parameters;
        var limit = parameters.Limit();
        var (start, end) = (parameters.Time("start"), parameters.Time("end"));
        if (end < start)
            throw PrometheusErrorException.BadParameter("end", "end timestamp must not be before start time");
        var step = (long)parameters.Duration("step").TotalMilliseconds;
        if (step <= 0)
            throw PrometheusErrorException.BadParameter("step", "zero or negative query resolution step widths are not accepted. Try a positive integer");
        // For safety, and so that the points of a series fit into what can be drawn.
        if ((end - start) / step > MostSteps)
            throw PrometheusErrorException.BadData("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
        var wish = WishOf(parameters);
        return AnswerOf(parameters, limit, await request.Queries.RangeAsync(request.Source, parameters.Get("query"), start, end, step, wish, request.Cancellation));
    }

    /// <summary>The exemplars of all series that a selector anywhere in the query picks, whatever the query makes of them.</summary>
    public static Task<PrometheusAnswer> ExemplarsAsync(PrometheusRequest request)
    {
        var (start, end) = (request.Parameters.Time("start", PrometheusParameters.MinTime), request.Parameters.Time("end", PrometheusParameters.MaxTime));
        if (end < start)
            throw PrometheusErrorException.BadParameter("end", "end timestamp must not be before start timestamp");
        IEnumerable<LabelMatcher> own = request.Org is { } org ? [new LabelMatcher(MatchKind.Equal, "org", org)] : [];
        var found = request.Monitoring.Exemplars.Select([.. SelectorsIn(ParsedOf(request.Parameters)).Select(s => (IReadOnlyList<LabelMatcher>)[.. s.Conditions, .. own])], start, end);
        return Task.FromResult(new PrometheusAnswer(async json =>
        {
            json.Writer.WriteStartArray();
            foreach (var series in found)
            {
                json.Writer.WriteStartObject();
                json.Writer.WritePropertyName("seriesLabels"u8);
                json.WriteLabels(series.Series);
                json.Writer.WriteStartArray("exemplars"u8);
                foreach (var exemplar in series.Exemplars)
                    WriteExemplar(json, exemplar);
                json.Writer.WriteEndArray();
                json.Writer.WriteEndObject();
                await json.FlushIfFullAsync();
            }
            json.Writer.WriteEndArray();
        }));
    }

    public static Task<PrometheusAnswer> FormatAsync(PrometheusRequest request)
    {
        var expression = ParsedOf(request.Parameters);
        return Task.FromResult(PrometheusAnswer.Of(writer => writer.WriteStringValue(ExprPrinter.Pretty(expression))));
    }

    public static Task<PrometheusAnswer> ParseAsync(PrometheusRequest request)
    {
        var expression = ParsedOf(request.Parameters);
        return Task.FromResult(PrometheusAnswer.Of(writer => ExprJson.Write(writer, expression)));
    }

    private static Expr ParsedOf(PrometheusParameters parameters)
    {
        var parsed = Parser.Parse(parameters.Get("query"), experimental: false);
        return parsed.Expr ?? throw PrometheusErrorException.BadParameter("query", parsed.Error);
    }

    private static void WriteExemplar(PrometheusJson json, Exemplar exemplar)
    {
        json.Writer.WriteStartObject();
        json.Writer.WritePropertyName("labels"u8);
        json.WriteLabels(exemplar.Labels);
        json.Writer.WritePropertyName("value"u8);
        json.WriteFloat(exemplar.Value);
        json.Writer.WritePropertyName("timestamp"u8);
        json.WriteTime(exemplar.Time);
        json.Writer.WriteEndObject();
    }

    private static IEnumerable<VectorSelector> SelectorsIn(Expr? expr) => expr switch
    {
        VectorSelector v => [v],
        MatrixSelector m => [m.Selector],
        Subquery s => SelectorsIn(s.Inner),
        Aggregate a => SelectorsIn(a.Parameter).Concat(SelectorsIn(a.Inner)),
        Binary b => SelectorsIn(b.Left).Concat(SelectorsIn(b.Right)),
        Unary u => SelectorsIn(u.Inner),
        Paren p => SelectorsIn(p.Inner),
        Call c => c.Arguments.SelectMany(SelectorsIn),
        _ => [],
    };

    private static QueryWish WishOf(PrometheusParameters parameters) => new(parameters.OptionalDuration("timeout"), parameters.OptionalDuration("lookback_delta"));

    private static PrometheusAnswer AnswerOf(PrometheusParameters parameters, int? limit, AnsweredQuery answered)
    {
        if (answered.Result.Error is { } error)
            throw PrometheusErrorException.Of(error);
        var value = answered.Result.Value ?? throw new InvalidOperationException("A query has an answer or an error.");
        var query = parameters.Get("query");
        var warnings = answered.Result.Annotations.Warnings.Select(w => TextOf(query, w)).ToList();
        if (PrometheusValues.CountOf(value) > limit)
            warnings.Add(PrometheusAnswer.Truncated);
        return new(async json =>
        {
            json.Writer.WriteStartObject();
            await PrometheusValues.WriteAsync(json, value, limit);
            if (parameters.Get("stats").Length > 0)
                WriteStats(json, answered);
            json.Writer.WriteEndObject();
        }, warnings, [.. answered.Result.Annotations.Infos.Select(i => TextOf(query, i))]);
    }

    /// <summary>A remark with the place that it is about: <c>… (1:5)</c>.</summary>
    private static string TextOf(string query, (string Text, TextSpan? Span) remark) => remark.Span is { } span ? $"{remark.Text} ({SourcePosition.Of(query, span.Start)})" : remark.Text;

    private static void WriteStats(PrometheusJson json, AnsweredQuery answered)
    {
        var writer = json.Writer;
        writer.WriteStartObject("stats"u8);
        writer.WriteStartObject("timings"u8);
        // Preparing and sorting are parts of the evaluation here, and no times of their own.
        foreach (var (name, time) in ((string, TimeSpan)[])
        [
            ("evalTotalTime", answered.Took), ("resultSortTime", TimeSpan.Zero), ("queryPreparationTime", TimeSpan.Zero), ("innerEvalTime", answered.Took),
            ("execQueueTime", answered.Queued), ("execTotalTime", answered.Took + answered.Queued),
        ])
            writer.WriteNumber(name, time.TotalSeconds);
        writer.WriteEndObject();
        writer.WriteStartObject("samples"u8);
        writer.WriteNumber("totalQueryableSamples"u8, answered.Result.Stats.TotalQueryableSamples);
        writer.WriteNumber("peakSamples"u8, answered.Result.Stats.PeakSamples);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
