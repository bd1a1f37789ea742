namespace Groundcrew.Edge;

/// <summary>What the edge says of the way that a request came: the values of <c>X-Forwarded-*</c> and <c>Forwarded</c> (RFC 7239).</summary>
/// <param name="For">The client's address; null when the connection has none.</param>
/// <param name="Proto">The scheme.</param>
internal readonly record struct ClientWay(string? For, string Proto)
{
    /// <summary>What a message gets in <c>Via</c> (RFC 9110, section 7.6.3).</summary>
    public const string Via = "1.1 groundcrew";

    public static ClientWay Of(Exchange exchange) =>
        new(exchange.Client is { } client ? ClientHeaders.Text(client) : null, exchange.IsTls ? "https" : "http");

    /// <summary>The value of <c>Forwarded</c>; an address of IPv6 and a host with a port stand in quotes.</summary>
    public string Forwarded(string host)
    {
        var client = For is null ? "unknown" : For.Contains(':', StringComparison.Ordinal) ? $"\"[{For}]\"" : For;
        return $"for={client};host=\"{host}\";proto={Proto}";
    }
}

/// <summary>What the edge itself adds to a target's answer.</summary>
internal static class EdgeFields
{
    /// <summary>Security and stickiness, as the route's policy says; usually nothing.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Of(Exchange exchange)
    {
        var policy = exchange.Route!.Policy;
        if (policy is { Hsts: null, Sticky: null })
            return [];
        var fields = new List<KeyValuePair<string, string>>(2);
        if (policy.Hsts is { } hsts && exchange.IsTls)
            fields.Add(new("Strict-Transport-Security", $"max-age={(long)hsts.TotalSeconds}; includeSubDomains"));
        if (policy.Sticky is { } sticky && exchange.Route.Route.Split.Count > 0 && exchange.Cookie(sticky.Cookie) != exchange.Backend!.Deployment)
            fields.Add(new("Set-Cookie",
                $"{sticky.Cookie}={exchange.Backend.Deployment}; Path={exchange.Route.Route.Path}; Max-Age={(long)sticky.For.TotalSeconds}; HttpOnly; SameSite=Lax{(exchange.IsTls ? "; Secure" : "")}"));
        return fields;
    }
}
