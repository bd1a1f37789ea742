using System.Security.Cryptography;
using System.Text;

namespace Groundcrew.Bedrock;

/// <summary>
/// Encrypts small values at rest with AES-256-GCM (NIST SP 800-38D) under a key that lives in one private file of the
/// data folder. Format of a sealed value: version byte 1, nonce (12 bytes), tag (16 bytes), ciphertext. Thread-safe.
/// </summary>
public sealed class SealedBox
{
    private const byte Version = 1;
    private const int NonceSize = 12;
    private const int TagSize = 16;
    private readonly byte[] _key;

    private SealedBox(byte[] key) => _key = key;

    /// <summary>Opens the key file, or makes it (32 random bytes, mode 0600) when it is not there yet.</summary>
    /// <exception cref="InvalidDataException">The file is there but is not a key.</exception>
    public static SealedBox Open(string keyFile, DurableFiles files)
    {
        if (!File.Exists(keyFile))
            files.Replace(keyFile, RandomNumberGenerator.GetBytes(32));
        var key = File.ReadAllBytes(keyFile);
        return key.Length == 32
            ? new SealedBox(key)
            : throw new InvalidDataException($"'{keyFile}' holds {key.Length} bytes; a key has 32. Restore the file from a backup.");
    }

    /// <summary>Seals a secret; <paramref name="context"/> (its name) is bound to it and needed to open it again.</summary>
    public byte[] Seal(Secret secret, string context)
    {
        var plain = Encoding.UTF8.GetBytes(secret.Reveal());
        var box = new byte[1 + NonceSize + TagSize + plain.Length];
        box[0] = Version;
        RandomNumberGenerator.Fill(box.AsSpan(1, NonceSize));
        using var aes = new AesGcm(_key, TagSize);
        aes.Encrypt(box.AsSpan(1, NonceSize), plain, box.AsSpan(1 + NonceSize + TagSize), box.AsSpan(1 + NonceSize, TagSize),
            Encoding.UTF8.GetBytes(context));
        return box;
    }

    /// <summary>Opens what <see cref="Seal"/> made.</summary>
    /// <exception cref="CryptographicException">Another key, another context, or changed bytes.</exception>
    public Secret Unseal(ReadOnlySpan<byte> box, string context)
    {
        if (box.Length < 1 + NonceSize + TagSize || box[0] != Version)
            throw new CryptographicException("This is not a sealed value of version 1.");
        var plain = new byte[box.Length - 1 - NonceSize - TagSize];
        using var aes = new AesGcm(_key, TagSize);
        aes.Decrypt(box.Slice(1, NonceSize), box[(1 + NonceSize + TagSize)..], box.Slice(1 + NonceSize, TagSize), plain,
            Encoding.UTF8.GetBytes(context));
        return new Secret(Encoding.UTF8.GetString(plain));
    }
}
