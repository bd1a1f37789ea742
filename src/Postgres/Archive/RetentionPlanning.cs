using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// What of an archive may go, by a policy. A backup goes only when newer ones that were verified stand in for it (T-51); so the
/// newest verified one always stays (invariant 9), with the log behind it. Pure.
/// </summary>
internal static class RetentionPlanning
{
    /// <summary>What no manifest names is deleted when nothing was added to it for so long.</summary>
    public static readonly TimeSpan UnfinishedFor = TimeSpan.FromDays(1);

    /// <summary>Plans the deletions.</summary>
    public static RetentionPlan Plan(Catalogue catalogue, RetentionPolicy policy, DateTimeOffset now)
    {
        var proofs = new BackupProofs(catalogue.Marks);
        var kept = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var bases = new BaseRetention(catalogue, policy, proofs, now, kept);
        var dumps = Dumps(catalogue, policy, proofs, now, kept);
        var leftovers = Leftovers(catalogue, now);

        List<string> names = [.. bases.Delete.Select(b => b.Name), .. dumps.Select(d => d.Name)];
        List<string> keys =
        [
            .. bases.Delete.Select(b => ArchiveLayout.BaseManifest(b.Cluster, b.SystemId, b.Name)),
            .. dumps.Select(d => ArchiveLayout.DumpManifest(d.Cluster, d.Name)),
            .. bases.Delete.SelectMany(b => b.Files).Select(f => f.Key),
            .. dumps.Select(d => d.File.Key),
            .. leftovers.Select(o => o.Key),
            .. bases.Wal.Select(w => w.Key),
            .. bases.HistoryFiles,
            .. Marks(catalogue, names, now),
        ];
        var bytes = bases.Delete.SelectMany(b => b.Files).Sum(f => f.Bytes) + dumps.Sum(d => d.File.Bytes) + leftovers.Sum(o => o.Bytes) + bases.Wal.Sum(w => w.Bytes);
        return new(names, keys, bytes, kept);
    }

    /// <summary>
    /// Keys of a plan as they have to be deleted: all of the first group before any of the second. Within a group the order does
    /// not matter, so that a storage may delete many at once.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<string>> Groups(string cluster, IReadOnlyCollection<string> keys) =>
    [
        .. keys.GroupBy(key => ArchiveLayout.Read(cluster, key) switch
        {
            ArchiveKey.BaseManifest or ArchiveKey.DumpManifest => 0,
            ArchiveKey.Mark => 2,
            _ => 1,
        }).OrderBy(group => group.Key).Select(group => (IReadOnlyList<string>)[.. group]),
    ];

    private static List<DumpManifest> Dumps(Catalogue catalogue, RetentionPolicy policy, BackupProofs proofs, DateTimeOffset now, IDictionary<string, string> kept)
    {
        var gone = new List<DumpManifest>();
        foreach (var database in catalogue.Dumps.GroupBy(d => d.Database, StringComparer.Ordinal))
        {
            var (newer, verified) = (0, 0);
            foreach (var dump in database.OrderByDescending(d => d.StartedAt))
            {
                var isOld = policy.DumpsFor is { } age && dump.StartedAt < now - age;
                var isMany = policy.DumpCount is { } count && newer >= count;
                var isReplaced = (isOld && verified > 0) || (isMany && verified >= policy.DumpCount && verified > 0);
                newer++;
                if (isReplaced && !proofs.IsKept(dump.Name))
                {
                    gone.Add(dump);
                    continue;
                }
                if (isOld || isMany)
                    kept[dump.Name] = isReplaced ? Reasons.Asked : proofs.IsVerified(dump.Name) && verified == 0 ? Reasons.NewestVerified : Reasons.NotVerified;
                verified += proofs.IsVerified(dump.Name) ? 1 : 0;
            }
        }
        return [.. gone.OrderBy(d => d.StartedAt)];
    }

    private static List<StoredObject> Leftovers(Catalogue catalogue, DateTimeOffset now) =>
    [
        .. catalogue.Unfinished.GroupBy(o => Backup(catalogue.Cluster, o.Key), StringComparer.Ordinal)
            .Where(g => g.Max(o => o.ModifiedAt) < now - UnfinishedFor).SelectMany(g => g),
    ];

    private static string Backup(string cluster, string key) => ArchiveLayout.Read(cluster, key) switch
    {
        ArchiveKey.BaseFile file => file.Backup,
        ArchiveKey.DumpFile file => file.Backup,
        _ => key,
    };

    /// <summary>Marks of what goes, and those whose backup went when an earlier deletion was broken off.</summary>
    private static IEnumerable<string> Marks(Catalogue catalogue, IReadOnlyCollection<string> gone, DateTimeOffset now)
    {
        var there = catalogue.Histories.SelectMany(h => h.Bases).Select(b => b.Name).Concat(catalogue.Dumps.Select(d => d.Name))
            .Concat(catalogue.Unfinished.Select(o => Backup(catalogue.Cluster, o.Key))).ToHashSet(StringComparer.Ordinal);
        var isAllKnown = catalogue.Problems.Count == 0;
        return catalogue.Marks.Where(m => gone.Contains(m.Backup) || (isAllKnown && !there.Contains(m.Backup) && m.At < now - UnfinishedFor))
            .Select(m => ArchiveLayout.Mark(catalogue.Cluster, m)).Distinct(StringComparer.Ordinal);
    }
}

/// <summary>Why a backup stays that is older than asked, for people.</summary>
internal static class Reasons
{
    public const string Asked = "somebody asked that it never be deleted";
    public const string NewestVerified = "it is the newest that was verified";
    public const string Newest = "it is the newest";
    public const string NewestMoment = "the newest moment that can be restored needs it";
    public const string NotVerified = "too few of the newer ones were verified to stand in for it";

    public static string Unread(string key) => $"'{key}' cannot be read, and may need what would go";

    public static string Needed(TimeSpan age) => $"restoring a moment of the last {Quantity.Format(age)} needs it";
}
