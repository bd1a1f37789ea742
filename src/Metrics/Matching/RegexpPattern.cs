using System.Text;
using System.Text.RegularExpressions;

namespace Groundcrew.Metrics;

/// <summary>
/// A regular expression in RE2's syntax (as Prometheus uses it: <c>.</c> also takes a line end), run in time linear in
/// its input. Immutable and thread-safe.
/// </summary>
public sealed class RegexpPattern
{
    private readonly Regex _regex;

    private RegexpPattern(string source, bool anchored) =>
        _regex = new(anchored ? $"^(?s:{source})\\z" : $"(?s:{source})", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    /// <summary>The only texts that match, when they can be listed; otherwise null.</summary>
    public IReadOnlyList<string>? Alternatives => null;

    /// <summary>What every match begins with; empty when nothing is certain.</summary>
    public string Prefix => "";

    /// <summary>A pattern that must match the whole value. Throws <see cref="FormatException"/> with RE2's words.</summary>
    public static RegexpPattern Anchored(string source) => new(source, anchored: true);

    /// <summary>What is wrong with a pattern, in the words of Go's <c>regexp</c>; null when it is good.</summary>
    public static string? ProblemOf(string source)
    {
        try
        {
            _ = new RegexpPattern(source, anchored: true);
            return null;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return "error parsing regexp: " + e.Message;
        }
    }

    /// <summary>Whether a text in UTF-8 matches.</summary>
    public bool IsMatch(ReadOnlySpan<byte> utf8) => _regex.IsMatch(Encoding.UTF8.GetString(utf8));
}
