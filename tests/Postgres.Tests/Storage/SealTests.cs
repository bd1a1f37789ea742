using System.Security.Cryptography;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Storage;

/// <summary>What docs/formats/backup-encryption.md says; the expected bytes are of another program that was written by that page.</summary>
public sealed class SealTests
{
    private const string Golden =
        "637265777365616c01011100630dcd2966c43366a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
        + "6f450f4210ca7d94ed6f31cfc2126cdb3c5ff6b43f3a423b9637d5936764a17c70a3e4a53d1fab1392";

    private static readonly Secret Key = new(Convert.ToBase64String([.. Enumerable.Range(0, 32).Select(i => (byte)i)]));
    private static readonly byte[] Salt = [.. Enumerable.Range(0xa0, 32).Select(i => (byte)i)];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_object_of_version_1_is_read()
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder["golden.enc"], Convert.FromHexString(Golden));
        using var storage = BackupStorages.Open(new(folder.Path), credentials: null, TimeProvider.System);
        using var stream = new StreamReader(await new Pieces(storage, Compression.None, Key).OpenAsync("golden.enc", sha256: null, Cancellation));
        Assert.Equal("a backup that comes back\n", await stream.ReadToEndAsync(Cancellation));
    }

    [Fact]
    public async Task An_object_is_written_as_the_page_says() =>
        Assert.Equal(Golden, Convert.ToHexStringLower(await SealAsync("a backup that comes back\n"u8.ToArray())));

    [Theory]
    [InlineData(0, "6d029cc759e5f12c21ced15e0e78bd001657b708f57cb182d1792c7ae4cb1e7c")]
    [InlineData(131_072, "b7937ed0ba38242bf06ab1619a96e53a2b3cb9389b4b0b32cb723628c9eda0eb")]
    [InlineData(131_073, "c16cc76f5f22f4514c02c86457344c7156b653b9c9e2f265675a0d9f8940b9b7")]
    [InlineData(400_000, "fa3b2a6449bf1fc2348c8d9abcec76e9923f2bf58c0b4b6f89222e8f9952e715")]
    public async Task Objects_of_many_chunks_are_written_as_the_page_says(int bytes, string sha256) =>
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(await SealAsync([.. Enumerable.Range(0, bytes).Select(i => (byte)(i % 251))]))));

    [Fact]
    public void A_key_does_not_show_itself()
    {
        var key = BackupKey.From(Key);
        Assert.Equal("630dcd2966c43366", key.Id);
        Assert.DoesNotContain(Key.Reveal(), key.ToString(), StringComparison.Ordinal);
        Assert.NotEqual(BackupKey.New().Reveal(), BackupKey.New().Reveal());
    }

    private static async Task<byte[]> SealAsync(byte[] plain)
    {
        using var folder = new TempFolder();
        using var storage = BackupStorages.Open(new(folder.Path), credentials: null, TimeProvider.System);
        await using var stored = new StoredStage(storage.Begin("sealed.enc"));
        await using (var seal = new SealStage(stored, BackupKey.From(Key), Salt))
        {
            await seal.WriteAsync(plain, Cancellation);
            await seal.FinishAsync(Cancellation);
            await stored.CompleteAsync(Cancellation);
        }
        return await File.ReadAllBytesAsync(folder["sealed.enc"], Cancellation);
    }
}
