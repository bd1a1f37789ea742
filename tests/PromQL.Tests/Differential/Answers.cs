using System.Globalization;
using System.Text.Json;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Tests.Differential;

/// <summary>An answer as plain data: for each series its samples, or the sort of error.</summary>
internal sealed record Answer(string? Error, Dictionary<string, List<(long Time, double Value)>> Series)
{
    public static Answer Of(JsonDocument document)
    {
        var root = document.RootElement;
        if (root.GetProperty("status").GetString() != "success")
            return new($"{root.GetProperty("errorType").GetString()}: {root.GetProperty("error").GetString()}", []);
        var data = root.GetProperty("data");
        var result = data.GetProperty("result");
        var series = new Dictionary<string, List<(long, double)>>(StringComparer.Ordinal);
        switch (data.GetProperty("resultType").GetString())
        {
            case "scalar":
                series.Add("scalar", [PointOf(result)]);
                break;
            case "string":
                series.Add("string " + result[1].GetString(), []);
                break;
            default:
                foreach (var one in result.EnumerateArray())
                    series.Add(NameOf(one.GetProperty("metric")), one.TryGetProperty("values", out var values)
                        ? [.. values.EnumerateArray().Select(PointOf)]
                        : [PointOf(one.GetProperty("value"))]);
                break;
        }
        return new(null, series);
    }

    public static Answer Of(QueryResult result)
    {
        if (result.Error is { } error)
            return new($"{(error.Kind == QueryErrorKind.BadData ? "bad_data" : error.Kind.ToString().ToLowerInvariant())}: {error.Message}", []);
        return new(null, result.Value switch
        {
            ScalarValue scalar => new(StringComparer.Ordinal) { ["scalar"] = [(scalar.Time, scalar.Value)] },
            StringValue text => new(StringComparer.Ordinal) { ["string " + text.Value] = [] },
            VectorValue vector => vector.Samples.ToDictionary(s => s.Labels.ToString(), s => new List<(long, double)> { (s.Point.Time, s.Point.Value) }, StringComparer.Ordinal),
            MatrixValue matrix => matrix.Series.ToDictionary(s => s.Labels.ToString(), s => s.Points.Select(p => (p.Time, p.Value)).ToList(), StringComparer.Ordinal),
            _ => throw new InvalidDataException("An answer without a value."),
        });
    }

    /// <summary>Where the two differ first; null when they agree.</summary>
    public static string? Difference(Answer ours, Answer theirs)
    {
        if (ours.Error is not null || theirs.Error is not null)
            return Sort(ours.Error) == Sort(theirs.Error) ? null : $"ours: {ours.Error ?? "an answer"}; Prometheus: {theirs.Error ?? "an answer"}";
        foreach (var name in ours.Series.Keys.Union(theirs.Series.Keys, StringComparer.Ordinal))
        {
            if (!ours.Series.TryGetValue(name, out var mine))
                return $"{name} is missing";
            if (!theirs.Series.TryGetValue(name, out var other))
                return $"{name} is not there in Prometheus";
            if (mine.Count != other.Count)
                return $"{name} has {mine.Count} samples, in Prometheus {other.Count}";
            for (var i = 0; i < mine.Count; i++)
                if (mine[i].Time != other[i].Time || !Near(mine[i].Value, other[i].Value))
                    return string.Create(CultureInfo.InvariantCulture, $"{name} at {mine[i].Time}: {mine[i].Value:R}, in Prometheus at {other[i].Time}: {other[i].Value:R}");
        }
        return null;
    }

    private static string? Sort(string? error) => error?.Split(':')[0];

    private static bool Near(double a, double b)
    {
        if (a.Equals(b) || (double.IsNaN(a) && double.IsNaN(b)))
            return true;
        return Math.Abs(a - b) <= 1e-6 * Math.Max(Math.Abs(a), Math.Abs(b)) || Math.Abs(a - b) < 1e-9;
    }

    private static string NameOf(JsonElement metric) =>
        Labels.Of([.. metric.EnumerateObject().Select(p => (p.Name, p.Value.GetString()!))]).ToString();

    private static (long Time, double Value) PointOf(JsonElement pair) => ((long)Math.Round(pair[0].GetDouble() * 1000), pair[1].GetString() switch
    {
        "NaN" => double.NaN,
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        var text => double.Parse(text!, CultureInfo.InvariantCulture),
    });
}
