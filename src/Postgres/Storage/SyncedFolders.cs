using System.Collections.Concurrent;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// The folders of a <see cref="FolderStorage"/>: a file is no safer than the folders that it is in, so each is synced into the
/// one above it, once. Thread-safe.
/// </summary>
/// <param name="root">The storage's folder.</param>
internal sealed class SyncedFolders(string root)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const int MaxKnown = 10_000;
    private readonly ConcurrentDictionary<string, bool> _known = new();

    /// <summary>Makes a folder, with those above it, and makes them durable.</summary>
    public void Make(string folder)
    {
        if (_known.ContainsKey(folder) && Directory.Exists(folder))
            return;
        var above = Path.GetDirectoryName(folder);
        var isOurs = folder.Length > root.Length;
        // Those above the storage are others', which may not even be read.
        if (above is null || !isOurs && Directory.Exists(folder))
            return;
        Make(above);
        if (isOurs || folder == root)
            Directory.CreateDirectory(folder, Private);
        else
            Directory.CreateDirectory(folder);
        // Also when it was there: whoever made it may not have come to this yet.
        DiskSpace.SyncFolder(above);
        if (_known.Count >= MaxKnown)
            _known.Clear();
        _known[folder] = true;
    }

    /// <summary>It may be gone.</summary>
    public void Forget(string folder) => _known.TryRemove(folder, out _);

    /// <summary>Makes deletions durable, and removes a folder that is empty now, with those above it that become so.</summary>
    public void SyncAndPrune(string folder)
    {
        if (!TrySync(folder))
            return;
        while (folder.Length > root.Length && TryRemove(folder))
        {
            Forget(folder);
            folder = Path.GetDirectoryName(folder)!;
            if (!TrySync(folder))
                return;
        }
    }

    /// <summary>False when it is gone: what was in it is gone too, and whoever removed it syncs the one above.</summary>
    private static bool TrySync(string folder)
    {
        if (!Directory.Exists(folder))
            return false;
        try
        {
            DiskSpace.SyncFolder(folder);
            return true;
        }
        catch (IOException) when (!Directory.Exists(folder))
        {
            return false;
        }
    }

    private static bool TryRemove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: false);
            return true;
        }
        catch (IOException)
        {
            // It holds something, or is gone: either way there is nothing to do here.
            return false;
        }
    }
}
