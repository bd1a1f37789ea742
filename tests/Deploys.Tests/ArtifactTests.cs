using System.Security.Cryptography;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>Artifacts come in whole and verified, or not at all.</summary>
public sealed class ArtifactTests : IAsyncLifetime
{
    private readonly SqliteSource _source = new();
    private readonly ManualClock _clock = new();
    private Store _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Folder => _source.Folder["artifacts"];

    public async ValueTask InitializeAsync() => _store = await StoreSource.OpenAsync(await _source.NewAsync(), [new FleetTables(), new DeploysTables()]);

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _source.Dispose();
    }

    [Fact]
    public async Task Bytes_under_another_digest_are_refused_and_not_kept()
    {
        var refused = Assert.IsType<ArtifactUpload.WrongDigest>(await Make().UploadAsync(DigestOf([1]), new MemoryStream([2]), Ct));
        Assert.Equal(DigestOf([2]), refused.Actual);
        Assert.Empty(Files());
    }

    [Fact]
    public async Task One_that_is_too_large_is_refused_and_not_kept()
    {
        var artifacts = Make(new DeploysOptions("localhost", Folder) { MaxArtifactBytes = 3 });
        Assert.Equal(3, Assert.IsType<ArtifactUpload.TooLarge>(await artifacts.UploadAsync(DigestOf([1, 2, 3, 4]), new MemoryStream([1, 2, 3, 4]), Ct)).Limit);
        Assert.Empty(Files());
        Assert.IsType<ArtifactUpload.Stored>(await artifacts.UploadAsync(DigestOf([1, 2, 3]), new MemoryStream([1, 2, 3]), Ct));
    }

    [Fact]
    public async Task A_disk_that_is_full_at_any_step_is_said_and_nothing_is_kept()
    {
        foreach (var step in Enum.GetValues<DurableStep>().Except([DurableStep.SyncFolder]))
        {
            var artifacts = Make(files: new DurableFiles((now, _) =>
            {
                if (now == step)
                    throw new IOException("No space left on device", 28);
            }));
            Assert.IsType<ArtifactUpload.NoSpace>(await artifacts.UploadAsync(DigestOf([1]), new MemoryStream([1]), Ct));
            Assert.Empty(Files());
            Assert.Null(await artifacts.FindAsync(DigestOf([1]), Ct));
        }
    }

    [Fact]
    public async Task A_disk_that_is_really_full_is_said()
    {
        using var disk = SmallDisk.TryMake("256k");
        if (disk is null)
            Assert.Skip("mounting a small disk needs root");
        var bytes = new byte[1024 * 1024];
        var artifacts = Make(new DeploysOptions("localhost", disk.Path));
        Assert.IsType<ArtifactUpload.NoSpace>(await artifacts.UploadAsync(DigestOf(bytes), new MemoryStream(bytes), Ct));
        Assert.Empty(Directory.EnumerateFiles(disk.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Many_uploads_of_one_digest_at_once_all_succeed()
    {
        var (artifacts, bytes) = (Make(), RandomNumberGenerator.GetBytes(300_000));
        var uploads = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => artifacts.UploadAsync(DigestOf(bytes), new MemoryStream(bytes), Ct), Ct)));
        Assert.All(uploads, u => Assert.IsType<ArtifactUpload.Stored>(u));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Assert.Single(Files()), Ct));
    }

    [Fact]
    public async Task An_upload_that_breaks_off_leaves_nothing_and_can_be_repeated()
    {
        var artifacts = Make();
        await Assert.ThrowsAsync<IOException>(() => artifacts.UploadAsync(DigestOf([1]), new BreakingStream(), Ct));
        Assert.Empty(Files());
        Assert.IsType<ArtifactUpload.Stored>(await artifacts.UploadAsync(DigestOf([1]), new MemoryStream([1]), Ct));
    }

    [Fact]
    public async Task A_file_that_was_lost_is_not_given_out_and_is_taken_again()
    {
        var artifacts = Make();
        await artifacts.UploadAsync(DigestOf([1]), new MemoryStream([1]), Ct);
        File.Delete(Assert.Single(Files()));
        Assert.Null(await artifacts.FileAsync(DigestOf([1]), Ct));
        Assert.IsType<ArtifactUpload.Stored>(await artifacts.UploadAsync(DigestOf([1]), new MemoryStream([1]), Ct));
        Assert.NotNull(await artifacts.FileAsync(DigestOf([1]), Ct));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("sha256:", false)]
    [InlineData("sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false)]
    [InlineData("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/", false)]
    [InlineData("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true)]
    public void A_digest_is_written_one_way(string text, bool isDigest) => Assert.Equal(isDigest, Artifacts.IsDigest(text));

    private static string DigestOf(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    private Artifacts Make(DeploysOptions? options = null, DurableFiles? files = null) =>
        new(_store, options ?? new DeploysOptions("localhost", Folder), files ?? DurableFiles.Real, _clock);

    private string[] Files() => Directory.Exists(Folder) ? Directory.GetFiles(Folder, "*", SearchOption.AllDirectories) : [];

    private sealed class BreakingStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new IOException("the connection was reset", 104);
    }
}
