using System.Globalization;

namespace Groundcrew.Bedrock;

/// <summary>
/// Reads and writes the quantities of manifests and settings with their units: durations (<c>500ms</c>, <c>15s</c>,
/// <c>10m</c>, <c>2h</c>, <c>7d</c>), processor shares in millicores and sizes in bytes (T-36: <c>100m</c>, <c>2</c>,
/// <c>0.5</c>; <c>128Mi</c>, <c>1G</c>, and a bare number of megabytes where the guide gives one).
/// Pure; the methods return null for text that is no such quantity.
/// </summary>
public static class Quantity
{
    private static readonly (string Suffix, long Ticks)[] DurationUnits =
    [
        ("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour), ("d", TimeSpan.TicksPerDay),
    ];

    private static readonly (string Suffix, decimal Bytes)[] SizeUnits =
    [
        ("Ki", 1024m), ("Mi", 1024m * 1024), ("Gi", 1024m * 1024 * 1024), ("Ti", 1024m * 1024 * 1024 * 1024),
        ("KiB", 1024m), ("MiB", 1024m * 1024), ("GiB", 1024m * 1024 * 1024), ("TiB", 1024m * 1024 * 1024 * 1024),
        ("KB", 1000m), ("MB", 1000_000m), ("GB", 1000_000_000m),
        ("k", 1000m), ("K", 1000m), ("M", 1000_000m), ("G", 1000_000_000m), ("T", 1000_000_000_000m), ("B", 1m),
    ];

    private static readonly TimeSpan LongestDuration = TimeSpan.FromDays(3650);

    /// <summary>A duration with its unit, up to ten years; several parts may follow each other (<c>1m30s</c>).</summary>
    public static TimeSpan? ParseDuration(string text)
    {
        var rest = text.AsSpan().Trim();
        if (rest.IsEmpty)
            return null;
        decimal ticks = 0;
        while (!rest.IsEmpty)
        {
            var digits = 0;
            while (digits < rest.Length && (char.IsAsciiDigit(rest[digits]) || rest[digits] == '.'))
                digits++;
            var letters = digits;
            while (letters < rest.Length && char.IsAsciiLetter(rest[letters]))
                letters++;
            if (!decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                || UnitOf(rest[digits..letters]) is not { } unit
                || number > LongestDuration.Ticks / unit)
                return null;
            ticks += number * unit;
            rest = rest[letters..];
        }
        return ticks > LongestDuration.Ticks ? null : TimeSpan.FromTicks((long)ticks);
    }

    /// <summary>The shortest exact text of a duration, such as <c>1m30s</c>.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero)
            return "0s";
        var parts = new List<string>();
        void Part(decimal count, string unit)
        {
            if (count != 0)
                parts.Add($"{count:0.####}{unit}");
        }
        var left = Math.Abs((decimal)duration.Ticks);
        Part(Math.Floor(left / TimeSpan.TicksPerDay), "d");
        Part(Math.Floor(left % TimeSpan.TicksPerDay / TimeSpan.TicksPerHour), "h");
        Part(Math.Floor(left % TimeSpan.TicksPerHour / TimeSpan.TicksPerMinute), "m");
        Part(Math.Floor(left % TimeSpan.TicksPerMinute / TimeSpan.TicksPerSecond), "s");
        Part(left % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMillisecond, "ms");
        return (duration < TimeSpan.Zero ? "-" : "") + string.Concat(parts);
    }

    /// <summary>A share of processors in millicores: <c>100m</c> is 100, <c>2</c> is 2000, <c>0.5</c> is 500.</summary>
    public static int? ParseMillicores(string text)
    {
        var trimmed = text.Trim();
        var isMilli = trimmed.EndsWith('m');
        if (!decimal.TryParse(isMilli ? trimmed[..^1] : trimmed, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            return null;
        var millicores = isMilli ? number : number * 1000;
        return millicores is > 0 and <= 1_000_000 && millicores == decimal.Truncate(millicores) ? (int)millicores : null;
    }

    /// <summary>A size in bytes. A number without a unit counts in <paramref name="bareUnit"/> bytes.</summary>
    public static long? ParseBytes(string text, long bareUnit = 1)
    {
        var trimmed = text.Trim();
        var unit = (decimal)bareUnit;
        foreach (var (suffix, bytes) in SizeUnits)
        {
            if (!trimmed.EndsWith(suffix, StringComparison.Ordinal))
                continue;
            unit = bytes;
            trimmed = trimmed[..^suffix.Length].TrimEnd();
            break;
        }
        if (!decimal.TryParse(trimmed, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) || number > 1_000_000_000_000_000m)
            return null;
        var size = number * unit;
        return size is >= 1 and <= long.MaxValue ? (long)size : null;
    }

    /// <summary>A size for people, in binary units with at most one decimal.</summary>
    public static string FormatBytes(long bytes)
    {
        ReadOnlySpan<string> units = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = bytes;
        var unit = 0;
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }
        return $"{value:0.#} {units[unit]}";
    }

    private static long? UnitOf(ReadOnlySpan<char> suffix)
    {
        foreach (var (text, ticks) in DurationUnits)
            if (suffix.SequenceEqual(text))
                return ticks;
        return null;
    }
}
