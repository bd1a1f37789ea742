using System.Globalization;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// From RE2 to the syntax of .NET, which works on UTF-16: a character beyond U+FFFF becomes the pair of its surrogates, so
/// that no half of it ever matches by itself.
/// </summary>
internal static class RegexpTranslation
{
    private const int FirstPair = 0x10000;

    /// <summary>The same expression for .NET.</summary>
    public static string Of(RegexpNode node)
    {
        var text = new StringBuilder();
        Append(text, node);
        return text.ToString();
    }

    private static void Append(StringBuilder text, RegexpNode node)
    {
        switch (node)
        {
            case RegexpNode.Literal l:
                AppendRune(text, l.Rune);
                break;
            case RegexpNode.Class c:
                AppendSet(text, c.Set);
                break;
            case RegexpNode.Any a:
                text.Append(a.WithLineEnd ? "(?:[^\\uD800-\\uDFFF]|[\\uD800-\\uDBFF][\\uDC00-\\uDFFF])" : "(?:[^\\n\\uD800-\\uDFFF]|[\\uD800-\\uDBFF][\\uDC00-\\uDFFF])");
                break;
            case RegexpNode.Place p:
                text.Append(p.Translated);
                break;
            case RegexpNode.Capture c:
                text.Append('(');
                Append(text, c.Inner);
                text.Append(')');
                break;
            case RegexpNode.Repeat r:
                AppendRepeat(text, r);
                break;
            case RegexpNode.Sequence s:
                text.Append("(?:");
                foreach (var part in s.Parts)
                    Append(text, part);
                text.Append(')');
                break;
            case RegexpNode.Choice c:
                text.Append("(?:");
                for (var i = 0; i < c.Options.Count; i++)
                {
                    if (i > 0)
                        text.Append('|');
                    Append(text, c.Options[i]);
                }
                text.Append(')');
                break;
        }
    }

    private static void AppendRepeat(StringBuilder text, RegexpNode.Repeat r)
    {
        // Where nothing limits the number, halves of a pair may be counted apart: what stands around takes whole ones.
        if (r is { Most: -1, Least: 0 or 1, Inner: RegexpNode.Any { WithLineEnd: true } })
            text.Append("[\\s\\S]");
        else if (r.Inner is RegexpNode.Literal { Rune: < FirstPair } or RegexpNode.Sequence or RegexpNode.Choice or RegexpNode.Capture)
            Append(text, r.Inner);
        else
        {
            text.Append("(?:");
            Append(text, r.Inner);
            text.Append(')');
        }
        _ = (r.Least, r.Most) switch
        {
            (0, -1) => text.Append('*'),
            (1, -1) => text.Append('+'),
            (0, 1) => text.Append('?'),
            (_, -1) => text.Append(CultureInfo.InvariantCulture, $"{{{r.Least},}}"),
            _ => text.Append(CultureInfo.InvariantCulture, $"{{{r.Least},{r.Most}}}"),
        };
        if (r.Lazy)
            text.Append('?');
    }

    private static void AppendSet(StringBuilder text, RuneSet set)
    {
        var small = new StringBuilder();
        var pairs = new List<string>();
        foreach (var (first, last) in set.Ranges)
        {
            AppendSmall(small, first, Math.Min(last, 0xD7FF));
            AppendSmall(small, Math.Max(first, 0xE000), Math.Min(last, FirstPair - 1));
            if (last >= FirstPair)
                AddPairs(pairs, Math.Max(first, FirstPair), last);
        }
        if (small.Length > 0)
            pairs.Insert(0, $"[{small}]");
        // The empty set matches nothing.
        _ = pairs.Count switch
        {
            0 => text.Append("[^\\s\\S]"),
            1 when small.Length > 0 => text.Append(pairs[0]),
            _ => text.Append("(?:").AppendJoin('|', pairs).Append(')'),
        };
    }

    private static void AppendSmall(StringBuilder small, int first, int last)
    {
        if (first > last)
            return;
        AppendUnit(small, first);
        if (first == last)
            return;
        small.Append('-');
        AppendUnit(small, last);
    }

    /// <summary>Ranges of pairs: the rest of the first high half, all whole high halves, the begin of the last.</summary>
    private static void AddPairs(List<string> pairs, int first, int last)
    {
        while (first <= last)
        {
            var high = High(first);
            if (Low(first) == 0xDC00 && last - first >= 0x3FF)
            {
                var wholes = (last - first + 1) / 0x400;
                pairs.Add($"[{Unit(high)}-{Unit(high + wholes - 1)}][\\uDC00-\\uDFFF]");
                first += wholes * 0x400;
                continue;
            }
            var end = Math.Min(last, first | 0x3FF);
            pairs.Add($"{Unit(high)}[{Unit(Low(first))}-{Unit(Low(end))}]");
            first = end + 1;
        }
    }

    private static void AppendRune(StringBuilder text, int rune)
    {
        if (rune >= FirstPair)
            text.Append("(?:").Append(Unit(High(rune))).Append(Unit(Low(rune))).Append(')');
        else
            AppendUnit(text, rune);
    }

    private static int High(int rune) => 0xD800 + ((rune - FirstPair) >> 10);

    private static int Low(int rune) => 0xDC00 + (rune & 0x3FF);

    private static void AppendUnit(StringBuilder text, int unit) => text.Append(Unit(unit));

    private static string Unit(int unit) => string.Create(CultureInfo.InvariantCulture, $"\\u{unit:X4}");
}
