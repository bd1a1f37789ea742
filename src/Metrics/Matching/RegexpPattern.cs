using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace Groundcrew.Metrics;

/// <summary>
/// A regular expression in RE2's syntax (as Prometheus uses it: it must match the whole text, <c>.</c> also takes a line
/// end), run in time linear in its input. What is only literals, or literals with <c>.*</c> between them, is compared byte by
/// byte without any machine. Immutable and thread-safe.
/// </summary>
/// <remarks>One thing differs from RE2: for <c>\b</c> letters beyond ASCII are parts of words too.</remarks>
public sealed class RegexpPattern
{
    private const int OnStack = 512;

    private readonly byte[][]? _alternatives;
    private readonly (byte[][] Literals, bool[] GapsNotEmpty)? _gapped;
    private readonly byte[] _prefix;
    private readonly IReadOnlyList<string> _names;
    private readonly Lazy<Regex> _regex;

    private RegexpPattern(string source)
    {
        var reader = new RegexpReader(source);
        var node = reader.Read();
        _names = reader.Names;
        Alternatives = RegexpShape.Alternatives(node);
        Prefix = RegexpShape.Prefix(node);
        _prefix = Encoding.UTF8.GetBytes(Prefix);
        _alternatives = Alternatives?.Select(Encoding.UTF8.GetBytes).Order(Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b))).ToArray();
        _gapped = _alternatives is null ? RegexpShape.Gapped(node) : null;
        _regex = new(() => new($"\\A{RegexpTranslation.Of(node)}\\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
    }

    /// <summary>The only texts that match, when they can be listed (256 at most); otherwise null.</summary>
    public IReadOnlyList<string>? Alternatives { get; }

    /// <summary>What every match begins with; empty when nothing is certain.</summary>
    public string Prefix { get; }

    /// <summary>A pattern that must match the whole value. Throws <see cref="FormatException"/> with RE2's words.</summary>
    public static RegexpPattern Anchored(string source) => new(source);

    /// <summary>What is wrong with a pattern, in the words of Go's <c>regexp</c>; null when it is good.</summary>
    public static string? ProblemOf(string source)
    {
        try
        {
            new RegexpReader(source).Read();
            return null;
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    /// <summary>Whether a text in UTF-8 matches as a whole. Allocates nothing.</summary>
    public bool IsMatch(ReadOnlySpan<byte> utf8)
    {
        if (_alternatives is not null)
            return IsAmong(utf8);
        if (_gapped is { } gapped)
            return MatchesGapped(utf8, gapped.Literals, gapped.GapsNotEmpty);
        return utf8.StartsWith(_prefix) && Runs(utf8);
    }

    /// <summary>
    /// If the text matches as a whole, the template with <c>$1</c>, <c>${1}</c> and <c>${name}</c> replaced by what the groups
    /// took (by nothing where there is no such group) and <c>$$</c> by a dollar, as Go's <c>Expand</c> does it.
    /// </summary>
    public bool TryExpand(string input, string template, out string result)
    {
        var match = _regex.Value.Match(input);
        result = match.Success ? Expanded(match, template) : "";
        return match.Success;
    }

    private bool IsAmong(ReadOnlySpan<byte> utf8)
    {
        var (low, high) = (0, _alternatives!.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = utf8.SequenceCompareTo(_alternatives[middle]);
            if (order == 0)
                return true;
            if (order < 0)
                high = middle - 1;
            else
                low = middle + 1;
        }
        return false;
    }

    private static bool MatchesGapped(ReadOnlySpan<byte> rest, byte[][] literals, bool[] gapsNotEmpty)
    {
        if (!rest.StartsWith(literals[0]))
            return false;
        rest = rest[literals[0].Length..];
        for (var i = 0; i < gapsNotEmpty.Length; i++)
        {
            if (gapsNotEmpty[i])
            {
                if (rest.IsEmpty)
                    return false;
                Rune.DecodeFromUtf8(rest, out _, out var taken);
                rest = rest[taken..];
            }
            if (i == gapsNotEmpty.Length - 1)
                return rest.EndsWith(literals[^1]);
            var found = rest.IndexOf(literals[i + 1]);
            if (found < 0)
                return false;
            rest = rest[(found + literals[i + 1].Length)..];
        }
        return false;
    }

    private bool Runs(ReadOnlySpan<byte> utf8)
    {
        var rented = utf8.Length > OnStack ? ArrayPool<char>.Shared.Rent(utf8.Length) : null;
        Span<char> chars = rented ?? stackalloc char[OnStack];
        var matches = _regex.Value.IsMatch(chars[..Encoding.UTF8.GetChars(utf8, chars)]);
        if (rented is not null)
            ArrayPool<char>.Shared.Return(rented);
        return matches;
    }

    private string Expanded(Match match, string template)
    {
        var text = new StringBuilder();
        var rest = template.AsSpan();
        while (true)
        {
            var dollar = rest.IndexOf('$');
            if (dollar < 0)
                return text.Append(rest).ToString();
            text.Append(rest[..dollar]);
            rest = rest[(dollar + 1)..];
            if (rest.StartsWith("$"))
            {
                text.Append('$');
                rest = rest[1..];
            }
            else if (TakeName(ref rest) is { } name)
                text.Append(Taken(match, name));
            else
                text.Append('$');
        }
    }

    private static string? TakeName(ref ReadOnlySpan<char> rest)
    {
        var braces = rest.StartsWith("{");
        var name = braces ? rest[1..] : rest;
        var length = 0;
        while (length < name.Length && (char.IsLetterOrDigit(name[length]) || name[length] == '_'))
            length++;
        if (length == 0 || (braces && (length == name.Length || name[length] != '}')))
            return null;
        rest = name[(length + (braces ? 1 : 0))..];
        return name[..length].ToString();
    }

    private ReadOnlySpan<char> Taken(Match match, string name)
    {
        if (name.All(char.IsAsciiDigit))
            return int.TryParse(name, out var number) && number < _names.Count ? match.Groups[number].ValueSpan : default;
        for (var i = 1; i < _names.Count; i++)
            if (_names[i] == name && match.Groups[i].Success)
                return match.Groups[i].ValueSpan;
        return default;
    }
}
