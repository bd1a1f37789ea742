namespace Groundcrew.Edge;

/// <summary>What an answer says of itself, as far as caching and compression ask.</summary>
/// <param name="Status">Its status.</param>
/// <param name="Length">The length of its body; null when it is not said beforehand.</param>
/// <param name="Type">Its <c>Content-Type</c>.</param>
/// <param name="CacheControl">Its <c>Cache-Control</c>.</param>
/// <param name="IsEncoded">Whether it is encoded already.</param>
/// <param name="HasDigest">Whether it has a digest, which a change would make wrong (RFC 9530).</param>
/// <param name="HasExpiry">Whether it says when it expires.</param>
/// <param name="SetsCookie">Whether it sets a cookie.</param>
/// <param name="Vary">Its <c>Vary</c>.</param>
internal readonly record struct AnswerFacts(
    int Status, long? Length, string Type, string CacheControl, bool IsEncoded, bool HasDigest, bool HasExpiry, bool SetsCookie, string Vary)
{
    /// <summary>Fields with a digest of the body's bytes.</summary>
    public static readonly IReadOnlyList<string> Digests = ["Content-MD5", "Digest", "Content-Digest", "Repr-Digest"];
}

/// <summary>Which answers of a route are compressed. Immutable.</summary>
internal sealed class CompressionRule(CompressionPolicy policy)
{
    private readonly MediaTypes _types = new(policy.Types ?? MediaTypes.Text);

    /// <summary>Whether an answer would be compressed for a client that accepts it.</summary>
    public bool Fits(in AnswerFacts answer) =>
        answer.Status is >= 200 and not (204 or 205 or 206 or 304)
        && !answer.IsEncoded && !answer.HasDigest
        && (answer.Length is not { } length || length >= Math.Max(1, policy.LeastBytes))
        && !Names(answer.CacheControl, "no-transform")
        && _types.Fits(answer.Type);

    /// <summary>Whether a list of words, such as that of <c>Vary</c>, names one.</summary>
    public static bool Names(string list, string word)
    {
        foreach (var range in list.AsSpan().Split(','))
            if (list.AsSpan()[range].Trim(" \t").Equals(word, StringComparison.OrdinalIgnoreCase))
                return true;
        return false;
    }
}

/// <summary>A list of media types, each whole, <c>text/*</c> or <c>*+json</c>. Immutable.</summary>
internal sealed class MediaTypes(IReadOnlyList<string> patterns)
{
    /// <summary>What is usually text, or packs as well as text does.</summary>
    public static readonly IReadOnlyList<string> Text =
    [
        "text/*", "*+json", "*+xml", "application/json", "application/javascript", "application/xml", "application/x-javascript",
        "application/x-ndjson", "application/graphql", "application/wasm", "application/vnd.ms-fontobject", "font/ttf", "font/otf", "image/bmp", "image/x-icon",
    ];

    /// <summary>Whether a text is a pattern.</summary>
    public static bool IsPattern(string text)
    {
        var parts = text.Split('/');
        return text.StartsWith("*+", StringComparison.Ordinal) ? IsName(text[2..]) : parts is [var type, var rest] && IsName(type) && (rest == "*" || IsName(rest));
    }

    /// <summary>Whether a <c>Content-Type</c>, with or without parameters, is one of them. Server-sent events are none: each is wanted at once.</summary>
    public bool Fits(string contentType)
    {
        var semicolon = contentType.IndexOf(';');
        var type = (semicolon < 0 ? contentType.AsSpan() : contentType.AsSpan(0, semicolon)).Trim(" \t");
        if (type.IsEmpty || type.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase))
            return false;
        foreach (var pattern in patterns)
            if (pattern[0] == '*' ? type.EndsWith(pattern.AsSpan(1), StringComparison.OrdinalIgnoreCase)
                : pattern[^1] == '*' ? type.StartsWith(pattern.AsSpan(0, pattern.Length - 1), StringComparison.OrdinalIgnoreCase)
                : type.Equals(pattern, StringComparison.OrdinalIgnoreCase))
                return true;
        return false;
    }

    private static bool IsName(string name) =>
        name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$&^_.+-".Contains(c));
}
