using System.Runtime.InteropServices;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>A moment in the Gregorian calendar, in UTC, without limits on years.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct CalendarMoment(long Year, int Month, int Day, long DayNumber, int SecondOfDay)
{
    private const int DaysIn400Years = 146_097;

    /// <summary>Days since 1 January 1970 as a day of the week, Sunday being 0.</summary>
    public int DayOfWeek => (int)((((DayNumber + 4) % 7) + 7) % 7);

    /// <summary>The day of the year, from 1.</summary>
    public int DayOfYear => (int)(DayNumber - NumberOf(Year, 1, 1)) + 1;

    /// <summary>How many days the month has.</summary>
    public int DaysInMonth => (int)((Month == 12 ? NumberOf(Year + 1, 1, 1) : NumberOf(Year, Month + 1, 1)) - NumberOf(Year, Month, 1));

    /// <summary>The moment so many seconds after 1970.</summary>
    public static CalendarMoment Of(long seconds)
    {
        var (days, second) = Divide(seconds, 86_400);
        // Years that begin in March have their leap day at the end, so that months follow one formula.
        var (era, dayOfEra) = Divide(days + 719_468, DaysIn400Years);
        var yearOfEra = (dayOfEra - (dayOfEra / 1460) + (dayOfEra / 36_524) - (dayOfEra / 146_096)) / 365;
        var dayOfYear = dayOfEra - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100));
        var month = ((5 * dayOfYear) + 2) / 153;
        var day = (int)(dayOfYear - (((153 * month) + 2) / 5)) + 1;
        var inCalendar = (int)(month < 10 ? month + 3 : month - 9);
        return new(yearOfEra + (era * 400) + (inCalendar <= 2 ? 1 : 0), inCalendar, day, days, (int)second);
    }

    private static long NumberOf(long year, int month, int day)
    {
        var (era, yearOfEra) = Divide(month <= 2 ? year - 1 : year, 400);
        var dayOfYear = (((153 * (month > 2 ? month - 3 : month + 9)) + 2) / 5) + day - 1;
        return (era * DaysIn400Years) + (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear - 719_468;
    }

    private static (long Quotient, long Remainder) Divide(long number, long by)
    {
        var (quotient, remainder) = Math.DivRem(number, by);
        return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder);
    }
}

/// <summary>The functions of dates, such as <c>hour</c>: of floats that are seconds since 1970, or of the step's own time.</summary>
internal sealed class DateFunction(FunctionSignature signature, Func<CalendarMoment, double> part) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        if (arguments.Count == 0)
        {
            var values = new double[steps.Count];
            for (var step = 0; step < values.Length; step++)
                values[step] = part(CalendarMoment.Of(steps.TimeOf(step) / 1000));
            return new(steps, [new(Labels.Empty, values)]);
        }
        var result = new List<StepSeries>(arguments[0]!.Series.Count);
        foreach (var series in arguments[0]!.Series)
        {
            foreach (ref var value in series.Values.AsSpan())
                if (!Absent.Is(value))
                    value = part(CalendarMoment.Of((long)value));
            result.AddFloats(series.Labels, series.Values, site.Context);
        }
        return new(steps, result);
    }
}
