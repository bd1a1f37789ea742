using System.Globalization;
using System.Text.RegularExpressions;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Scripts;

/// <summary>Series as scripts write them: <c>up{job="x"} 0+1x10 _ stale {{sum:3 count:2}}x4</c>.</summary>
internal static partial class SeriesNotation
{
    private const int MostPoints = 1_000_000;

    /// <summary>Reads a series with its points. Throws <see cref="FormatException"/> when it is none.</summary>
    public static NotedSeries Read(string line)
    {
        var end = EndOfLabels(line);
        var problems = new List<ParseProblem>();
        var selector = new ExprReader(line[..end], experimental: false, problems).LoneSelector();
        if (selector is null || problems.Count > 0 || selector.Matchers.Any(m => m.Kind != MatchKind.Equal))
            throw new FormatException(problems.Count > 0 ? problems[0].Message : "a series has labels with '=' only");
        var builder = new LabelsBuilder();
        foreach (var matcher in selector.Matchers)
            builder.Set(matcher.Name, matcher.Value);
        var points = new List<NotedPoint>();
        foreach (var item in Items(line[end..]))
            Add(points, item);
        return new(builder.ToLabels(), points);
    }

    private static int EndOfLabels(string line)
    {
        var at = 0;
        while (at < line.Length && !char.IsWhiteSpace(line[at]) && line[at] != '{')
            at++;
        var brace = at;
        while (brace < line.Length && char.IsWhiteSpace(line[brace]))
            brace++;
        // Two braces begin a histogram, not labels.
        if (brace == line.Length || line[brace] != '{' || (at > 0 && line.AsSpan(brace).StartsWith("{{")))
            return at;
        char? quote = null;
        for (at = brace; at < line.Length; at++)
        {
            if (quote is null && line[at] == '}')
                return at + 1;
            if (quote is not null && quote != '`' && line[at] == '\\')
                at++;
            else if (quote == line[at])
                quote = null;
            else if (quote is null && line[at] is '"' or '\'' or '`')
                quote = line[at];
        }
        return line.Length;
    }

    /// <summary>The points, which blanks divide unless they stand in a histogram.</summary>
    private static IEnumerable<string> Items(string text)
    {
        var (start, depth) = (-1, 0);
        for (var i = 0; i < text.Length; i++)
        {
            if (depth == 0 && text[i] is ' ' or '\t')
            {
                if (start >= 0)
                    yield return text[start..i];
                start = -1;
                continue;
            }
            depth += text[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (start < 0)
                start = i;
        }
        if (start >= 0)
            yield return text[start..];
    }

    private static void Add(List<NotedPoint> points, string item)
    {
        if (item.StartsWith("{{", StringComparison.Ordinal))
        {
            AddHistograms(points, item);
            return;
        }
        var match = Item().Match(item);
        if (!match.Success)
            throw new FormatException($"unexpected {GoText.Quote(item)} in series values");
        var times = Times(match.Groups["times"]);
        if (match.Groups["gap"].Success)
        {
            points.AddRange(Enumerable.Repeat(NotedPoint.Gap, times ?? 1));
            return;
        }
        var value = match.Groups["stale"].Success ? StaleMarker.Value : Number(match.Groups["first"].Value);
        var more = match.Groups["more"].Success ? Number(match.Groups["more"].Value) : (double?)null;
        if (more is not null && times is null)
            throw new FormatException($"unexpected {GoText.Quote(item)} in series values");
        for (var i = 0; i <= (times ?? 0); i++)
        {
            points.Add(new(false, value, null));
            // Marker and infinity stay what they are.
            if (more is { } step)
                value += step;
        }
    }

    private static void AddHistograms(List<NotedPoint> points, string item)
    {
        var end = item.IndexOf("}}", StringComparison.Ordinal);
        if (end < 0)
            throw new FormatException("a histogram ends with }}");
        var (histogram, stated) = HistogramNotation.Read(item[2..end]);
        var rest = item[(end + 2)..];
        FloatHistogram? step = null;
        var subtract = rest.StartsWith('-');
        if (rest.Length > 0 && rest[0] is '+' or '-')
        {
            end = rest.IndexOf("}}", StringComparison.Ordinal);
            if (!rest.AsSpan(1).StartsWith("{{") || end < 0)
                throw new FormatException($"unexpected {GoText.Quote(rest)} in series values");
            (step, _) = HistogramNotation.Read(rest[3..end]);
            rest = rest[(end + 2)..];
        }
        var match = Repetition().Match(rest);
        if (!match.Success)
            throw new FormatException($"unexpected {GoText.Quote(rest)} in series values");
        var times = Times(match.Groups["times"]) ?? 0;
        for (var i = 0; i <= times; i++)
        {
            points.Add(new(false, 0, histogram, stated));
            if (step is null || i == times)
                continue;
            if (histogram.Schema > step.Schema)
                throw new FormatException($"error combining histograms: cannot merge from schema {step.Schema} to {histogram.Schema}");
            histogram = histogram.Copy();
            _ = subtract ? histogram.Sub(step) : histogram.Add(step);
            histogram.Compact();
        }
    }

    private static int? Times(Group group)
    {
        if (!group.Success)
            return null;
        return int.TryParse(group.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var times) && times <= MostPoints
            ? times
            : throw new FormatException($"invalid repetition in series values: {group.Value}");
    }

    private static double Number(string text) => GoNumber.Parse(text) switch
    {
        (var value, null) => value,
        var (_, error) => throw new FormatException("error parsing number: " + error),
    };

    [GeneratedRegex(@"^(?:(?<gap>_)|(?<stale>stale)|(?<first>[+-]?(?:inf|nan|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:e[+-]?[0-9]+)?))(?<more>[+-](?:inf|nan|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:e[+-]?[0-9]+)?))?)(?:x(?<times>[0-9]+))?$", RegexOptions.IgnoreCase)]
    private static partial Regex Item();

    [GeneratedRegex("^(?:x(?<times>[0-9]+))?$")]
    private static partial Regex Repetition();
}
