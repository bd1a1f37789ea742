using System.Net;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>What a call needs of its caller.</summary>
/// <param name="Role">The role; null for a call that is open to all.</param>
/// <param name="AnyOrg">
/// Whether a token of one organization may make it although the path names none: the door then judges by what it finds.
/// </param>
internal sealed record Needs(Role? Role, bool AnyOrg = false);

/// <summary>
/// The one gate of the control plane: no endpoint is reached without a role that it names (U-69, T-42). An endpoint that
/// names none is closed. Tokens come in the Authorization header only, as Bearer or as the password of Basic; one in the address is refused, for addresses are
/// logged.
/// </summary>
internal sealed class Gate(RequestDelegate next, Access access, Settings.RoleSettings settings, MetricRegistry metrics)
{
    private static readonly string[] TokenNames = ["token", "access_token", "api_key", "apikey"];
    private readonly Metric _refused = metrics.Counter("groundcrew_requests_refused_total", "Calls that were not let in, by reason.", "reason");

    private static readonly Actor Loopback = new("loopback", "loopback", Role.Admin, null);

    public async Task InvokeAsync(HttpContext http)
    {
        var needs = http.GetEndpoint()?.Metadata.GetMetadata<Needs>();
        if (HasTokenInAddress(http.Request))
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest, ProblemCodes.TokenInUrl,
                "A token stood in the address, where logs keep it. Send it as 'Authorization: Bearer …', and replace that token: crew tokens revoke.");
            return;
        }
        // Only our own routes are guarded; what the framework puts in their place answers 404, 405 or 415.
        if (http.GetEndpoint() is not RouteEndpoint || needs is { Role: null })
        {
            await next(http);
            return;
        }
        var actor = await ActorOfAsync(http);
        if (actor is null)
            await RefuseAsync(http, StatusCodes.Status401Unauthorized, ProblemCodes.Unauthenticated,
                "This call needs a token: 'Authorization: Bearer …'. The admin token is in the data folder, at control/admin.token.");
        else if (needs is not { Role: { } role } || !actor.Allows(role, OrgOf(http, needs, actor)))
            await RefuseAsync(http, StatusCodes.Status403Forbidden, ProblemCodes.Forbidden,
                $"'{actor.Name}' has the role {actor.Role.Word()}{(actor.Org is null ? "" : $" in {actor.Org}")}; this call needs {needs?.Role?.Word() ?? "a role that no token has"}.");
        else
        {
            http.Features.Set(actor);
            await next(http);
        }
    }

    /// <summary>Judged as decoded: an escaped token is a token.</summary>
    private static bool HasTokenInAddress(HttpRequest request) =>
        request.Path.Value?.Contains(Access.Prefix, StringComparison.Ordinal) == true
        || request.Query.Any(q => TokenNames.Contains(q.Key, StringComparer.OrdinalIgnoreCase) || q.Key.Contains(Access.Prefix, StringComparison.Ordinal)
            || q.Value.Any(v => v?.Contains(Access.Prefix, StringComparison.Ordinal) == true));

    private static string? OrgOf(HttpContext http, Needs needs, Actor actor) =>
        http.GetRouteValue("org") as string ?? (needs.AnyOrg ? actor.Org : null);

    private async Task<Actor?> ActorOfAsync(HttpContext http)
    {
        var header = http.Request.Headers.Authorization.ToString();
        if (header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            return await access.AuthenticateAsync(new Secret(header[7..].Trim()), http.RequestAborted);
        if (header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
            return PasswordOf(header[6..].Trim()) is { } password ? await access.AuthenticateAsync(password, http.RequestAborted) : null;
        return header.Length == 0 && settings.Platform.TrustLoopback && IsFromThisMachine(http) ? Loopback : null;
    }

    /// <summary>A token as the password of any name (RFC 7617), for programs that know no other way, such as Grafana.</summary>
    private static Secret? PasswordOf(string credentials)
    {
        var bytes = new byte[credentials.Length];
        if (!Convert.TryFromBase64String(credentials, bytes, out var length))
            return null;
        var colon = bytes.AsSpan(0, length).IndexOf((byte)':');
        return colon < 0 ? null : new Secret(Encoding.UTF8.GetString(bytes.AsSpan(colon + 1, length - colon - 1)));
    }

    /// <summary>
    /// From a program on this machine: not passed on by a proxy, and not by a page in a browser here, whose requests carry
    /// a foreign Origin or a Host that only looks like us (DNS rebinding).
    /// </summary>
    private static bool IsFromThisMachine(HttpContext http) =>
        http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)
        && !http.Request.Headers.ContainsKey("X-Forwarded-For") && !http.Request.Headers.ContainsKey("Forwarded")
        && !http.Request.Headers.ContainsKey("Origin") && http.Request.Headers["Sec-Fetch-Site"].Count == 0
        && http.Request.Host.Host is "localhost" or "127.0.0.1" or "[::1]";

    private Task RefuseAsync(HttpContext http, int status, string code, string detail)
    {
        _refused.With(code).Add();
        if (status == StatusCodes.Status401Unauthorized)
            http.Response.Headers.WWWAuthenticate = "Bearer";
        return Answers.Problem(status, code, detail).ExecuteAsync(http);
    }
}

/// <summary>Puts the gate's words on endpoints and reads who passed.</summary>
internal static class GateWords
{
    public static TBuilder Needs<TBuilder>(this TBuilder builder, Role role)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new Needs(role));

    public static TBuilder NeedsInAnyOrg<TBuilder>(this TBuilder builder, Role role)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new Needs(role, AnyOrg: true));

    public static TBuilder OpenToAll<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new Needs(null));

    public static string Word(this Role role) => role == Role.OnCall ? "on-call" : Views.Word(role);

    public static Role? ParseRole(string? word) => Enum.GetValues<Role>().Cast<Role?>().FirstOrDefault(r => r!.Value.Word() == word);

    public static Actor Actor(this HttpContext http) =>
        http.Features.Get<Actor>() ?? throw new InvalidOperationException("This endpoint is not behind the gate.");

    public static string? IdempotencyKey(this HttpContext http) =>
        http.Request.Headers["Idempotency-Key"].ToString() is { Length: > 0 and <= 200 } key ? $"{http.Actor().Id}/{key}" : null;
}
