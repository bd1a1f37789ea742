using System.Buffers;
using System.Globalization;
using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL;

/// <summary>
/// Texts as Go reads and prints them, because the texts of Prometheus are. A byte of a text that is no UTF-8 (only an escape
/// can make one) stands in our texts as the lone surrogate U+DC00 + byte.
/// </summary>
internal static class GoText
{
    private const int LoneByte = 0xDC00;

    /// <summary>In double quotes with escapes, as <c>%q</c> prints it.</summary>
    public static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        for (var i = 0; i < value.Length; i++)
        {
            if (IsLoneByte(value, i))
                text.Append(CultureInfo.InvariantCulture, $"\\x{value[i] - LoneByte:x2}");
            else if (char.IsHighSurrogate(value[i]) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
                LabelText.AppendEscaped(text, Rune.GetRuneAt(value, i++), '"');
            else
                LabelText.AppendEscaped(text, Rune.TryCreate(value[i], out var rune) ? rune : Rune.ReplacementChar, '"');
        }
        return text.Append('"').ToString();
    }

    /// <summary>In single quotes, as <c>%q</c> prints a character; -1 stands for the end of the text.</summary>
    public static string QuoteRune(int rune)
    {
        var text = new StringBuilder("'");
        LabelText.AppendEscaped(text, Rune.IsValid(rune) ? new Rune(rune) : Rune.ReplacementChar, '\'');
        return text.Append('\'').ToString();
    }

    /// <summary>As <c>%#U</c> prints a character: <c>U+0071 'q'</c>.</summary>
    public static string CodePoint(int rune)
    {
        var valid = Rune.IsValid(rune) ? new Rune(rune) : Rune.ReplacementChar;
        return LabelText.IsPrintable(valid) ? $"U+{valid.Value:X4} '{valid}'" : $"U+{valid.Value:X4}";
    }

    /// <summary>Whether a text came from bytes that are UTF-8.</summary>
    public static bool IsValid(string value)
    {
        for (var i = 0; i < value.Length; i++)
            if (char.IsSurrogate(value[i]))
            {
                if (!char.IsHighSurrogate(value[i]) || i + 1 == value.Length || !char.IsLowSurrogate(value[i + 1]))
                    return false;
                i++;
            }
        return true;
    }

    /// <summary>The text inside a literal whose escapes are known to be right.</summary>
    public static string Unquote(ReadOnlySpan<char> literal)
    {
        var inner = literal[1..^1];
        if (literal[0] == '`' || !inner.Contains('\\'))
            return inner.ToString();
        var bytes = new ArrayBufferWriter<byte>(inner.Length * 3);
        while (!inner.IsEmpty)
        {
            var plain = inner.IndexOf('\\');
            if (plain < 0)
                plain = inner.Length;
            Encoding.UTF8.GetBytes(inner[..plain], bytes);
            inner = inner[plain..];
            if (!inner.IsEmpty)
                TakeEscape(ref inner, bytes);
        }
        return Decode(bytes.WrittenSpan);
    }

    private static void TakeEscape(ref ReadOnlySpan<char> inner, ArrayBufferWriter<byte> to)
    {
        var kind = inner[1];
        var (begin, digits, numberBase) = kind switch
        {
            'x' => (2, 2, 16),
            'u' => (2, 4, 16),
            'U' => (2, 8, 16),
            >= '0' and <= '7' => (1, 3, 8),
            _ => (1, 0, 0),
        };
        var value = 0;
        foreach (var digit in inner.Slice(begin, digits))
            value = (value * numberBase) + HexValue(digit);
        inner = inner[(digits == 0 ? 2 : begin + digits)..];
        if (kind is 'u' or 'U')
            to.Advance(new Rune(value).EncodeToUtf8(to.GetSpan(4)));
        else
            to.Write([digits > 0 ? (byte)value : Simple(kind)]);
    }

    /// <summary>The value of a digit up to 16; 16 when it is none.</summary>
    public static int HexValue(int c) => c switch
    {
        >= '0' and <= '9' => c - '0',
        >= 'a' and <= 'f' => c - 'a' + 10,
        >= 'A' and <= 'F' => c - 'A' + 10,
        _ => 16,
    };

    private static byte Simple(char kind) => kind switch
    {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        _ => (byte)kind,
    };

    private static string Decode(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var taken) == OperationStatus.Done)
                text.Append(rune.ToString());
            else
            {
                taken = 1;
                text.Append((char)(LoneByte + bytes[0]));
            }
            bytes = bytes[taken..];
        }
        return text.ToString();
    }

    private static bool IsLoneByte(string value, int at) =>
        value[at] is >= (char)(LoneByte + 0x80) and <= (char)(LoneByte + 0xFF) && (at == 0 || !char.IsHighSurrogate(value[at - 1]));
}
