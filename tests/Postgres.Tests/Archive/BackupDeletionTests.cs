using Groundcrew.Postgres.Tests.Stage;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Postgres.Tests.Archive.ArchiveWorld;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>Deleting what was planned, unless the archive has become another meanwhile.</summary>
public sealed class BackupDeletionTests : IDisposable
{
    private readonly MemoryStorage _storage = new(new ManualClock(Zero));
    private readonly List<IReadOnlyCollection<string>> _calls = [];

    public BackupDeletionTests() => _storage.OnDeleting = _calls.Add;

    public void Dispose() => _storage.Dispose();

    private static ArchiveWorld World() => new ArchiveWorld()
        .Base("a", 1, 0, 1, 10).Base("b", 1, 4, 5, 20).Base("c", 1, 8, 9, 30).Wal(1, 0, 4, 15).Wal(1, 4, 8, 25).Wal(1, 8, 12, 100)
        .Mark("a", MarkKind.Restored, 11).Mark("b", MarkKind.Restored, 21).Mark("c", MarkKind.Restored, 31).Dump("d", "zmos", 1).Dump("e", "zmos", 2).Mark("e", MarkKind.ToolVerified, 3);

    private static IReadOnlyList<string> Planned() => RetentionPlanning.Plan(World().ToCatalogue(), new(BaseCount: 1, DumpCount: 1), Minute(100)).Keys;

    [Fact]
    public async Task What_was_planned_is_deleted_manifests_first_and_marks_last()
    {
        World().Store(_storage);
        Assert.Empty(await DeleteAsync(Planned()));
        Assert.Equal(3, _calls.Count);
        Assert.All(_calls[0], k => Assert.EndsWith(".json", k, StringComparison.Ordinal));
        Assert.All(_calls[2], k => Assert.Contains("/marks/", k, StringComparison.Ordinal));
        var left = await new CatalogueReader(_storage).ReadAsync(Cluster, TestContext.Current.CancellationToken);
        Assert.Equal(["c"], left.Histories[0].Bases.Select(b => b.Name));
        Assert.Equal(["e"], left.Dumps.Select(d => d.Name));
        Assert.Empty(left.Problems);
        Assert.Empty(left.Unfinished);
        Assert.Empty(await DeleteAsync(Planned()));
    }

    [Theory]
    [InlineData("c", MarkKind.Damaged, "'b' is the newest backup that was verified")]
    [InlineData("a", MarkKind.Kept, "Somebody asked that 'a' never be deleted")]
    public async Task A_plan_that_time_has_made_wrong_deletes_nothing(string backup, MarkKind kind, string words)
    {
        World().Mark(backup, kind, 90).Store(_storage);
        Assert.Contains(words, string.Join(' ', await DeleteAsync(Planned())), StringComparison.Ordinal);
        Assert.Empty(_calls);
    }

    [Fact]
    public async Task The_log_of_a_backup_that_stays_is_not_deleted()
    {
        World().Store(_storage);
        var log = World().ToCatalogue().Histories[0].Wal[^1].Key;
        Assert.Equal(["'c' would stay, and lose the log that it needs."], await DeleteAsync([log]));
        Assert.Empty(_calls);
    }

    [Fact]
    public async Task Keys_of_elsewhere_are_refused()
    {
        World().Store(_storage);
        Assert.Equal(2, (await DeleteAsync(["other/dumps/d.dump", "acme-main/readme.txt"])).Count);
        Assert.Empty(_calls);
    }

    [Fact]
    public async Task What_was_broken_off_is_done_again_from_where_it_stopped()
    {
        World().Store(_storage);
        _storage.OnDeleting = keys =>
        {
            _calls.Add(keys);
            if (_calls.Count == 2)
                throw new BackupStorageException(StorageFailure.Unavailable, "the line is cut");
        };
        await Assert.ThrowsAsync<BackupStorageException>(() => DeleteAsync(Planned()));
        Assert.Empty(await DeleteAsync(Planned()));
        Assert.Empty((await new CatalogueReader(_storage).ReadAsync(Cluster, TestContext.Current.CancellationToken)).Unfinished);
    }

    private Task<IReadOnlyList<string>> DeleteAsync(IReadOnlyCollection<string> keys) =>
        BackupDeletion.DeleteAsync(_storage, Cluster, keys, _ => { }, TestContext.Current.CancellationToken);
}
