using Groundcrew.Postgres.Tests.Stage;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Postgres.Tests.Archive.ArchiveWorld;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>The catalogue is what lies in the storage: all that is whole, and nothing that is not.</summary>
public sealed class CatalogueReaderTests : IDisposable
{
    private readonly MemoryStorage _storage = new(new ManualClock(Zero));

    public void Dispose() => _storage.Dispose();

    private static ArchiveWorld World() => new ArchiveWorld()
        .Base("a", 1, 4, 5, 10).Base("b", 2, 12, 13, 40).Wal(1, 4, 8, 15).Wal(1, 8, 10, 20).Fork(2, 1, 10).Wal(2, 8, 16, 50)
        .Wal(1, 0, 4, 100, "8000").Dump("zmos_backup_20261101_000500", "zmos", 5).Mark("a", MarkKind.Kept, 11).Mark("b", MarkKind.Restored, 45);

    [Fact]
    public async Task What_was_written_is_read_again()
    {
        World().Store(_storage);
        _storage.Put("acme-main/readme.txt", "not ours");
        _storage.Put("acme-main-2/dumps/x.json", "of another cluster");
        var (expected, read) = (World().ToCatalogue(), await ReadAsync());
        Assert.Empty(read.Problems);
        Assert.Empty(read.Unfinished);
        Assert.Equal(expected.Marks, read.Marks);
        Assert.Equal(expected.Dumps.Select(d => d.Name), read.Dumps.Select(d => d.Name));
        Assert.Equal(["7294", "8000"], read.Histories.Select(h => h.SystemId));
        foreach (var (one, other) in expected.Histories.Zip(read.Histories))
        {
            Assert.Equal(one.Bases.Select(ManifestJson.Write), other.Bases.Select(ManifestJson.Write));
            Assert.Equal(one.Wal, other.Wal);
            Assert.Equal(one.Forks, other.Forks);
        }
        Assert.Equal(RecoveryWindows.Of(expected), RecoveryWindows.Of(read));
    }

    [Fact]
    public async Task No_archive_is_an_empty_one() => Assert.Empty((await ReadAsync()).Histories);

    [Fact]
    public async Task Only_what_is_new_is_opened_again()
    {
        World().Store(_storage);
        var reader = new CatalogueReader(_storage);
        await reader.ReadAsync(Cluster, TestContext.Current.CancellationToken);
        Assert.Equal(6, _storage.Opened);
        await reader.ReadAsync(Cluster, TestContext.Current.CancellationToken);
        Assert.Equal(6, _storage.Opened);
        _storage.Put(ArchiveLayout.Mark(Cluster, new("a", MarkKind.Damaged, Minute(60), "")), ManifestJson.Write(new BackupMark("a", MarkKind.Damaged, Minute(60), "bits")));
        Assert.Equal("bits", (await reader.ReadAsync(Cluster, TestContext.Current.CancellationToken)).Marks[^1].Words);
        Assert.Equal(7, _storage.Opened);
    }

    [Fact]
    public async Task Files_without_a_manifest_are_no_backup()
    {
        World().Store(_storage);
        _storage.Delete(ArchiveLayout.BaseManifest(Cluster, "7294", "b"), ArchiveLayout.DumpManifest(Cluster, "zmos_backup_20261101_000500"));
        _storage.Put(ArchiveLayout.BaseFile(Cluster, "7294", "a", "left-over.tar"), "x");
        var read = await ReadAsync();
        Assert.Equal(["a"], read.Histories[0].Bases.Select(b => b.Name));
        Assert.Empty(read.Dumps);
        Assert.Equal(4, read.Unfinished.Count);
        Assert.Empty(read.Problems);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{\"format\": 9}")]
    [InlineData("")]
    public async Task A_manifest_that_cannot_be_read_is_a_problem_and_its_files_are_left_alone(string content)
    {
        World().Store(_storage);
        var key = ArchiveLayout.BaseManifest(Cluster, "7294", "b");
        _storage.Put(key, content);
        var read = await ReadAsync();
        Assert.Contains(key, Assert.Single(read.Problems), StringComparison.Ordinal);
        Assert.Equal([key], read.Unread);
        Assert.Empty(read.Unfinished);
        Assert.Equal(["a"], read.Histories[0].Bases.Select(b => b.Name));
    }

    [Fact]
    public async Task A_manifest_of_another_backup_is_a_problem()
    {
        World().Store(_storage);
        _storage.Put(ArchiveLayout.BaseManifest(Cluster, "7294", "b"), _storage.Get(ArchiveLayout.BaseManifest(Cluster, "7294", "a")));
        var read = await ReadAsync();
        Assert.Contains("another backup", Assert.Single(read.Problems), StringComparison.Ordinal);
        Assert.Empty(read.Unfinished);
    }

    [Fact]
    public async Task A_backup_whose_file_is_missing_or_of_another_size_is_none()
    {
        World().Store(_storage);
        _storage.Delete(ArchiveLayout.BaseFile(Cluster, "7294", "a", "base.tar.zst"));
        _storage.Put(ArchiveLayout.DumpFile(Cluster, "zmos_backup_20261101_000500") + ".gz", "cut");
        var read = await ReadAsync();
        Assert.Equal(["b"], read.Histories[0].Bases.Select(b => b.Name));
        Assert.Empty(read.Dumps);
        Assert.Contains(read.Problems, p => p.Contains("base.tar.zst' is missing", StringComparison.Ordinal));
        Assert.Contains(read.Problems, p => p.Contains("has 3 bytes and should have 5", StringComparison.Ordinal));
        Assert.Empty(read.Unfinished);
    }

    [Fact]
    public async Task An_object_that_the_storage_cannot_give_now_is_a_problem_and_the_rest_is_told()
    {
        World().Store(_storage);
        _storage.OnOpening = key =>
        {
            if (key.EndsWith("a/manifest.json", StringComparison.Ordinal))
                throw new BackupStorageException(StorageFailure.Unavailable, "the line is cut");
        };
        var reader = new CatalogueReader(_storage);
        var read = await reader.ReadAsync(Cluster, TestContext.Current.CancellationToken);
        Assert.Contains("the line is cut", Assert.Single(read.Problems), StringComparison.Ordinal);
        Assert.Equal(["b"], read.Histories[0].Bases.Select(b => b.Name));
        _storage.OnOpening = null;
        Assert.Equal(["a", "b"], (await reader.ReadAsync(Cluster, TestContext.Current.CancellationToken)).Histories[0].Bases.Select(b => b.Name));
    }

    [Fact]
    public async Task A_mark_counts_by_its_key_when_its_words_cannot_be_read()
    {
        World().Store(_storage);
        _storage.Put(ArchiveLayout.Mark(Cluster, World().Marks[0]), "damaged");
        var read = await ReadAsync();
        Assert.Equal(MarkKind.Kept, read.Marks[0].Kind);
        Assert.Single(read.Problems);
    }

    [Fact]
    public async Task Histories_that_contradict_each_other_are_a_problem()
    {
        World().Store(_storage);
        _storage.Put(ArchiveLayout.HistoryFile(Cluster, "7294", 3), "1\t0/1000000\tother\n2\t0/9000000\tx\n");
        var read = await ReadAsync();
        Assert.Contains("says otherwise", Assert.Single(read.Problems), StringComparison.Ordinal);
        Assert.Single(read.Unread);
    }

    [Fact]
    public async Task A_segment_that_takes_the_place_of_its_parts_during_the_list_is_no_gap()
    {
        new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 11).Wal(1, 8, 9, 12).Wal(1, 9, 10, 13).Wal(1, 10, 12, 14).Wal(1, 12, 16, 20).Store(_storage);
        var parts = _storage.Keys.Where(k => ArchiveLayout.Read(Cluster, k) is ArchiveKey.Wal { Start: var s } && s > Place(8) && s < Place(12)).ToArray();
        Assert.Equal(2, parts.Length);
        _storage.OnListed = key =>
        {
            if (key != parts[0])
                return;
            new ArchiveWorld().Wal(1, 8, 12, 14).Store(_storage);
            _storage.Delete(parts);
        };
        var window = Assert.Single(RecoveryWindows.Of(await ReadAsync()));
        Assert.Equal(Place(16), window.To);
    }

    [Fact]
    public async Task A_backup_that_is_finished_during_the_list_is_whole()
    {
        new ArchiveWorld().Wal(1, 0, 4, 5).Base("a", 1, 0, 1, 10).Store(_storage);
        var first = ArchiveLayout.BaseFile(Cluster, "7294", "b", "base.tar.zst");
        _storage.Put(first, new byte[7]);
        _storage.OnListed = key =>
        {
            if (key != first)
                return;
            new ArchiveWorld().Base("b", 1, 1, 2, 20).Store(_storage);
            _storage.Delete(ArchiveLayout.BaseManifest(Cluster, "7294", "a"));
        };
        var read = await ReadAsync();
        Assert.Empty(read.Problems);
        Assert.Equal(["b"], read.Histories[0].Bases.Select(b => b.Name));
    }

    private Task<Catalogue> ReadAsync() => new CatalogueReader(_storage).ReadAsync(Cluster, TestContext.Current.CancellationToken);
}
