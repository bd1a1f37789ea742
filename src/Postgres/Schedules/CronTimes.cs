using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Groundcrew.Bedrock;
using NodaTime;
using NodaTime.TimeZones;
using Quartz;

namespace Groundcrew.Postgres;

/// <summary>
/// The times of a schedule: the five fields of cron (crontab(5)), read in a time zone, and moved by a jitter that is always the
/// same for one schedule, so that not every database is backed up in the same second. Immutable.
/// </summary>
internal sealed class CronTimes
{
    private static readonly string[] Days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    private readonly CronExpression _cron;
    private readonly DateTimeZone _zone;
    private readonly TimeSpan _offset;

    private CronTimes(CronExpression cron, DateTimeZone zone, TimeSpan offset) => (_cron, _zone, _offset) = (cron, zone, offset);

    /// <summary>Judges a schedule's times.</summary>
    public static Judged<CronTimes> Read(string path, string? cron, string? zone, TimeSpan jitter, Guid id)
    {
        var problems = new ProblemList();
        var expression = ReadCron($"{path}.cron", cron ?? "", problems);
        var found = DateTimeZoneProviders.Tzdb.GetZoneOrNull(zone ?? "UTC");
        if (found is null)
            problems.Add("bad-zone", $"{path}.zone", $"There is no time zone '{zone}'.", "Use a name of the IANA database, such as Europe/Berlin or UTC.");
        if (jitter < TimeSpan.Zero || jitter > TimeSpan.FromHours(12))
            problems.Add("out-of-range", $"{path}.jitter", $"{Quantity.Format(jitter)} is out of range.", "Use 0s to 12h.");
        return problems.IsEmpty ? Judged<CronTimes>.Good(new CronTimes(expression!, found!, OffsetOf(id, jitter))) : Judged<CronTimes>.Bad(problems.Problems);
    }

    /// <summary>The first time after a moment; null when there is none any more.</summary>
    public DateTimeOffset? After(DateTimeOffset moment)
    {
        // The zone is NodaTime's: the expression runs over local times as if they were UTC, and each is found in the zone. A time
        // that the clocks leave out is moved by the gap, one that comes twice counts once, the first time.
        var local = Instant.FromDateTimeOffset(moment - _offset).InZone(_zone).LocalDateTime;
        var next = new DateTimeOffset(local.ToDateTimeUnspecified(), TimeSpan.Zero);
        while (_cron.GetNextValidTimeAfter(next) is { } candidate)
        {
            var time = LocalDateTime.FromDateTime(DateTime.SpecifyKind(candidate.UtcDateTime, DateTimeKind.Unspecified)).InZone(_zone, Resolvers.LenientResolver).ToDateTimeOffset().ToUniversalTime() + _offset;
            if (time > moment)
                return time;
            next = candidate;
        }
        return null;
    }

    /// <summary>From zero up to the jitter, by the id alone.</summary>
    internal static TimeSpan OffsetOf(Guid id, TimeSpan jitter)
    {
        if (jitter < TimeSpan.FromSeconds(1))
            return TimeSpan.Zero;
        var number = BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(id.ToByteArray()));
        return TimeSpan.FromSeconds(number % (ulong)jitter.TotalSeconds);
    }

    private static CronExpression? ReadCron(string path, string cron, ProblemList problems)
    {
        var fields = cron.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (fields.Length != 5)
        {
            problems.Add("bad-cron", path, $"'{cron}' is not a schedule.", "Write minute, hour, day, month and weekday, such as '0 2 * * *' for two in the night.");
            return null;
        }
        var isEveryDay = fields[2] == "*";
        var weekdays = WeekdaysOf(fields[4]);
        if (weekdays is null || (!isEveryDay && weekdays != "*"))
        {
            problems.Add("bad-cron", path, weekdays is null ? $"'{fields[4]}' names no weekdays." : $"'{cron}' names both days and weekdays.",
                weekdays is null ? "Use 0 to 7 or SUN to SAT, with ',' and '-'." : "Name one of the two, and '*' for the other; or write two schedules.");
            return null;
        }
        var text = $"0 {fields[0]} {fields[1]} {(weekdays == "*" ? fields[2] : "?")} {fields[3].ToUpperInvariant()} {(weekdays == "*" ? "?" : weekdays)}";
        try
        {
            var expression = new CronExpression(text) { TimeZone = TimeZoneInfo.Utc };
            if (fields.Take(4).Index().All(f => f.Item.All(c => char.IsAsciiDigit(c) || c is '*' or ',' or '-' or '/' || (f.Index == 3 && char.IsAsciiLetter(c))))
                && expression.GetNextValidTimeAfter(new DateTimeOffset(2024, 1, 1, 0, 0, 0, TimeSpan.Zero)) is not null)
                return expression;
        }
        catch (FormatException)
        {
            // Told below, with words of our own: the library's speak of its seven fields.
        }
        problems.Add("bad-cron", path, $"'{cron}' is not a schedule.", "Write minute (0-59), hour (0-23), day (1-31), month (1-12) and weekday (0-7), such as '*/15 * * * *' or '0 2 * * MON-FRI'.");
        return null;
    }

    /// <summary>The weekdays by name: crontab counts from Sunday as 0 and again as 7, the library from 1. Null when they are none.</summary>
    private static string? WeekdaysOf(string field)
    {
        if (field == "*")
            return "*";
        var days = new SortedSet<int>();
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') switch { [var r] => (r, 1), [var r, var s] when int.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 => (r, n), _ => ("", 0) };
            var ends = range == "*" ? ["0", "6"] : range.Split('-');
            if (step == 0 || ends.Length > 2 || DayOf(ends[0]) is not { } first || DayOf(ends[^1]) is not { } last)
                return null;
            var length = (last - first + 7) % 7;
            if (ends is [_, "7"])
                length = 7 - first % 7;
            for (var day = 0; day <= length; day += step)
                days.Add((first + day) % 7);
        }
        return days.Count == 7 ? "*" : string.Join(',', days.Select(d => Days[d]));
    }

    private static int? DayOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 7 ? number % 7
        : Array.IndexOf(Days, text.ToUpperInvariant()) is >= 0 and var day ? day : null;
}
