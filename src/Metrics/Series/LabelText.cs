using System.Buffers;
using System.Globalization;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>How labels are packed into bytes and written as text.</summary>
public static class LabelText
{
    private static readonly SearchValues<char> NameStart = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:");
    private static readonly SearchValues<char> NameRest = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789");

    /// <summary>Whether a metric's name can stand without quotes: <c>[a-zA-Z_:][a-zA-Z0-9_:]*</c>.</summary>
    public static bool IsPlainMetricName(ReadOnlySpan<char> name) =>
        !name.IsEmpty && NameStart.Contains(name[0]) && !name.ContainsAnyExcept(NameRest);

    /// <summary>Whether a label's name can stand without quotes: <c>[a-zA-Z_][a-zA-Z0-9_]*</c>.</summary>
    public static bool IsPlainLabelName(ReadOnlySpan<char> name) => IsPlainMetricName(name) && !name.Contains(':');

    /// <summary>Appends <c>name="value"</c>; the name is quoted when it is no plain one.</summary>
    public static void AppendPair(StringBuilder text, string name, string value)
    {
        if (IsPlainLabelName(name))
            text.Append(name);
        else
            AppendQuoted(text, name);
        AppendQuoted(text.Append('='), value);
    }

    /// <summary>A string in double quotes, escaped as Go's <c>strconv.Quote</c> escapes it.</summary>
    public static string Quoted(string value)
    {
        var text = new StringBuilder();
        AppendQuoted(text, value);
        return text.ToString();
    }

    /// <summary>Appends a string in double quotes, escaped as Go's <c>strconv.Quote</c> escapes it.</summary>
    public static void AppendQuoted(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var rune in value.EnumerateRunes())
            AppendEscaped(text, rune, '"');
        text.Append('"');
    }

    /// <summary>Appends one character as it stands between quotes of this sort.</summary>
    public static void AppendEscaped(StringBuilder text, Rune rune, char quote) => _ = rune.Value switch
    {
        _ when rune.Value == quote || rune.Value == '\\' => text.Append('\\').Append((char)rune.Value),
        '\a' => text.Append("\\a"),
        '\b' => text.Append("\\b"),
        '\f' => text.Append("\\f"),
        '\n' => text.Append("\\n"),
        '\r' => text.Append("\\r"),
        '\t' => text.Append("\\t"),
        '\v' => text.Append("\\v"),
        < 0x20 or 0x7F => text.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}"),
        _ when IsPrintable(rune) => text.Append(rune.ToString()),
        < 0x10000 => text.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
        _ => text.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
    };

    /// <summary>Whether a character can be shown as it is: Go's <c>unicode.IsPrint</c>.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or
        UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    /// <summary>The bytes that a counted piece of this length takes.</summary>
    public static int CountedLength(int length)
    {
        var bytes = 1;
        for (var rest = (uint)length >> 7; rest > 0; rest >>= 7)
            bytes++;
        return bytes + length;
    }

    /// <summary>Writes a length (LEB128) and the piece itself; gives the bytes written.</summary>
    public static int WriteCounted(Span<byte> to, ReadOnlySpan<byte> piece)
    {
        var at = 0;
        var rest = (uint)piece.Length;
        for (; rest >= 0x80; rest >>= 7)
            to[at++] = (byte)(rest | 0x80);
        to[at++] = (byte)rest;
        piece.CopyTo(to[at..]);
        return at + piece.Length;
    }

    /// <summary>Takes a counted piece from the front. Throws when the bytes end too early.</summary>
    public static ReadOnlySpan<byte> TakeCounted(scoped ref ReadOnlySpan<byte> from)
    {
        int length = from[0], at = 1;
        if (length >= 0x80)
        {
            length &= 0x7F;
            for (var shift = 7; ; shift += 7)
            {
                var next = from[at++];
                length |= (next & 0x7F) << shift;
                if (next < 0x80)
                    break;
            }
        }
        var piece = from.Slice(at, length);
        from = from[(at + length)..];
        return piece;
    }
}
