using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Groundcrew.Postgres;

/// <summary>A place in the write-ahead log (PostgreSQL, <c>pg_lsn</c>): so many bytes from its beginning, written <c>16/B374D848</c>.</summary>
/// <param name="Value">The number of bytes.</param>
[StructLayout(LayoutKind.Auto)]
[JsonConverter(typeof(LsnConverter))]
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary>The size of a segment, unless a cluster was made with another.</summary>
    public const int SegmentBytes = 16 * 1024 * 1024;

    /// <summary>Reads the text of <c>pg_lsn</c>; false when it is none.</summary>
    public static bool TryParse(string? text, out Lsn lsn)
    {
        lsn = default;
        if (text?.Split('/') is not [{ Length: > 0 and <= 8 } high, { Length: > 0 and <= 8 } low]
            || !uint.TryParse(high, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var h)
            || !uint.TryParse(low, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var l))
            return false;
        lsn = new((ulong)h << 32 | l);
        return true;
    }

    /// <summary>Reads the text of <c>pg_lsn</c>.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static Lsn Parse(string text) => TryParse(text, out var lsn) ? lsn : throw new FormatException($"'{text}' is no place in the write-ahead log: write it as 16/B374D848.");

    /// <summary>The file name of the segment that holds this place, such as <c>000000010000000000000003</c>.</summary>
    public string SegmentName(uint timeline, int segmentBytes = SegmentBytes)
    {
        var perId = 0x1_0000_0000UL / (ulong)segmentBytes;
        var number = Value / (ulong)segmentBytes;
        return $"{timeline:X8}{number / perId:X8}{number % perId:X8}";
    }

    /// <summary>The first place of the segment that holds this one.</summary>
    public Lsn SegmentStart(int segmentBytes = SegmentBytes) => new(Value - Value % (ulong)segmentBytes);

    /// <inheritdoc/>
    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <summary>The text of <c>pg_lsn</c>.</summary>
    public override string ToString() => $"{Value >> 32:X}/{(uint)Value:X}";

    /// <summary>So many bytes further.</summary>
    public static Lsn operator +(Lsn lsn, long bytes) => new(lsn.Value + (ulong)bytes);

    /// <summary>The bytes between two places.</summary>
    public static long operator -(Lsn one, Lsn other) => (long)(one.Value - other.Value);

    /// <summary>Whether it comes before.</summary>
    public static bool operator <(Lsn one, Lsn other) => one.Value < other.Value;

    /// <summary>Whether it comes after.</summary>
    public static bool operator >(Lsn one, Lsn other) => one.Value > other.Value;

    /// <summary>Whether it comes before or is the same.</summary>
    public static bool operator <=(Lsn one, Lsn other) => one.Value <= other.Value;

    /// <summary>Whether it comes after or is the same.</summary>
    public static bool operator >=(Lsn one, Lsn other) => one.Value >= other.Value;

    private sealed class LsnConverter : JsonConverter<Lsn>
    {
        public override Lsn Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var lsn) ? lsn : throw new JsonException("This is no place in the write-ahead log.");

        public override void Write(Utf8JsonWriter writer, Lsn value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
