using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>What there is, through Prometheus' API: <c>series</c>, <c>labels</c>, <c>label/…/values</c>.</summary>
internal static class PrometheusSeriesDoor
{
    private static readonly IReadOnlyList<LabelMatcher> Everything = [];

    public static Task<PrometheusAnswer> SeriesAsync(PrometheusRequest request)
    {
        if (request.Parameters.All("match[]").Count == 0)
            throw PrometheusErrorException.BadData("no match[] parameter provided");
        var limit = request.Parameters.Limit();
        var (from, to) = request.Times();
        var selectors = request.Selectors();
        using var reader = request.Source.OpenReader();
        var found = selectors.SelectMany(s => reader.Select(from, to, s, request.Cancellation)).Select(s => s.Labels);
        // Each selection comes in order; several may overlap.
        var series = (selectors.Count == 1 ? found : found.Distinct().Order()).Take(limit is { } most ? most + 1 : int.MaxValue).ToList();
        return Task.FromResult(new PrometheusAnswer(async json =>
        {
            json.Writer.WriteStartArray();
            foreach (var labels in series.Take(limit ?? int.MaxValue))
            {
                json.WriteLabels(labels);
                await json.FlushIfFullAsync();
            }
            json.Writer.WriteEndArray();
        }, series.Count > limit ? [PrometheusAnswer.Truncated] : null));
    }

    public static Task<PrometheusAnswer> LabelsAsync(PrometheusRequest request) =>
        NamesAsync(request, (reader, from, to, matchers) => reader.LabelNames(from, to, matchers, request.Cancellation));

    public static Task<PrometheusAnswer> ValuesAsync(PrometheusRequest request)
    {
        var name = Unescaped((string)request.Http.GetRouteValue("name")!);
        if (name.Length == 0)
            throw PrometheusErrorException.BadData($"invalid label name: {LabelText.Quoted(name)}");
        return NamesAsync(request, (reader, from, to, matchers) => reader.LabelValues(name, from, to, matchers, request.Cancellation));
    }

    private static Task<PrometheusAnswer> NamesAsync(
        PrometheusRequest request, Func<IMetricReader, long, long, IReadOnlyList<LabelMatcher>, IReadOnlyList<string>> ask)
    {
        var limit = request.Parameters.Limit();
        var (from, to) = request.Times();
        var selectors = request.Selectors();
        using var reader = request.Source.OpenReader();
        return Task.FromResult(PrometheusAnswer.Of(selectors.Count switch
        {
            0 => ask(reader, from, to, Everything),
            1 => ask(reader, from, to, selectors[0]),
            _ => [.. selectors.SelectMany(s => ask(reader, from, to, s)).Distinct().Order(StringComparer.Ordinal)],
        }, limit));
    }

    /// <summary>A name that was not fit for an address: <c>U__</c>, with <c>_2e_</c> for a dot and <c>__</c> for an underscore.</summary>
    private static string Unescaped(string name)
    {
        if (!name.StartsWith("U__", StringComparison.Ordinal))
            return name;
        var text = new StringBuilder();
        for (var rest = name.AsSpan(3); !rest.IsEmpty;)
        {
            if (rest[0] != '_')
            {
                text.Append(rest[0]);
                rest = rest[1..];
            }
            else if (rest.StartsWith("__"))
            {
                text.Append('_');
                rest = rest[2..];
            }
            else if (rest[1..].IndexOf('_') is > 0 and <= 6 and var length
                && int.TryParse(rest.Slice(1, length), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var letter) && Rune.IsValid(letter))
            {
                text.Append(new Rune(letter).ToString());
                rest = rest[(length + 2)..];
            }
            else
            {
                return name;
            }
        }
        return text.ToString();
    }
}
