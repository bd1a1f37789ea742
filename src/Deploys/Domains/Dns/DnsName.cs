using System.Globalization;
using System.Text;

namespace Groundcrew.Deploys;

/// <summary>Names as the wire has them (RFC 1035, sections 3.1 and 4.1.4). Pure.</summary>
internal static class DnsName
{
    private const int MaxBytes = 255;
    private const int MaxLabel = 63;

    /// <summary>Appends a name in its wire form, uncompressed; false when DNS cannot carry it.</summary>
    public static bool TryWrite(string name, List<byte> to)
    {
        var start = to.Count;
        foreach (var label in name.Split('.'))
        {
            // A backslash begins a byte that stands for none of its own (see Read): nothing that is asked for has one.
            if (label.Length is 0 or > MaxLabel || !Ascii.IsValid(label) || label.Contains('\\', StringComparison.Ordinal))
                return false;
            to.Add((byte)label.Length);
            to.AddRange(Encoding.ASCII.GetBytes(label));
        }
        to.Add(0);
        return to.Count - start <= MaxBytes;
    }

    /// <summary>
    /// Reads the name at <paramref name="at"/> and moves behind it; null when it is malformed. Lower case, without the last
    /// dot; bytes that would not read as a label's own are written <c>\ddd</c> (RFC 1035, section 5.1).
    /// </summary>
    public static string? Read(ReadOnlySpan<byte> message, ref int at)
    {
        var text = new StringBuilder();
        // A pointer may only lead to before where the name, or the piece it led to, began: so no chain of them has a loop.
        var (position, before, behind, bytes) = (at, at, -1, 1);
        while (position < message.Length)
        {
            var length = message[position];
            if (length == 0)
            {
                at = behind < 0 ? position + 1 : behind;
                return text.ToString();
            }
            if (length >= 0xC0)
            {
                if (position + 1 >= message.Length)
                    return null;
                var target = (length & 0x3F) << 8 | message[position + 1];
                if (target >= before)
                    return null;
                behind = behind < 0 ? position + 2 : behind;
                (position, before) = (target, target);
                continue;
            }
            bytes += length + 1;
            if (length > MaxLabel || bytes > MaxBytes || position + 1 + length > message.Length)
                return null;
            Append(text, message.Slice(position + 1, length));
            position += length + 1;
        }
        return null;
    }

    private static void Append(StringBuilder text, ReadOnlySpan<byte> label)
    {
        if (text.Length > 0)
            text.Append('.');
        foreach (var b in label)
        {
            if (b is > 0x20 and < 0x7F and not (byte)'.' and not (byte)'\\')
                text.Append(char.ToLowerInvariant((char)b));
            else
                text.Append(CultureInfo.InvariantCulture, $"\\{b:000}");
        }
    }
}
