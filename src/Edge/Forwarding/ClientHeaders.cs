using System.Buffers;
using System.Buffers.Binary;

namespace Groundcrew.Edge;

/// <summary>
/// The rules of what the edge says to an instance about the client, for every path that carries requests. Nothing that
/// a client claims about its own way is believed: the edge is where the outside world ends.
/// </summary>
internal static class ClientHeaders
{
    /// <summary>The header that ties the records of one request together.</summary>
    public const string RequestId = "X-Request-Id";

    private const int MaxRequestIdLength = 128;

    /// <summary>Fields about the client's way that are never passed on as they came.</summary>
    public static readonly IReadOnlyList<string> Untrusted =
        ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Original-Host", "X-Real-IP"];

    private static readonly SearchValues<char> RequestIdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    /// <summary>The client's own request id when it is bounded and harmless, otherwise a new one.</summary>
    public static string RequestIdOf(string? given, DateTimeOffset now) =>
        given is { Length: > 0 and <= MaxRequestIdLength } && !given.AsSpan().ContainsAnyExcept(RequestIdCharacters) ? given : NewRequestId(now);

    /// <summary>
    /// 32 hexadecimal digits that sort by time: 48 bits of milliseconds and 80 of chance, as a UUIDv7 has them. It names a
    /// request and guards nothing, so it costs no call of the system.
    /// </summary>
    private static string NewRequestId(DateTimeOffset time) => string.Create(32, time.ToUnixTimeMilliseconds(), static (digits, now) =>
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteInt64BigEndian(bytes, now << 16);
        Random.Shared.NextBytes(bytes[6..]);
        Convert.TryToHexStringLower(bytes, digits, out _);
    });

    /// <summary>
    /// Whether a field that <c>Connection</c> names as meant for this hop only (RFC 9110, section 7.6.1) is kept all the
    /// same: what frames a message or routes it is never removed on a client's word.
    /// </summary>
    public static bool IsKept(ReadOnlySpan<char> name) =>
        name.IsEmpty || Is(name, "close") || Is(name, "keep-alive") || Is(name, "Upgrade") || Is(name, "Connection")
        || Is(name, "TE") || Is(name, "Host") || Is(name, "Content-Length") || Is(name, "Transfer-Encoding");

    /// <summary>
    /// Whether a name with <c>_</c> is, to servers that take that for <c>-</c> (RFC 3875, section 4.1.18), one that only
    /// the edge may set, or one that frames or routes a message.
    /// </summary>
    public static bool IsDisguised(string name)
    {
        if (!name.Contains('_', StringComparison.Ordinal))
            return false;
        var plain = name.Replace('_', '-');
        return Is(plain, RequestId) || Is(plain, "Via") || Is(plain, "Host") || Is(plain, "Content-Length") || Is(plain, "Transfer-Encoding")
            || Untrusted.Contains(plain, StringComparer.OrdinalIgnoreCase);
    }

    private static bool Is(ReadOnlySpan<char> name, string other) => name.Equals(other, StringComparison.OrdinalIgnoreCase);
}
