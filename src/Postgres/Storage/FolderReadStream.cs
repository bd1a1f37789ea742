using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Postgres;

/// <summary>Reads an object of a <see cref="FolderStorage"/>. Not thread-safe.</summary>
internal sealed class FolderReadStream(SafeFileHandle file, string key, string place) : ObjectReadStream
{
    private long _position;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var read = await RandomAccess.ReadAsync(file, buffer, _position, cancellationToken);
            _position += read;
            return read;
        }
        catch (Exception e) when (FolderFaults.IsOne(e))
        {
            throw FolderFaults.Named(e, $"read '{key}'", place);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        file.Dispose();
        base.Dispose(disposing);
    }
}
