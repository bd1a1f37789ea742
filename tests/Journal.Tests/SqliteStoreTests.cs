using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Journal.Tests;

/// <summary>What only the store in a file has: damage, disks, backups, raw bytes.</summary>
public sealed class SqliteStoreTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private StoreOptions Options => new() { Folder = _folder["control"] };

    private string StoreFile => Path.Combine(Options.Folder, "store.db");

    [Fact]
    public async Task A_commit_is_synced_and_foreign_keys_hold_on_every_connection()
    {
        await using var store = await OpenAsync(Options);
        for (var i = 0; i < 2; i++)
        {
            var settings = await store.WriteAsync(async (db, token) => new[]
            {
                await db.Database.SqlQueryRaw<string>("SELECT journal_mode AS Value FROM pragma_journal_mode").SingleAsync(token),
                await db.Database.SqlQueryRaw<string>("SELECT CAST(synchronous AS text) AS Value FROM pragma_synchronous").SingleAsync(token),
                await db.Database.SqlQueryRaw<string>("SELECT CAST(foreign_keys AS text) AS Value FROM pragma_foreign_keys").SingleAsync(token),
            }, Ct);
            Assert.Equal(["wal", "2", "1"], settings);
        }
    }

    [Fact]
    public async Task The_files_of_the_store_are_private()
    {
        await using var store = await OpenAsync(Options);
        await AddAsync(store, "one");
        Assert.All(Directory.GetFiles(Options.Folder), f => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(f)));
    }

    [Fact]
    public async Task A_second_control_plane_on_the_same_file_is_refused_until_the_first_is_gone()
    {
        await using (await OpenAsync(Options))
        {
            var problem = Assert.Single((await Store.OpenAsync(Options, [new ThingsPart()], TimeProvider.System, Ct)).Problems);
            Assert.Equal("store-busy", problem.Code);
        }
        await (await OpenAsync(Options)).DisposeAsync();
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_refused_with_what_to_do()
    {
        DurableFiles.Real.Replace(StoreFile, new string('x', 8192));
        var problem = Assert.Single((await Store.OpenAsync(Options, [], TimeProvider.System, Ct)).Problems);
        Assert.Equal(("store-corrupt", StoreFile), (problem.Code, problem.Path));
        Assert.Contains("crew store backup", problem.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_page_in_the_middle_is_found_at_the_start()
    {
        await using (var store = await OpenAsync(Options))
        {
            for (var i = 0; i < 50; i++)
                await AddAsync(store, new string((char)('a' + i % 26), 900) + i);
        }
        var bytes = await File.ReadAllBytesAsync(StoreFile, Ct);
        Assert.True(bytes.Length > 30 * 4096);
        bytes.AsSpan(bytes.Length - 12 * 4096, 8 * 4096).Fill(0x5a);
        DurableFiles.Real.Replace(StoreFile, bytes);
        Assert.Equal("store-corrupt", Assert.Single((await Store.OpenAsync(Options, [new ThingsPart()], TimeProvider.System, Ct)).Problems).Code);
    }

    [Fact]
    public async Task A_read_only_disk_is_refused_with_what_to_do()
    {
        using var disk = SmallDisk.TryMake("16m");
        Assert.SkipWhen(disk is null, "Mounting needs root.");
        var options = new StoreOptions { Folder = Path.Combine(disk.Path, "control") };
        await (await OpenAsync(options)).DisposeAsync();
        disk.MakeReadOnly();
        var problem = Assert.Single((await Store.OpenAsync(options, [new ThingsPart()], TimeProvider.System, Ct)).Problems);
        Assert.Equal("store-read-only", problem.Code);
        var fresh = await Store.OpenAsync(new StoreOptions { Folder = Path.Combine(disk.Path, "other") }, [], TimeProvider.System, Ct);
        Assert.Equal("store-read-only", Assert.Single(fresh.Problems).Code);
    }

    [Fact]
    public async Task A_full_disk_refuses_the_write_and_keeps_what_was_acknowledged()
    {
        using var disk = SmallDisk.TryMake("3m");
        Assert.SkipWhen(disk is null, "Mounting needs root.");
        var options = new StoreOptions { Folder = Path.Combine(disk.Path, "control") };
        var written = 0;
        await using (var store = await OpenAsync(options))
        {
            var failure = await Assert.ThrowsAsync<StoreFailedException>(async () =>
            {
                while (true)
                {
                    await AddAsync(store, $"{written}", new byte[100_000]);
                    written++;
                }
            });
            Assert.Equal("store-full", failure.Problem.Code);
            Assert.Equal(written, await store.ReadAsync((db, token) => db.Set<Thing>().CountAsync(token), Ct));
        }
        Assert.True(written > 2);
    }

    [Fact]
    public async Task A_backup_taken_while_others_write_is_whole_and_opens_as_a_store()
    {
        await using var store = await OpenAsync(Options);
        await AddAsync(store, "before");
        var stop = new TaskCompletionSource();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; !stop.Task.IsCompleted; i++)
                await AddAsync(store, $"during-{i}");
        }, Ct);
        for (var i = 0; i < 3; i++)
            Assert.Empty((await store.BackupAsync(_folder["copy/store.db"], Ct)).Problems);
        stop.SetResult();
        await writing;
        Assert.Equal([_folder["copy/store.db"]], Directory.GetFileSystemEntries(_folder["copy"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["copy/store.db"]));
        await using var restored = await OpenAsync(new StoreOptions { Folder = _folder["copy"] });
        Assert.Equal(store.PlatformId, restored.PlatformId);
        Assert.True(await restored.ReadAsync((db, token) => db.Set<Thing>().AnyAsync(t => t.Name == "before", token), Ct));
    }

    [Fact]
    public async Task A_backup_that_cannot_be_written_says_so_and_leaves_nothing()
    {
        await using var store = await OpenAsync(Options);
        DurableFiles.Real.Replace(_folder["file"], "not a folder");
        Assert.Equal("store-backup-failed", Assert.Single((await store.BackupAsync(_folder["file/store.db"], Ct)).Problems).Code);
        Assert.Equal(["control", "file"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task No_secret_and_no_token_is_in_the_bytes_of_the_store()
    {
        await using var store = await OpenAsync(Options);
        var box = SealedBox.Open(_folder["key"], DurableFiles.Real);
        var actor = Actor.Platform("test");
        await new SecretStore(store, box, TimeProvider.System).SetAsync("acme", "DB_URL", new Secret("p4ssw0rd-marker"), actor, Ct);
        var token = (await new Access(store, TimeProvider.System).CreateAsync("ci", Role.Viewer, cancellation: Ct)).Secret;
        await new Audit(store, TimeProvider.System).WriteAsync(actor, "secret.set", "acme", "ok", new { value = new Secret("p4ssw0rd-marker") }, null, Ct);
        Assert.True(Found("DB_URL"), "the search sees what is there");
        Assert.False(Found("p4ssw0rd-marker"));
        Assert.False(Found(token.Reveal()));
        Assert.False(Found(token.Reveal()["gct_".Length..]));
    }

    public void Dispose() => _folder.Dispose();

    private bool Found(string text) => Directory.GetFiles(Options.Folder, "store.db*").Any(file =>
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray().AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;
    });

    private static Task<Store> OpenAsync(StoreOptions options) => StoreSource.OpenAsync(options, [new ThingsPart()]);

    private static Task AddAsync(Store store, string name, byte[]? bytes = null) => store.WriteAsync((db, _) =>
    {
        db.Add(new Thing { Name = name, Bytes = bytes });
        return Task.CompletedTask;
    }, Ct);
}
