using System.Security.Cryptography;

namespace Groundcrew.Postgres;

/// <summary>Compares what was read with its checksum when the end is read. Not thread-safe.</summary>
internal sealed class CheckedReadStream(Stream inner, string key, string sha256) : ObjectReadStream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private bool _isAtEnd;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_isAtEnd || buffer.IsEmpty)
            return 0;
        var read = await inner.ReadAsync(buffer, cancellationToken);
        if (read > 0)
        {
            _hash.AppendData(buffer.Span[..read]);
            return read;
        }
        var found = Convert.ToHexStringLower(_hash.GetHashAndReset());
        if (found != sha256)
            throw new BackupStorageException(StorageFailure.Damaged, $"'{key}' is not what was written: its SHA-256 is {found}, and was {sha256}.");
        _isAtEnd = true;
        return 0;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        _hash.Dispose();
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _hash.Dispose();
        inner.Dispose();
        base.Dispose(disposing);
    }
}
