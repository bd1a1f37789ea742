using System.Net;
using System.Text.Json;

namespace Groundcrew.Edge;

/// <summary>
/// What the access log says of one request. It holds no query and no body, and of the headers only those that a route
/// names for tenant and user: the rest is where secrets would be (invariant 11).
/// </summary>
internal readonly struct AccessRecord(Exchange exchange, DateTimeOffset time, TimeSpan duration, TimeSpan? upstream, int status)
{
    private const int MaxHost = 255;
    private const int MaxMethod = 32;
    private const int MaxPath = 2048;
    private const int MaxName = 128;
    private readonly string _requestId = exchange.RequestId;
    private readonly string _host = exchange.Host;
    private readonly string _method = exchange.Method;
    private readonly string _path = exchange.Path;
    private readonly long? _bytes = exchange.BytesSent;
    private readonly IPAddress? _client = exchange.Client;
    private readonly RouteState? _route = exchange.Route;
    private readonly string? _deployment = exchange.Backend?.Deployment;
    private readonly Guid? _instance = exchange.Target?.InstanceId;
    private readonly int _attempts = exchange.Attempts;
    private readonly string? _limitedBy = exchange.LimitedBy;
    private readonly Outcome _outcome = exchange.Outcome;
    private readonly string? _tenant = exchange.Route?.Policy.TenantHeader is { } tenant ? exchange.Header(tenant) : null;
    private readonly string? _user = exchange.Route?.Policy.UserHeader is { } user ? exchange.Header(user) : null;

    /// <summary>Writes one JSON object.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("time"u8, time);
        json.WriteString("request_id"u8, _requestId);
        json.WriteString("host"u8, Cut(_host, MaxHost));
        json.WriteString("method"u8, Cut(_method, MaxMethod));
        json.WriteString("path"u8, Cut(_path, MaxPath));
        json.WriteNumber("status"u8, status);
        json.WriteString("outcome"u8, _outcome.Word());
        if (_limitedBy is not null)
        {
            // The canonical marker (T-20), which searches look for.
            json.WriteString("event"u8, "RATE_LIMIT_EXCEEDED"u8);
            json.WriteString("limit"u8, _limitedBy);
        }
        json.WriteNumber("duration_ms"u8, Milliseconds(duration));
        if (upstream is { } took)
            json.WriteNumber("upstream_ms"u8, Milliseconds(took));
        if (_bytes is { } bytes)
            json.WriteNumber("bytes"u8, bytes);
        if (_client is not null)
            json.WriteString("client"u8, _client.ToString());
        if (_route is not null)
            WriteRoute(json, _route.Route);
        if (_instance is { } instance)
            json.WriteString("instance"u8, instance);
        json.WriteNumber("attempts"u8, _attempts);
        if (_attempts > 1)
            json.WriteNumber("retries"u8, _attempts - 1);
        if (_tenant is not null)
            json.WriteString("tenant"u8, Cut(_tenant, MaxName));
        if (_user is not null)
            json.WriteString("user"u8, Cut(_user, MaxName));
        json.WriteEndObject();
    }

    private void WriteRoute(Utf8JsonWriter json, Route route)
    {
        json.WriteString("org"u8, route.Org);
        json.WriteString("project"u8, route.Project);
        json.WriteString("route"u8, route.Path == "/" ? route.Host : route.Host + route.Path);
        if (_deployment is not null)
            json.WriteString("deployment"u8, _deployment);
    }

    private static double Milliseconds(TimeSpan time) => Math.Round(time.TotalMilliseconds, 3);

    private static ReadOnlySpan<char> Cut(string text, int most) => text.Length <= most ? text : text.AsSpan(0, most);
}
