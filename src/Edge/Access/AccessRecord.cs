using System.Text.Json;

namespace Groundcrew.Edge;

/// <summary>
/// What the access log says of one request. It holds no query, header or body, where secrets would be (invariant 11).
/// </summary>
internal readonly record struct AccessRecord(
    DateTimeOffset Time, string RequestId, string Host, string Method, string Path, int Status, TimeSpan Duration, long? Bytes,
    string? Client, Route? Route, Guid? Instance, int Attempts, string? Error)
{
    private const int MaxHost = 255;
    private const int MaxMethod = 32;
    private const int MaxPath = 2048;

    /// <summary>Writes one JSON object.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("time"u8, Time);
        json.WriteString("request_id"u8, RequestId);
        json.WriteString("host"u8, Cut(Host, MaxHost));
        json.WriteString("method"u8, Cut(Method, MaxMethod));
        json.WriteString("path"u8, Cut(Path, MaxPath));
        json.WriteNumber("status"u8, Status);
        json.WriteNumber("duration_ms"u8, Math.Round(Duration.TotalMilliseconds, 3));
        if (Bytes is { } bytes)
            json.WriteNumber("bytes"u8, bytes);
        if (Client is not null)
            json.WriteString("client"u8, Client);
        if (Route is not null)
        {
            json.WriteString("org"u8, Route.Org);
            json.WriteString("project"u8, Route.Project);
            json.WriteString("deployment"u8, Route.Deployment);
        }
        if (Instance is { } instance)
            json.WriteString("instance"u8, instance);
        json.WriteNumber("attempts"u8, Attempts);
        if (Error is not null)
            json.WriteString("error"u8, Error);
        json.WriteEndObject();
    }

    private static ReadOnlySpan<char> Cut(string text, int most) => text.Length <= most ? text : text.AsSpan(0, most);
}
