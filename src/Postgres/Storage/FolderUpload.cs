using Groundcrew.Bedrock;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Postgres;

/// <summary>An object that is being written to a <see cref="FolderStorage"/>.</summary>
internal sealed class FolderUpload(FolderStorage storage, string key) : BackupUpload
{
    private SafeFileHandle? _file;
    private string? _temporary;
    private long _length;
    private bool _isOver;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        try
        {
            _file ??= Create();
            await RandomAccess.WriteAsync(_file, bytes, _length, cancellation);
            _length += bytes.Length;
        }
        catch (Exception e)
        {
            // Whatever it was, the file lacks these bytes, and must not become an object.
            _isOver = true;
            if (FolderFaults.IsOne(e))
                throw FolderFaults.Named(e, $"write '{key}'", storage.Place);
            throw;
        }
    }

    /// <inheritdoc/>
    public override Task<StoredObject> CompleteAsync(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        _isOver = true;
        return Task.Run(Complete, cancellation);
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        _isOver = true;
        _file?.Dispose();
        _file = null;
        if (_temporary is null)
            return ValueTask.CompletedTask;
        try
        {
            File.Delete(_temporary);
        }
        catch (Exception e) when (FolderFaults.IsOne(e))
        {
            // It is no object, and is removed when the storage is opened after this process.
        }
        _temporary = null;
        return ValueTask.CompletedTask;
    }

    private StoredObject Complete()
    {
        try
        {
            _file ??= Create();
            RandomAccess.FlushToDisk(_file);
            var modified = new DateTimeOffset(File.GetLastWriteTimeUtc(_file));
            _file.Dispose();
            storage.Commit(_temporary!, key);
            _temporary = null;
            return new(key, _length, modified);
        }
        catch (Exception e) when (FolderFaults.IsOne(e))
        {
            var named = FolderFaults.Named(e, $"complete '{key}'", storage.Place);
            // Not the object is missing, but what was to become it.
            throw named.Failure == StorageFailure.NotFound ? new BackupStorageException(StorageFailure.Unavailable, $"Cannot complete '{key}' in '{storage.Place}': {e.Message}", e) : named;
        }
    }

    private SafeFileHandle Create()
    {
        var file = File.OpenHandle(_temporary = storage.MakeTemporary(), FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        File.SetUnixFileMode(file, DurableFiles.Private);
        return file;
    }
}
