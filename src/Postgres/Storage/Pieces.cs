using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// Objects as they are written and read here: compressed, then encrypted (<c>docs/formats/backup-encryption.md</c>), with a
/// checksum of what lies in the storage. Thread-safe; each writer and reader is for one user.
/// </summary>
internal sealed class Pieces
{
    /// <summary>The suffix of encrypted objects; it comes after the one of compression.</summary>
    public const string EncryptedSuffix = ".enc";

    private readonly BackupKey? _key;

    /// <summary>Over a storage.</summary>
    /// <param name="storage">Where they lie.</param>
    /// <param name="compression">How new ones are compressed.</param>
    /// <param name="key">The key of new ones and of those that are read; null for none. 32 bytes in base 64.</param>
    /// <exception cref="BackupStorageException">The key is none.</exception>
    public Pieces(IBackupStorage storage, Compression compression, Secret? key)
    {
        Storage = storage;
        Compression = compression;
        _key = key is null ? null : BackupKey.From(key);
    }

    /// <summary>The storage itself.</summary>
    public IBackupStorage Storage { get; }

    /// <summary>How new ones are compressed.</summary>
    public Compression Compression { get; }

    /// <summary>The first 16 digits of the key's checksum; null without a key.</summary>
    public string? KeyId => _key?.Id;

    /// <summary>
    /// Begins an object. Its key gets the suffixes of compression and encryption (<c>.zst</c>, <c>.enc</c>), which is how it is
    /// known how to read it.
    /// </summary>
    /// <param name="key">The key, without suffixes.</param>
    /// <param name="isLarge">It will have many megabytes: other cores compress it, when there are some.</param>
    /// <exception cref="BackupStorageException">Compression is not to be had here.</exception>
    public PieceWriter Begin(string key, bool isLarge = false) => BeginAs(key, Compression, isLarge);

    /// <summary>Begins an object whose bytes come compressed as <see cref="Compression"/> says already: they are only encrypted.</summary>
    /// <param name="key">The key, without suffixes.</param>
    public PieceWriter BeginCompressed(string key) => BeginAs(key, Compression.None, isLarge: false);

    /// <summary>Opens an object by its whole key, decrypted and decompressed. Damage is an exception at the latest when its end is read.</summary>
    /// <param name="key">The whole key, with suffixes.</param>
    /// <param name="sha256">The checksum that it should have; null when none is known.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="BackupStorageException">It is not there, is damaged, or its key is another.</exception>
    public async Task<Stream> OpenAsync(string key, string? sha256, CancellationToken cancellation)
    {
        var isSealed = key.EndsWith(EncryptedSuffix, StringComparison.Ordinal);
        if (isSealed && _key is null)
            throw new BackupStorageException(StorageFailure.Refused, $"'{key}' is encrypted, and no backup key is given.");
        var inner = isSealed ? key[..^EncryptedSuffix.Length] : key;
        var stream = await Storage.OpenAsync(key, cancellation);
        if (sha256 is not null)
            stream = new CheckedReadStream(stream, key, sha256);
        if (isSealed)
            stream = new SealReadStream(stream, key, _key!);
        return CompressionOf(inner) switch
        {
            Compression.Gzip => new GzipReadStream(stream, key),
            Compression.Zstd => new ZstdReadStream(stream, key),
            _ => stream,
        };
    }

    /// <summary>How an object is compressed, by its key.</summary>
    /// <param name="key">With or without the suffix of encryption.</param>
    public static Compression CompressionOf(string key)
    {
        var inner = key.EndsWith(EncryptedSuffix, StringComparison.Ordinal) ? key.AsSpan(0, key.Length - EncryptedSuffix.Length) : key;
        return inner.EndsWith(".gz", StringComparison.Ordinal) ? Compression.Gzip
            : inner.EndsWith(".zst", StringComparison.Ordinal) ? Compression.Zstd
            : Compression.None;
    }

    /// <summary>The suffix of objects that are compressed so.</summary>
    public static string SuffixOf(Compression compression) => compression switch
    {
        Compression.Gzip => ".gz",
        Compression.Zstd => ".zst",
        _ => "",
    };

    private PieceWriter BeginAs(string key, Compression compressed, bool isLarge)
    {
        var whole = key + SuffixOf(Compression) + (_key is null ? "" : EncryptedSuffix);
        var stored = new StoredStage(Storage.Begin(whole));
        PieceStage sealing = _key is null ? stored : new SealStage(stored, _key);
        return new PieceWriter(whole, compressed switch
        {
            Compression.Gzip => new GzipStage(sealing),
            Compression.Zstd => new ZstdStage(sealing, ZstdStage.DefaultLevel, isLarge ? ZstdStage.WorkersHere : 0),
            _ => sealing,
        }, stored);
    }
}
