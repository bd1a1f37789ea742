namespace Groundcrew.Postgres;

/// <summary>Makes a catalogue from what was listed and opened: a manifest counts when everything that it names is there. For one use.</summary>
internal sealed class CatalogueMaking(
    string cluster, CatalogueReader.Listed listed, IReadOnlyDictionary<StoredObject, CatalogueReader.Opened> opened, IBackupStorage storage)
{
    private readonly List<string> _problems = [];
    private readonly List<string> _unread = [];
    private readonly HashSet<string> _named = new(StringComparer.Ordinal);
    private readonly List<string> _spared = [];
    private readonly Dictionary<string, long> _files = listed.Files.ToDictionary(f => f.Object.Key, f => f.Object.Bytes, StringComparer.Ordinal);

    /// <summary>Makes it.</summary>
    public async Task<Catalogue> MakeAsync(CancellationToken cancellation)
    {
        var bases = new List<BaseBackupManifest>();
        var dumps = new List<DumpManifest>();
        var marks = new List<BackupMark>();
        var forks = new Dictionary<(string SystemId, uint Timeline), TimelineFork>();
        foreach (var (file, key) in listed.ToOpen.OrderBy(f => f.Object.Key, StringComparer.Ordinal))
        {
            switch (key, Content(file, key))
            {
                case (ArchiveKey.BaseManifest at, BaseBackupManifest m) when IsAt(file, m.Cluster == cluster && m.SystemId == at.SystemId && m.Name == at.Backup):
                    if (await IsWholeAsync(file, m.Name, m.Files, cancellation))
                        bases.Add(m);
                    break;
                case (ArchiveKey.DumpManifest at, DumpManifest m) when IsAt(file, m.Cluster == cluster && m.Name == at.Backup):
                    if (await IsWholeAsync(file, m.Name, [m.File], cancellation))
                        dumps.Add(m);
                    break;
                case (ArchiveKey.Mark at, var content):
                    if (opened[file] is not { Content: null, Problem: null })
                        marks.Add(new(at.Backup, at.Kind, at.At, (content as BackupMark)?.Words ?? ""));
                    break;
                case (ArchiveKey.History at, IReadOnlyList<TimelineFork> ancestry):
                    Take(file, at.SystemId, ancestry, forks);
                    break;
            }
        }
        var unfinished = listed.Files.Where(f => !_named.Contains(f.Object.Key) && !_spared.Exists(s => f.Object.Key.StartsWith(s, StringComparison.Ordinal)));
        return new(
            cluster, Histories(bases, forks), [.. dumps.OrderBy(d => d.StartedAt).ThenBy(d => d.Name, StringComparer.Ordinal)],
            [.. marks.OrderBy(m => m.At).ThenBy(m => m.Backup, StringComparer.Ordinal)], [.. unfinished.Select(f => f.Object)], _problems)
        {
            Unread = _unread,
        };
    }

    /// <summary>What is in a file; when it is there and cannot be read, that is told and what lies beside it is left alone.</summary>
    private object? Content(StoredObject file, ArchiveKey key)
    {
        var (content, problem) = opened[file];
        if (problem is null)
            return content;
        _problems.Add($"'{file.Key}' cannot be read: {problem}");
        _unread.Add(file.Key);
        Spare(file, key);
        return null;
    }

    private bool IsAt(StoredObject file, bool isSo)
    {
        if (!isSo)
        {
            _problems.Add($"'{file.Key}' is the manifest of another backup.");
            _unread.Add(file.Key);
            _spared.Add(file.Key[..(file.Key.LastIndexOf('/') + 1)]);
        }
        return isSo;
    }

    private void Spare(StoredObject file, ArchiveKey key)
    {
        if (key is ArchiveKey.BaseManifest)
            _spared.Add(file.Key[..(file.Key.LastIndexOf('/') + 1)]);
        else if (key is ArchiveKey.DumpManifest dump)
            _spared.Add(ArchiveLayout.DumpFile(cluster, dump.Backup));
    }

    /// <summary>
    /// Whether the files of a manifest are there, as large as it says. A backup may have been finished while the list was walked
    /// through, so what is missing is looked for once more.
    /// </summary>
    private async Task<bool> IsWholeAsync(StoredObject manifest, string name, IReadOnlyList<BackupFile> files, CancellationToken cancellation)
    {
        foreach (var file in files)
            _named.Add(file.Key);
        foreach (var file in files.Where(f => !_files.ContainsKey(f.Key)))
        {
            await foreach (var found in storage.ListAsync(file.Key, cancellation))
                _files.TryAdd(found.Key, found.Bytes);
        }
        var wrong = files.Where(f => !_files.TryGetValue(f.Key, out var bytes) || bytes != f.Bytes).ToList();
        if (wrong.Count == 0)
            return true;
        var first = wrong[0];
        _problems.Add(_files.TryGetValue(first.Key, out var size)
            ? $"'{name}' is no backup any more: '{first.Key}' has {size} bytes and should have {first.Bytes}. Delete '{manifest.Key}', or bring the file back."
            : $"'{name}' is no backup any more: '{first.Key}' is missing. Delete '{manifest.Key}', or bring the file back.");
        return false;
    }

    private void Take(StoredObject file, string systemId, IReadOnlyList<TimelineFork> ancestry, Dictionary<(string SystemId, uint Timeline), TimelineFork> forks)
    {
        foreach (var fork in ancestry)
        {
            if (forks.TryAdd((systemId, fork.Timeline), fork) || forks[(systemId, fork.Timeline)] == fork)
                continue;
            _problems.Add($"'{file.Key}' says that timeline {fork.Timeline} left {fork.Parent} at {fork.At}; another history file says otherwise.");
            _unread.Add(file.Key);
        }
    }

    private IReadOnlyList<ArchiveHistory> Histories(List<BaseBackupManifest> bases, Dictionary<(string SystemId, uint Timeline), TimelineFork> forks)
    {
        var systems = bases.Select(b => b.SystemId).Concat(listed.Wal.Keys.Select(w => w.SystemId)).Concat(forks.Keys.Select(f => f.SystemId)).Distinct(StringComparer.Ordinal);
        return
        [
            .. systems.Select(system => (
                History: new ArchiveHistory(
                    system,
                    [.. bases.Where(b => b.SystemId == system).OrderBy(b => b.StoppedAt).ThenBy(b => b.Name, StringComparer.Ordinal)],
                    [.. listed.Wal.Where(w => w.Key.SystemId == system).OrderBy(w => w.Key.Timeline).SelectMany(w => w.Value.Select(v => v.Piece))],
                    [.. forks.Where(f => f.Key.SystemId == system).Select(f => f.Value).OrderBy(f => f.Timeline)]),
                Written: listed.Wal.Where(w => w.Key.SystemId == system).SelectMany(w => w.Value).Select(w => w.ModifiedAt).DefaultIfEmpty().Max()))
                .OrderBy(h => h.History.Bases.Count > 0 ? h.History.Bases[^1].StoppedAt : h.Written)
                .ThenBy(h => h.History.SystemId, StringComparer.Ordinal)
                .Select(h => h.History),
        ];
    }
}
