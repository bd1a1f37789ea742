using System.Text;

namespace Groundcrew.Metrics;

/// <summary>What can be said about an expression without running it.</summary>
internal static class RegexpShape
{
    private const int MostAlternatives = 256;

    /// <summary>All texts that match as a whole, when there are few; otherwise null.</summary>
    public static IReadOnlyList<string>? Alternatives(RegexpNode node) => Texts(Unanchored(node))?.Distinct(StringComparer.Ordinal).ToArray();

    /// <summary>What every match of the whole begins with.</summary>
    public static string Prefix(RegexpNode node)
    {
        var text = new StringBuilder();
        AppendPrefix(text, Unanchored(node));
        return text.ToString();
    }

    /// <summary>
    /// Literals with gaps between them, if the expression is nothing else: <c>a.*b</c>. Each gap takes any text, or any but the
    /// empty one.
    /// </summary>
    public static (byte[][] Literals, bool[] GapsNotEmpty)? Gapped(RegexpNode node)
    {
        var literals = new List<StringBuilder> { new() };
        var gaps = new List<bool>();
        foreach (var part in Parts(Unanchored(node)))
        {
            switch (part)
            {
                case RegexpNode.Literal l:
                    literals[^1].Append(new Rune(l.Rune).ToString());
                    break;
                case RegexpNode.Empty:
                    break;
                case RegexpNode.Repeat { Inner: RegexpNode.Any { WithLineEnd: true }, Least: 0 or 1, Most: -1 } r:
                    if (literals[^1].Length == 0 && gaps.Count > 0)
                    {
                        if (gaps[^1] && r.Least == 1)
                            return null;
                        gaps[^1] |= r.Least == 1;
                        break;
                    }
                    gaps.Add(r.Least == 1);
                    literals.Add(new());
                    break;
                default:
                    return null;
            }
        }
        return gaps.Count == 0 ? null : ([.. literals.Select(l => Encoding.UTF8.GetBytes(l.ToString()))], [.. gaps]);
    }

    /// <summary>The expression without a leading <c>^</c> and a trailing <c>$</c>, which say nothing about a match of the whole.</summary>
    private static RegexpNode Unanchored(RegexpNode node)
    {
        if (node is RegexpNode.Choice c)
            return new RegexpNode.Choice([.. c.Options.Select(Unanchored)]);
        var parts = Parts(node).ToList();
        while (parts.Count > 0 && parts[0] is RegexpNode.Place { Translated: "\\A" })
            parts.RemoveAt(0);
        while (parts.Count > 0 && parts[^1] is RegexpNode.Place { Translated: "\\z" })
            parts.RemoveAt(parts.Count - 1);
        return parts.Count switch { 0 => new RegexpNode.Empty(), 1 => parts[0], _ => new RegexpNode.Sequence(parts) };
    }

    /// <summary>The parts of a sequence, those of groups in it too.</summary>
    private static IEnumerable<RegexpNode> Parts(RegexpNode node) => node switch
    {
        RegexpNode.Sequence s => s.Parts.SelectMany(Parts),
        RegexpNode.Capture c => Parts(c.Inner),
        _ => [node],
    };

    private static List<string>? Texts(RegexpNode node)
    {
        switch (node)
        {
            case RegexpNode.Empty:
                return [""];
            case RegexpNode.Literal l:
                return Rune.IsValid(l.Rune) ? [new Rune(l.Rune).ToString()] : null;
            case RegexpNode.Class c:
                return c.Set.Count > 32 ? null : [.. c.Set.Ranges.SelectMany(r => Enumerable.Range(r.First, r.Last - r.First + 1)).Where(Rune.IsValid).Select(r => new Rune(r).ToString())];
            case RegexpNode.Capture c:
                return Texts(c.Inner);
            case RegexpNode.Repeat { Least: 0, Most: 1 } r:
                return Texts(r.Inner) is { Count: < MostAlternatives } texts ? ["", .. texts] : null;
            case RegexpNode.Sequence s:
                var all = new List<string> { "" };
                foreach (var part in s.Parts)
                {
                    if (Texts(part) is not { } next || all.Count * next.Count > MostAlternatives)
                        return null;
                    all = [.. all.SelectMany(a => next.Select(b => a + b))];
                }
                return all;
            case RegexpNode.Choice c:
                var options = new List<string>();
                foreach (var option in c.Options)
                {
                    if (Texts(option) is not { } next || options.Count + next.Count > MostAlternatives)
                        return null;
                    options.AddRange(next);
                }
                return options;
            default:
                return null;
        }
    }

    /// <summary>Appends what must come first; whether that was the whole node, so that the next one may go on.</summary>
    private static bool AppendPrefix(StringBuilder text, RegexpNode node)
    {
        switch (node)
        {
            case RegexpNode.Empty:
                return true;
            case RegexpNode.Literal l when Rune.IsValid(l.Rune):
                text.Append(new Rune(l.Rune).ToString());
                return true;
            case RegexpNode.Capture c:
                return AppendPrefix(text, c.Inner);
            case RegexpNode.Sequence s:
                return s.Parts.All(p => AppendPrefix(text, p));
            case RegexpNode.Repeat { Least: > 0 } r:
                AppendPrefix(text, r.Inner);
                return false;
            case RegexpNode.Choice c:
                var begins = c.Options.Select(Prefix).ToList();
                var common = begins.Aggregate((a, b) => a[..a.AsSpan().CommonPrefixLength(b)]);
                text.Append(common.Length > 0 && char.IsHighSurrogate(common[^1]) ? common[..^1] : common);
                return false;
            default:
                return false;
        }
    }
}
