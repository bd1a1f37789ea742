using System.Runtime.CompilerServices;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// A storage in a folder, of a disk or of a mounted file system: an object is a file with the key as its path. A file is
/// written under <c>.uploads</c>, synced, and renamed to its place, whose folders are synced. No key may be a folder of
/// another. Several processes may use one folder.
/// </summary>
internal sealed class FolderStorage : IBackupStorage
{
    private const int MakeRoomTries = 5;
    private readonly string _root;
    private readonly DurableFiles _files;
    private readonly SyncedFolders _folders;
    private readonly UploadFolder _uploads;

    /// <summary>Opens it, and removes what broken uploads left there. The folder is made when something is written.</summary>
    /// <param name="root">The folder, absolute.</param>
    /// <param name="clock">Tells how old left-overs are.</param>
    /// <param name="files">The way to make files durable; a test may fail in it.</param>
    public FolderStorage(string root, TimeProvider clock, DurableFiles files)
    {
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        _files = files;
        _folders = new(_root);
        _uploads = new(Path.Combine(_root, UploadFolder.Name), clock);
        _uploads.RemoveLeftOvers();
    }

    /// <inheritdoc/>
    public string Place => _root;

    /// <inheritdoc/>
    public BackupUpload Begin(string key)
    {
        ObjectKeys.Require(key);
        return new FolderUpload(this, key);
    }

    /// <inheritdoc/>
    public Task<Stream> OpenAsync(string key, CancellationToken cancellation)
    {
        ObjectKeys.Require(key);
        return Task.Run<Stream>(() => Named($"read '{key}'", () =>
        {
            var path = PathOf(key);
            return Directory.Exists(path)
                ? throw new FileNotFoundException("It is a folder.", path)
                : (Stream)new FolderReadStream(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan), key, _root);
        }), cancellation);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancellation)
    {
        ObjectKeys.RequirePrefix(prefix);
        return ListAsync(prefix[..(prefix.LastIndexOf('/') + 1)], prefix, cancellation);
    }

    /// <inheritdoc/>
    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellation)
    {
        foreach (var key in keys)
            ObjectKeys.Require(key);
        return Task.Run(() =>
        {
            var touched = new HashSet<string>();
            foreach (var key in keys)
            {
                cancellation.ThrowIfCancellationRequested();
                Named($"delete '{key}'", () => Delete(PathOf(key), touched));
            }
            foreach (var folder in touched)
                Named("delete", () => _folders.SyncAndPrune(folder));
        }, cancellation);
    }

    /// <summary>Nothing is held.</summary>
    public void Dispose()
    {
    }

    /// <summary>Begins a file that becomes an object; its name is not in the way of any.</summary>
    internal string MakeTemporary()
    {
        _folders.Make(_uploads.Path);
        return _uploads.NewFile();
    }

    /// <summary>Makes a written and synced file the object.</summary>
    internal void Commit(string temporary, string key)
    {
        var path = PathOf(key);
        var folder = Path.GetDirectoryName(path)!;
        for (var tries = 1; ; tries++)
        {
            _folders.Make(folder);
            try
            {
                _files.CommitFile(temporary, path);
                return;
            }
            catch (IOException e) when (e is DirectoryNotFoundException or FileNotFoundException && File.Exists(temporary) && tries < MakeRoomTries)
            {
                // Somebody deleted the last object of the folder, and the folder with it.
                _folders.Forget(folder);
            }
        }
    }

    private static void Delete(string path, HashSet<string> touched)
    {
        try
        {
            // A folder is not an object.
            if (!Directory.Exists(path))
                File.Delete(path);
        }
        catch (DirectoryNotFoundException)
        {
            return;
        }
        touched.Add(Path.GetDirectoryName(path)!);
    }

    /// <summary>Depth first, so that the keys come in the order of their bytes.</summary>
    private async IAsyncEnumerable<StoredObject> ListAsync(string folder, string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var entries = await Task.Run(() => Named($"list '{prefix}'", () => FolderEntry.Read(PathOf(folder), folder, prefix)), cancellation);
        foreach (var entry in entries)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!entry.IsFolder)
                yield return new(entry.Key, entry.Bytes, entry.ModifiedAt);
            else
                await foreach (var inner in ListAsync(entry.Key, prefix, cancellation))
                    yield return inner;
        }
    }

    private string PathOf(string key) => Path.Join(_root, key);

    private void Named(string doing, Action action) => Named(doing, () =>
    {
        action();
        return 0;
    });

    private T Named<T>(string doing, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (FolderFaults.IsOne(e))
        {
            throw FolderFaults.Named(e, doing, _root);
        }
    }
}
