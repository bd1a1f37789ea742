using System.Security.Cryptography;
using Amazon.S3;

namespace Groundcrew.Postgres;

/// <summary>The checksum that all servers of S3 know: against accidents on the way, not against people.</summary>
internal static class S3Md5
{
#pragma warning disable CA5351 // It is what S3 compares. What must not be changed by people is encrypted, or named by its SHA-256.
    /// <summary>Of bytes that are here.</summary>
    public static byte[] Of(ReadOnlySpan<byte> bytes) => MD5.HashData(bytes);

    /// <summary>Of bytes that come.</summary>
    public static IncrementalHash New() => IncrementalHash.CreateHash(HashAlgorithmName.MD5);
#pragma warning restore CA5351

    /// <summary>
    /// The MD5 that an ETag is, in lower-case digits: that of what was put at once, and was not encrypted with a key of the
    /// server's management; null otherwise.
    /// </summary>
    public static string? Of(string? eTag, ServerSideEncryptionMethod? encryption) =>
        eTag?.Trim('"') is { Length: 32 } digits && digits.All(char.IsAsciiHexDigit)
        && (encryption is null || encryption == ServerSideEncryptionMethod.None || encryption == ServerSideEncryptionMethod.AES256)
            ? digits.ToLowerInvariant()
            : null;
}
