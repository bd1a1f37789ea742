using System.Security.Cryptography;

namespace Groundcrew.Bedrock;

/// <summary>Identities made by us, never by a database. Thread-safe.</summary>
public static class Ids
{
    private const string NanoAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

    /// <summary>The length of the random part of a deployment's label (ZW-65).</summary>
    public const int NanoLength = 7;

    /// <summary>A new UUIDv7 (RFC 9562, section 5.7), ordered by the time of <paramref name="clock"/>.</summary>
    public static Guid New(TimeProvider clock) => Guid.CreateVersion7(clock.GetUtcNow());

    /// <summary>
    /// Seven characters of <c>0-9a-z</c> from a cryptographic generator. Not unique by itself: whoever stores it
    /// holds a unique index and draws again on a clash (T-40).
    /// </summary>
    public static string NewNano() => RandomNumberGenerator.GetString(NanoAlphabet, NanoLength);
}
