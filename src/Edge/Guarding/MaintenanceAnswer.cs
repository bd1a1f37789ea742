using System.Net;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>What a request is told that maintenance holds: a body for 503 and the seconds of <c>Retry-After</c>.</summary>
/// <param name="Body">The bytes.</param>
/// <param name="ContentType">What they are.</param>
/// <param name="RetryAfter">Whole seconds to wait, at least one.</param>
internal sealed record MaintenanceAnswer(byte[] Body, string ContentType, long RetryAfter)
{
    private const long DefaultRetryAfter = 3600;

    /// <summary>The answer in the form that <paramref name="accept"/> asks for: JSON of ZM-111 unless only a page is asked for.</summary>
    public static MaintenanceAnswer For(Maintenance maintenance, string? accept, DateTimeOffset now)
    {
        var message = maintenance.Message ?? "Scheduled maintenance in progress";
        var seconds = SecondsOf(maintenance, now);
        return WantsPage(accept)
            ? new MaintenanceAnswer(Encoding.UTF8.GetBytes(Page(message)), "text/html; charset=utf-8", seconds)
            : new MaintenanceAnswer(
                JsonSerializer.SerializeToUtf8Bytes(new { error = "Service temporarily unavailable", message, retryAfter = seconds }, Json.Options),
                MediaTypeNames.Application.Json, seconds);
    }

    private static bool WantsPage(string? accept) =>
        accept is not null && accept.Contains("text/html", StringComparison.OrdinalIgnoreCase) && !accept.Contains("json", StringComparison.OrdinalIgnoreCase);

    private static long SecondsOf(Maintenance maintenance, DateTimeOffset now)
    {
        var time = maintenance is { RetryAfterIsRemaining: true, Until: { } until } ? until - now : maintenance.RetryAfter;
        if (time <= TimeSpan.Zero)
            return maintenance.RetryAfterIsRemaining && maintenance.Until is not null ? 1 : DefaultRetryAfter;
        return (long)Math.Ceiling(time.TotalSeconds);
    }

    private static string Page(string message) =>
        $$"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Service temporarily unavailable</title>
        <style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem}</style></head>
        <body><h1>Service temporarily unavailable</h1><p>{{WebUtility.HtmlEncode(message)}}</p></body></html>

        """;
}
