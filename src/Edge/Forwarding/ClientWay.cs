namespace Groundcrew.Edge;

/// <summary>What the edge says of the way that a request came: the values of <c>X-Forwarded-*</c>, <c>Forwarded</c> and <c>Via</c>.</summary>
internal static class ClientWay
{
    /// <summary>What a message gets in <c>Via</c> (RFC 9110, section 7.6.3).</summary>
    public const string Via = "1.1 groundcrew";

    public static string Proto(Exchange exchange) => exchange.IsSecure ? "https" : "http";

    /// <summary>The value of <c>Forwarded</c> (RFC 7239); an address of IPv6 and a host stand in quotes.</summary>
    public static string Forwarded(Exchange exchange)
    {
        var client = exchange.Client?.ToString() ?? "unknown";
        if (client.Contains(':', StringComparison.Ordinal))
            client = $"\"[{client}]\"";
        return $"for={client};host=\"{exchange.Host}\";proto={Proto(exchange)}";
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
        if (policy.Hsts is { } hsts && exchange.IsSecure)
            fields.Add(new("Strict-Transport-Security", $"max-age={(long)hsts.TotalSeconds}; includeSubDomains"));
        if (policy.Sticky is { } sticky && IsToStick(exchange))
            fields.Add(new("Set-Cookie",
                $"{sticky.Cookie}={exchange.Backend!.Deployment}; Path={exchange.Route.Route.Path}; Max-Age={(long)sticky.For.TotalSeconds}; HttpOnly; SameSite=Lax{(exchange.IsSecure ? "; Secure" : "")}"));
        return fields;
    }

    /// <summary>
    /// What rules of the route say of caching the answer, and of what it depends on; usually nothing. What sets a cookie is
    /// meant for one client, so no rule makes it something to keep.
    /// </summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Of(Exchange exchange, in AnswerFacts answer)
    {
        var route = exchange.Route!;
        var fields = new List<KeyValuePair<string, string>>(2);
        if (answer is { CacheControl: "", HasExpiry: false, SetsCookie: false } && !IsToStick(exchange)
            && route.Caching?.For(exchange.Method, exchange.Path, answer.Status) is { } caching)
            fields.Add(new("Cache-Control", caching));
        if (route.Compressing?.Fits(answer) == true && !CompressionRule.Names(answer.Vary, "*") && !CompressionRule.Names(answer.Vary, "Accept-Encoding"))
            fields.Add(new("Vary", "Accept-Encoding"));
        return fields;
    }

    private static bool IsToStick(Exchange exchange) =>
        exchange.Route!.Policy.Sticky is { } sticky && exchange.Route.Route.Split.Count > 0 && exchange.Cookie(sticky.Cookie) != exchange.Backend!.Deployment;
}
