namespace Groundcrew.Postgres;

/// <summary>
/// Deletes what a <see cref="RetentionPlan"/> names. The archive may have changed since the plan was made: a backup was found to be
/// damaged, somebody asked that one be kept. So what always stays is looked at once more, and if the plan touches it nothing is
/// deleted at all.
/// </summary>
internal static class BackupDeletion
{
    private const int AtOnce = 1000;

    /// <summary>Deletes, in an order in which it may be broken off anywhere and begun again.</summary>
    /// <param name="storage">Where the archive lies.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="keys">What to delete, in any order; what is not there any more is fine.</param>
    /// <param name="done">Is told how many keys more are done.</param>
    /// <param name="cancellation">Gives up between two calls of the storage.</param>
    /// <returns>Why nothing was deleted, for people; empty when everything was.</returns>
    /// <exception cref="BackupStorageException">The storage does not do it.</exception>
    public static async Task<IReadOnlyList<string>> DeleteAsync(
        IBackupStorage storage, string cluster, IReadOnlyCollection<string> keys, Action<int> done, CancellationToken cancellation)
    {
        var objections = Objections(await new CatalogueReader(storage).ReadAsync(cluster, cancellation), keys);
        if (objections.Count > 0)
            return objections;
        foreach (var batch in RetentionPlanning.Groups(cluster, keys).SelectMany(group => group.Chunk(AtOnce)))
        {
            await storage.DeleteAsync(batch, cancellation);
            done(batch.Length);
        }
        return [];
    }

    /// <summary>What speaks against deleting these keys from an archive as it is now. Pure.</summary>
    public static IReadOnlyList<string> Objections(Catalogue catalogue, IReadOnlyCollection<string> keys)
    {
        var gone = keys.ToHashSet(StringComparer.Ordinal);
        var proofs = new BackupProofs(catalogue.Marks);
        var objections = new List<string>();
        objections.AddRange(gone.Where(key => ArchiveLayout.Read(catalogue.Cluster, key) is null).Select(key => $"'{key}' is not of the archive of '{catalogue.Cluster}'."));
        var bases = catalogue.Histories.SelectMany(h => h.Bases).OrderBy(b => b.StoppedAt).ToList();
        var deleted = bases.Where(IsGone).Select(b => b.Name)
            .Concat(catalogue.Dumps.Where(d => gone.Contains(ArchiveLayout.DumpManifest(catalogue.Cluster, d.Name)) || gone.Contains(d.File.Key)).Select(d => d.Name))
            .ToHashSet(StringComparer.Ordinal);
        objections.AddRange(deleted.Where(proofs.IsKept).Select(name => $"Somebody asked that '{name}' never be deleted."));
        var newest = catalogue.Dumps.GroupBy(d => d.Database, StringComparer.Ordinal).Select(g => g.LastOrDefault(d => proofs.IsVerified(d.Name))?.Name)
            .Append(bases.FindLast(b => proofs.IsVerified(b.Name))?.Name);
        objections.AddRange(newest.Where(name => name is not null && deleted.Contains(name)).Select(name => $"'{name}' is the newest backup that was verified."));
        foreach (var history in catalogue.Histories)
        {
            var left = history with { Bases = [.. history.Bases.Where(b => !IsGone(b))], Wal = [.. history.Wal.Where(w => !gone.Contains(w.Key))] };
            var restorable = RecoveryWindows.Runs(left, _ => true).Select(r => r.Base.Name).ToHashSet(StringComparer.Ordinal);
            objections.AddRange(RecoveryWindows.Runs(history, _ => true).Select(r => r.Base.Name).Distinct(StringComparer.Ordinal)
                .Where(name => !deleted.Contains(name) && !restorable.Contains(name)).Select(name => $"'{name}' would stay, and lose the log that it needs."));
        }
        return objections;

        bool IsGone(BaseBackupManifest backup) =>
            gone.Contains(ArchiveLayout.BaseManifest(catalogue.Cluster, backup.SystemId, backup.Name)) || backup.Files.Any(f => gone.Contains(f.Key));
    }
}
