using System.Globalization;
using System.Text.RegularExpressions;
using Groundcrew.Cli.Speaking;

namespace Groundcrew.Cli.Verbs;

/// <summary>What is wrong with a query or a selector, with a mark below the place. Pure.</summary>
internal static partial class QueryMistake
{
    /// <summary>
    /// The words about a parameter without its name, and the line of it that they are about; null when they are about something
    /// else.
    /// </summary>
    /// <param name="said">What the API answered.</param>
    /// <param name="parameters">What it was asked.</param>
    public static string? Of(string said, IEnumerable<(string Name, string Value)> parameters)
    {
        if (Place().Match(said) is not { Success: true } place || parameters.FirstOrDefault(p => p.Name == place.Groups["name"].Value).Value is not { } text)
            return null;
        var words = Text.Clean(place.Groups["words"].Value);
        if (!place.Groups["line"].Success)
            return words;
        var line = text.Split('\n').ElementAtOrDefault(int.Parse(place.Groups["line"].ValueSpan, CultureInfo.InvariantCulture) - 1) ?? "";
        // Columns count bytes, as in Prometheus; the mark stands below a character.
        var bytes = Math.Max(0, int.Parse(place.Groups["column"].ValueSpan, CultureInfo.InvariantCulture) - 1);
        var column = 0;
        foreach (var rune in line.EnumerateRunes())
        {
            if ((bytes -= rune.Utf8SequenceLength) < 0)
                break;
            column += rune.Utf16SequenceLength;
        }
        return $"{words}\n  {Text.Clean(line)}\n  {new string(' ', column)}^";
    }

    [GeneratedRegex(@"^invalid parameter ""(?<name>query|match\[\])"": ((?<line>\d{1,6}):(?<column>\d{1,6})|unknown position): (?<words>.*)$", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Place();
}
