using System.Text;
using Groundcrew.Postgres.Tests.Stage;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Postgres.Tests.Archive.ArchiveWorld;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>
/// A small archive as files (<c>golden/archive</c>): archives that were written once are read for ever, and are written alike. With
/// UPDATE_GOLDEN=1 the files are written instead; the diff is then reviewed against <c>docs/formats/backup-archive.md</c>.
/// </summary>
public sealed class ArchiveGoldenTests
{
    private static readonly string Root = Path.Combine(FindRoot(), "tests", "Postgres.Tests", "golden", "archive");

    private static ArchiveWorld World() => new ArchiveWorld()
        .Base("base-20261101-000900", 1, 4.25, 5, 10).Wal(1, 4, 8, 15).Wal(1, 8, 9, 20).Wal(1, 9, 9, 22).Fork(2, 1, 9).Wal(2, 8, 9.5)
        .Dump("zmos_backup_20261101_000500", "zmos", 5).Mark("base-20261101-000900", MarkKind.ChecksumsVerified, 11).Mark("zmos_backup_20261101_000500", MarkKind.Kept, 12);

    [Fact]
    public void An_archive_is_written_as_ever()
    {
        using var storage = Stored();
        Check("list.txt", string.Concat(storage.Keys.Select(k => $"{storage.Get(k).Length,6} {k}\n")));
        foreach (var key in storage.Keys.Where(IsText))
            Check(key.Replace('/', '+'), Encoding.UTF8.GetString(storage.Get(key)));
    }

    [Fact]
    public async Task An_archive_of_this_format_is_read_for_ever()
    {
        using var storage = new MemoryStorage(new ManualClock(Zero));
        foreach (var line in await File.ReadAllLinesAsync(Path.Combine(Root, "list.txt"), TestContext.Current.CancellationToken))
        {
            var key = line[7..];
            var file = Path.Combine(Root, key.Replace('/', '+'));
            storage.Put(key, IsText(key) ? await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken) : new byte[int.Parse(line[..6], System.Globalization.CultureInfo.InvariantCulture)]);
        }
        var read = await new CatalogueReader(storage).ReadAsync(Cluster, TestContext.Current.CancellationToken);
        Assert.Empty(read.Problems);
        Assert.Empty(read.Unfinished);
        Assert.Equal(
            new RecoveryWindow(SystemId, "base-20261101-000900", 2, Place(5), Minute(10), Place(9.5), Minute(22)), Assert.Single(RecoveryWindows.Of(read)));
        Assert.Equal("zmos", Assert.Single(read.Dumps).Database);
        Assert.Equal([MarkKind.ChecksumsVerified, MarkKind.Kept], read.Marks.Select(m => m.Kind));
    }

    private static MemoryStorage Stored()
    {
        var storage = new MemoryStorage(new ManualClock(Zero));
        World().Store(storage);
        return storage;
    }

    private static bool IsText(string key) => key.EndsWith(".json", StringComparison.Ordinal) || key.EndsWith(".history", StringComparison.Ordinal);

    private static void Check(string name, string made)
    {
        var path = Path.Combine(Root, name);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Root);
            File.WriteAllText(path, made);
        }
        var kept = File.Exists(path) ? File.ReadAllText(path) : "";
        Assert.True(kept == made, $"{path} differs from what is made now. Run this test with UPDATE_GOLDEN=1 and review the diff.\n{made}");
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Groundcrew.slnx")))
                return folder.FullName;
        throw new InvalidOperationException("The tests run outside the source tree.");
    }
}
