using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>The way of jobs to an archive: opens its storage with the cluster's secrets. Thread-safe.</summary>
internal sealed class ArchiveOpener(IClusterSecretSource secrets, TimeProvider clock)
{
    /// <summary>Opens an archive to write into it. Its storage is the caller's to dispose.</summary>
    /// <exception cref="IOException">The secrets cannot be had, or the storage cannot be opened.</exception>
    public async Task<Pieces> ToWriteAsync(Guid clusterId, ArchiveSpec archive, CancellationToken cancellation)
    {
        var known = archive.IsEncrypted || NeedsCredentials(archive) ? await secrets.AskClusterAsync(clusterId, cancellation) : Nothing;
        if (archive.IsEncrypted && !known.ContainsKey(ClusterSecrets.BackupKey))
            throw new IOException("The archive is to be encrypted, and the cluster has no backup key.");
        return Open(archive, known, archive.IsEncrypted);
    }

    /// <summary>
    /// Opens an archive to read from it: with the key that the cluster has, since what was written before encryption was turned off
    /// needs it still. Its storage is the caller's to dispose.
    /// </summary>
    /// <exception cref="IOException">The secrets cannot be had, or the storage cannot be opened.</exception>
    public async Task<Pieces> ToReadAsync(Guid clusterId, ArchiveSpec archive, CancellationToken cancellation)
    {
        try
        {
            return Open(archive, await secrets.AskClusterAsync(clusterId, cancellation), withKey: true);
        }
        catch (IOException e) when (e is not BackupStorageException && !archive.IsEncrypted && !NeedsCredentials(archive))
        {
            // A folder that is not encrypted can be read with the control plane dead.
            return Open(archive, Nothing, withKey: false);
        }
    }

    private static Dictionary<string, Secret> Nothing => [];

    private static bool NeedsCredentials(ArchiveSpec archive) => archive.Storage.Url.StartsWith("s3:", StringComparison.OrdinalIgnoreCase);

    private Pieces Open(ArchiveSpec archive, IReadOnlyDictionary<string, Secret> known, bool withKey)
    {
        var storage = BackupStorages.Open(archive.Storage, known.GetValueOrDefault(ClusterSecrets.Storage), clock);
        try
        {
            return new(storage, archive.Compression, withKey ? known.GetValueOrDefault(ClusterSecrets.BackupKey) : null);
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }
}

/// <summary>Small objects that are written plainly: manifests and marks.</summary>
internal static class PlainObjects
{
    /// <summary>Writes one, whole.</summary>
    public static async Task WriteAsync(IBackupStorage storage, string key, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        await using var upload = storage.Begin(key);
        await upload.WriteAsync(bytes, cancellation);
        await upload.CompleteAsync(cancellation);
    }

    /// <summary>Remembers what was done with a backup.</summary>
    public static Task MarkAsync(IBackupStorage storage, string cluster, BackupMark mark, CancellationToken cancellation) =>
        WriteAsync(storage, ArchiveLayout.Mark(cluster, mark), ManifestJson.Write(mark), cancellation);

    /// <summary>Reads the manifest of a dump.</summary>
    /// <exception cref="BackupStorageException">It is not there, or is none.</exception>
    public static async Task<DumpManifest> DumpAsync(IBackupStorage storage, string cluster, string dump, CancellationToken cancellation)
    {
        var key = ArchiveLayout.DumpManifest(cluster, dump);
        await using var stream = await storage.OpenAsync(key, cancellation);
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes, cancellation);
        try
        {
            return ManifestJson.ReadDump(bytes.ToArray());
        }
        catch (FormatException e)
        {
            throw new BackupStorageException(StorageFailure.Damaged, $"The manifest '{key}' cannot be read: {e.Message}", e);
        }
    }
}
