using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Storage;

public sealed class FolderStorageTests : StorageCompliance, IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly IBackupStorage _storage;

    public FolderStorageTests() => _storage = BackupStorages.Open(new(_folder["backups"]), credentials: null, TimeProvider.System);

    private protected override IBackupStorage Storage => _storage;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _storage.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Nothing_of_an_upload_stays_on_the_disk()
    {
        await using (var upload = _storage.Begin("a/b"))
        {
            await upload.WriteAsync(Content(100_000, 1), Cancellation);
            Assert.Single(Directory.GetFiles(_folder["backups/.uploads"]));
        }
        Assert.Empty(Directory.GetFiles(_folder["backups"], "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Only_the_owner_can_read_what_lies_there()
    {
        await PutAsync("a/b", "x"u8.ToArray());
        Assert.Equal(DurableFiles.Private, File.GetUnixFileMode(_folder["backups/a/b"]));
        Assert.Equal(DurableFiles.Private | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder["backups/a"]));
    }

    [Fact]
    public async Task Folders_that_become_empty_go_and_come_again()
    {
        await PutAsync("a/b/c", "x"u8.ToArray());
        await _storage.DeleteAsync(["a/b/c"], Cancellation);
        Assert.False(Directory.Exists(_folder["backups/a"]));
        await PutAsync("a/b/c", "y"u8.ToArray());
        Assert.Equal("y"u8.ToArray(), await BytesAsync("a/b/c"));
    }

    [Fact]
    public async Task Uploads_and_deletions_in_one_folder_do_not_disturb_each_other()
    {
        await Parallel.ForAsync(0, 200, Cancellation, async (i, _) =>
        {
            var key = $"same/{i % 8}";
            await PutAsync(key, "x"u8.ToArray());
            if (i % 3 != 0)
                await _storage.DeleteAsync([key], Cancellation);
        });
        await PutAsync("same/last", "x"u8.ToArray());
        Assert.Contains("same/last", await KeysAsync("same/"));
    }

    [Fact]
    public async Task Left_overs_go_when_their_process_is_gone_or_after_a_day()
    {
        var uploads = _folder["backups/.uploads"];
        Directory.CreateDirectory(uploads);
        var self = ProcessIdentity.Self;
        string ours = Left($"{self.Pid}.{self.StartTicks}.{self.BootId}.1"), dead = Left($"{self.Pid}.{self.StartTicks - 1}.{self.BootId}.2"),
            foreign = Left($"{self.Pid}.1.another-boot.3"), old = Left($"{self.Pid}.1.another-boot.4");
        File.SetLastWriteTimeUtc(old, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-25));

        using var again = BackupStorages.Open(new(_folder["backups"]), credentials: null, TimeProvider.System);
        Assert.Equal((true, false, true, false), (File.Exists(ours), File.Exists(dead), File.Exists(foreign), File.Exists(old)));
        await foreach (var stored in again.ListAsync("", Cancellation))
            Assert.Fail(stored.Key);

        string Left(string name)
        {
            var path = Path.Combine(uploads, name);
            File.WriteAllText(path, "x");
            return path;
        }
    }

    [Theory]
    [InlineData(28, StorageFailure.Full)]
    [InlineData(122, StorageFailure.Full)]
    [InlineData(5, StorageFailure.Unavailable)]
    [InlineData(30, StorageFailure.Refused)]
    public async Task A_disk_that_fails_is_named_and_nothing_becomes_visible(int errno, StorageFailure failure)
    {
        foreach (var step in new[] { DurableStep.Rename, DurableStep.SyncFolder })
        {
            using var storage = new FolderStorage(_folder["failing"], TimeProvider.System,
                new DurableFiles((at, _) =>
                {
                    if (at == step)
                        throw new IOException("The disk says no.", errno);
                }));
            await using (var upload = storage.Begin($"a/{step}"))
            {
                await upload.WriteAsync("x"u8.ToArray(), Cancellation);
                var e = await Assert.ThrowsAsync<BackupStorageException>(() => upload.CompleteAsync(Cancellation));
                Assert.Equal(failure, e.Failure);
                Assert.Contains($"a/{step}", e.Message, StringComparison.Ordinal);
            }
            Assert.Empty(Directory.GetFiles(_folder["failing/.uploads"]));
        }
        Assert.False(File.Exists(_folder["failing/a/Rename"]));
    }

    [Fact]
    public async Task A_full_disk_is_named_and_nothing_becomes_visible()
    {
        var mount = _folder["small"];
        Directory.CreateDirectory(mount);
        Assert.SkipUnless(Mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", mount), "Only root can mount a small disk.");
        try
        {
            using var storage = BackupStorages.Open(new(mount), credentials: null, TimeProvider.System);
            await using (var upload = storage.Begin("a/b"))
            {
                var e = await Assert.ThrowsAsync<BackupStorageException>(async () => await upload.WriteAsync(Content(3_000_000, 1), Cancellation));
                Assert.Equal(StorageFailure.Full, e.Failure);
                await Assert.ThrowsAsync<ObjectDisposedException>(() => upload.CompleteAsync(Cancellation));
            }
            Assert.Empty(Directory.GetFiles(mount, "*", SearchOption.AllDirectories));
        }
        finally
        {
            Run("umount", mount);
        }
    }

    [Fact]
    public async Task A_key_below_an_object_is_an_error_here()
    {
        await PutAsync("a", "x"u8.ToArray());
        var e = await Assert.ThrowsAsync<BackupStorageException>(() => PutAsync("a/b", "x"u8.ToArray()));
        Assert.Contains("a/b", e.Message, StringComparison.Ordinal);
        Assert.Equal("x"u8.ToArray(), await BytesAsync("a"));
    }

    private static bool Mount(params string[] arguments) => Run("mount", arguments);

    private static bool Run(string program, params string[] arguments)
    {
        var start = new System.Diagnostics.ProcessStartInfo(program, arguments) { RedirectStandardError = true, UseShellExecute = false };
        using var process = System.Diagnostics.Process.Start(start)!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
