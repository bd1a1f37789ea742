using System.Buffers.Text;
using System.Globalization;

namespace Groundcrew.Daemon.Doors;

/// <summary>Numbers as Prometheus' API writes them.</summary>
internal static class PrometheusNumber
{
    /// <summary>The most bytes that <see cref="Format"/> writes.</summary>
    public const int MaxLength = 32;

    /// <summary>
    /// The fewest digits that give the float again, without an exponent from 1e-6 to below 1e21 and with one beyond
    /// (Go's <c>strconv</c> formats 'f' and 'e').
    /// </summary>
    public static ReadOnlySpan<byte> Format(double value, Span<byte> room)
    {
        if (double.IsNaN(value))
            return "NaN"u8;
        if (double.IsInfinity(value))
            return value > 0 ? "+Inf"u8 : "-Inf"u8;
        Span<byte> shortest = stackalloc byte[MaxLength];
        value.TryFormat(shortest, out var length, default, CultureInfo.InvariantCulture);
        var exponentAt = shortest[..length].IndexOf((byte)'E');
        var magnitude = Math.Abs(value);
        var wantsExponent = magnitude != 0 && magnitude is < 1e-6 or >= 1e21;
        if (exponentAt < 0 && !wantsExponent)
        {
            shortest[..length].CopyTo(room);
            return room[..length];
        }
        return Arrange(shortest[..length], exponentAt, wantsExponent, room);
    }

    /// <summary>Milliseconds as seconds, with a fraction of three digits where there is one.</summary>
    public static ReadOnlySpan<byte> FormatTime(long milliseconds, Span<byte> room)
    {
        var at = 0;
        if (milliseconds < 0)
            room[at++] = (byte)'-';
        var (seconds, rest) = ulong.DivRem((ulong)Math.Abs(milliseconds), 1000);
        Utf8Formatter.TryFormat(seconds, room[at..], out var length);
        at += length;
        if (rest == 0)
            return room[..at];
        room[at++] = (byte)'.';
        Utf8Formatter.TryFormat(rest, room[at..], out length, new System.Buffers.StandardFormat('D', 3));
        return room[..(at + length)];
    }

    /// <summary>Puts the digits of a shortest form into the form that is wanted.</summary>
    private static ReadOnlySpan<byte> Arrange(scoped ReadOnlySpan<byte> shortest, int exponentAt, bool wantsExponent, Span<byte> room)
    {
        var at = 0;
        if (shortest[0] == '-')
        {
            room[at++] = (byte)'-';
            shortest = shortest[1..];
            exponentAt--;
        }
        Span<byte> digits = stackalloc byte[MaxLength];
        var (count, point) = Digits(shortest, exponentAt, digits);
        if (wantsExponent)
        {
            room[at++] = digits[0];
            if (count > 1)
            {
                room[at++] = (byte)'.';
                digits[1..count].CopyTo(room[at..]);
                at += count - 1;
            }
            room[at++] = (byte)'e';
            room[at++] = (byte)(point > 0 ? '+' : '-');
            Utf8Formatter.TryFormat(Math.Abs(point - 1), room[at..], out var length, new System.Buffers.StandardFormat('D', 2));
            return room[..(at + length)];
        }
        if (point <= 0)
        {
            "0."u8.CopyTo(room[at..]);
            room.Slice(at + 2, -point).Fill((byte)'0');
            at += 2 - point;
            digits[..count].CopyTo(room[at..]);
            return room[..(at + count)];
        }
        // The exponent form of .NET begins at 1e15, so there is never a point inside of the digits.
        digits[..count].CopyTo(room[at..]);
        room.Slice(at + count, Math.Max(0, point - count)).Fill((byte)'0');
        return room[..(at + Math.Max(point, count))];
    }

    /// <summary>The digits without zeros at both ends, and how many of them stand before the point.</summary>
    private static (int Count, int Point) Digits(ReadOnlySpan<byte> shortest, int exponentAt, Span<byte> digits)
    {
        var mantissa = exponentAt < 0 ? shortest : shortest[..exponentAt];
        var exponent = exponentAt < 0 ? 0 : int.Parse(shortest[(exponentAt + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var pointAt = mantissa.IndexOf((byte)'.');
        var point = (pointAt < 0 ? mantissa.Length : pointAt) + exponent;
        var count = 0;
        foreach (var digit in mantissa)
            if (digit != '.')
            {
                if (count == 0 && digit == '0')
                    point--;
                else
                    digits[count++] = digit;
            }
        while (count > 1 && digits[count - 1] == '0')
            count--;
        return (count, point);
    }
}
