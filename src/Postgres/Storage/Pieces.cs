#pragma warning disable MA0025, CS9113 // A sketch: whoever builds this part takes the line out.
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// Objects as they are written and read here: compressed, then encrypted, with a checksum of what lies in the storage.
/// Thread-safe; each writer and reader is for one user.
/// </summary>
/// <param name="storage">Where they lie.</param>
/// <param name="compression">How new ones are compressed.</param>
/// <param name="key">The key of new ones and of those that are read; null for none. 32 bytes in base 64.</param>
internal sealed class Pieces(IBackupStorage storage, Compression compression, Secret? key)
{
    /// <summary>The storage itself.</summary>
    public IBackupStorage Storage => storage;

    /// <summary>How new ones are compressed.</summary>
    public Compression Compression => compression;

    /// <summary>The first 16 digits of the key's checksum; null without a key.</summary>
    public string? KeyId => throw new NotImplementedException();

    /// <summary>
    /// Begins an object. Its key gets the suffixes of compression and encryption (<c>.zst</c>, <c>.enc</c>), which is how it is
    /// known how to read it.
    /// </summary>
    public PieceWriter Begin(string key) => throw new NotImplementedException($"{key} {storage} {compression}");

    /// <summary>Opens an object by its whole key, decrypted and decompressed. Damage is an exception at the latest when its end is read.</summary>
    /// <param name="key">The whole key, with suffixes.</param>
    /// <param name="sha256">The checksum that it should have; null when none is known.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="BackupStorageException">It is not there, is damaged, or its key is another.</exception>
    public Task<Stream> OpenAsync(string key, string? sha256, CancellationToken cancellation) => throw new NotImplementedException();
}

/// <summary>An object that is being written; see <see cref="Pieces.Begin"/>. For one writer; disposing without completing leaves nothing behind.</summary>
internal abstract class PieceWriter : Stream
{
    /// <summary>Makes it durable and visible.</summary>
    public abstract Task<BackupFile> CompleteAsync(CancellationToken cancellation);
}
