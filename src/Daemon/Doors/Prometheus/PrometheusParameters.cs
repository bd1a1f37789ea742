using System.Globalization;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// The parameters of a request to Prometheus' API: those of a form come before those of the address. Read as Prometheus
/// reads them, with its words for what is wrong.
/// </summary>
internal sealed class PrometheusParameters
{
    /// <summary>The earliest time that a parameter may mean: the year 1.</summary>
    public const long MinTime = -62_135_596_800_000;

    /// <summary>The latest time that a parameter may mean: the end of the year 9999.</summary>
    public const long MaxTime = 253_402_300_799_999;

    private static readonly string[] Rfc3339 = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];
    private readonly IFormCollection? _form;
    private readonly IQueryCollection _query;

    private PrometheusParameters(IFormCollection? form, IQueryCollection query) => (_form, _query) = (form, query);

    public static async Task<PrometheusParameters> ReadAsync(HttpContext http)
    {
        if (!http.Request.HasFormContentType)
            return new(null, http.Request.Query);
        try
        {
            return new(await http.Request.ReadFormAsync(http.RequestAborted), http.Request.Query);
        }
        catch (InvalidDataException e)
        {
            throw PrometheusErrorException.BadData($"error parsing form values: {e.Message}");
        }
    }

    /// <summary>The first value; empty when there is none.</summary>
    public string Get(string name) => All(name) is [{ } first, ..] ? first : "";

    /// <summary>Every value.</summary>
    public IReadOnlyList<string> All(string name) => [.. (_form?[name] ?? default).Concat(_query[name]).OfType<string>()];

    /// <summary>A moment that must be given, in milliseconds.</summary>
    public long Time(string name) => TryTime(Get(name)) ?? throw PrometheusErrorException.BadParameter(name, BadTime(Get(name)));

    /// <summary>A moment that may be left out.</summary>
    public long Time(string name, long otherwise) => Get(name) is not { Length: > 0 } text ? otherwise
        : TryTime(text) ?? throw PrometheusErrorException.BadParameter(name, $"invalid time value for '{name}': {BadTime(text)}");

    /// <summary>A duration that must be given, as a number of seconds or with units.</summary>
    public TimeSpan Duration(string name)
    {
        var text = Get(name);
        if (TryNumber(text) is { } seconds)
            return Math.Abs(seconds) < TimeSpan.MaxValue.TotalSeconds / 100
                ? TimeSpan.FromTicks((long)(seconds * TimeSpan.TicksPerSecond))
                : throw PrometheusErrorException.BadParameter(name, $"cannot parse {LabelText.Quoted(text)} to a valid duration. It overflows int64");
        return PrometheusDuration.TryParse(text, out var duration) ? duration
            : throw PrometheusErrorException.BadParameter(name, $"cannot parse {LabelText.Quoted(text)} to a valid duration");
    }

    /// <summary>A duration that may be left out.</summary>
    public TimeSpan? OptionalDuration(string name) => Get(name).Length == 0 ? null : Duration(name);

    /// <summary>The most results to give; null for all.</summary>
    public int? Limit()
    {
        if (Get("limit") is not { Length: > 0 } text)
            return null;
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var limit))
            throw PrometheusErrorException.BadParameter("limit", $"strconv.Atoi: parsing {LabelText.Quoted(text)}: invalid syntax");
        return limit switch
        {
            < 0 => throw PrometheusErrorException.BadParameter("limit", "limit must be non-negative"),
            0 => null,
            _ => limit,
        };
    }

    /// <summary>A number of seconds since 1970 or a time of RFC 3339, in milliseconds; null when it is neither.</summary>
    public static long? TryTime(string text)
    {
        if (TryNumber(text) is { } seconds)
            return (long)Math.Clamp(Math.Round(seconds * 1000), MinTime, MaxTime);
        return text.Length > 10 && DateTimeOffset.TryParseExact(text, Rfc3339, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) && HasZone(text)
            ? time.ToUnixTimeMilliseconds()
            : null;
    }

    private static bool HasZone(string text) => text[^1] == 'Z' || text[^6] is '+' or '-';

    private static double? TryNumber(string text) =>
        double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number
            : null;

    private static string BadTime(string text) => $"cannot parse {LabelText.Quoted(text)} to a valid timestamp";
}
