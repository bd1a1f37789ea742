using System.Text;
using System.Text.RegularExpressions;

namespace Groundcrew.Metrics;

/// <summary>The regular expression of a relabelling rule, and the templates that name its groups. Immutable and thread-safe.</summary>
internal sealed class RelabelPattern
{
    private readonly Regex _regex;

    /// <summary>Throws <see cref="FormatException"/> when the text is no regular expression.</summary>
    public RelabelPattern(string source)
    {
        try
        {
            _regex = new Regex($"^(?s:{source.Replace("(?P<", "(?<", StringComparison.Ordinal)})\\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    public bool IsMatch(string text) => _regex.IsMatch(text);

    /// <summary>Whether a template names a group.</summary>
    public static bool NamesGroups(string template) => template.Contains('$');

    /// <summary>The templates with the groups of a match filled in, or null when the text does not match.</summary>
    public (string First, string Second)? Expand(string text, string first, string second)
    {
        var match = _regex.Match(text);
        return match.Success ? (Expand(match, first), Expand(match, second)) : null;
    }

    // As Go's Expand: $name takes as many letters, digits and underscores as there are; an unknown group is empty.
    private static string Expand(Match match, string template)
    {
        if (!NamesGroups(template))
            return template;
        var text = new StringBuilder();
        for (var at = 0; at < template.Length; at++)
        {
            if (template[at] != '$' || at + 1 == template.Length)
            {
                text.Append(template[at]);
                continue;
            }
            if (template[at + 1] == '$')
            {
                text.Append('$');
                at++;
                continue;
            }
            var braced = template[at + 1] == '{';
            var start = at + (braced ? 2 : 1);
            var end = start;
            while (end < template.Length && (char.IsLetterOrDigit(template[end]) || template[end] == '_'))
                end++;
            if (end == start || (braced && (end == template.Length || template[end] != '}')))
            {
                text.Append('$');
                continue;
            }
            text.Append(match.Groups[template[start..end]].Value);
            at = braced ? end : end - 1;
        }
        return text.ToString();
    }
}
