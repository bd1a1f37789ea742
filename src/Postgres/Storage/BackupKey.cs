using System.Buffers.Text;
using System.Security.Cryptography;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>The key of a cluster's encrypted backups. Immutable, thread-safe.</summary>
internal sealed class BackupKey
{
    private const int KeyBytes = 32;
    private const int IdBytes = 8;
    private readonly byte[] _key;

    private BackupKey(byte[] key)
    {
        _key = key;
        Id = Convert.ToHexStringLower(SHA256.HashData(key).AsSpan(0, IdBytes));
    }

    /// <summary>The first 16 digits of its SHA-256: tells keys apart, and tells nothing about them.</summary>
    public string Id { get; }

    /// <summary>Reads it.</summary>
    /// <exception cref="BackupStorageException">It is none.</exception>
    public static BackupKey From(Secret secret)
    {
        var text = secret.Reveal();
        return Base64.IsValid(text, out var length) && length == KeyBytes
            ? new(Convert.FromBase64String(text))
            : throw new BackupStorageException(StorageFailure.Refused, $"The backup key is not {KeyBytes} bytes in base 64.");
    }

    /// <summary>A new one.</summary>
    public static Secret New() => new(Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes)));

    /// <summary>Derives the key of one object (HKDF-SHA-256, RFC 5869).</summary>
    /// <param name="header">The object's header, whose last bytes are random: changing any of it changes the key.</param>
    /// <param name="nonce">Gets what the nonces of the object begin with.</param>
    public AesGcm Derive(ReadOnlySpan<byte> header, Span<byte> nonce)
    {
        Span<byte> derived = stackalloc byte[KeyBytes + SealFormat.NoncePrefixBytes];
        Span<byte> info = stackalloc byte[SealFormat.Purpose.Length + SealFormat.HeaderBytes];
        SealFormat.Purpose.CopyTo(info);
        header.CopyTo(info[SealFormat.Purpose.Length..]);
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _key, derived, header[SealFormat.SaltAt..], info);
        derived[KeyBytes..].CopyTo(nonce);
        var cipher = new AesGcm(derived[..KeyBytes], SealFormat.TagBytes);
        CryptographicOperations.ZeroMemory(derived);
        return cipher;
    }

    /// <summary>The id as it stands in a header.</summary>
    public void WriteId(Span<byte> to) => Convert.FromHexString(Id, to, out _, out _);

    /// <summary>Says nothing of the key.</summary>
    public override string ToString() => $"backup key {Id}";
}
