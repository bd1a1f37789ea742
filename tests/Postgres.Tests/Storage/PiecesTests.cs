using System.Security.Cryptography;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Storage;

public sealed class PiecesTests : IDisposable
{
    private static readonly Secret Key = new(Convert.ToBase64String([.. Enumerable.Range(0, 32).Select(i => (byte)i)]));
    private static readonly Secret OtherKey = new(Convert.ToBase64String(new byte[32]));

    private readonly TempFolder _folder = new();
    private readonly IBackupStorage _storage;

    public PiecesTests() => _storage = BackupStorages.Open(new(_folder.Path), credentials: null, TimeProvider.System);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<Compression, bool> Ways => new(
        from compression in Enum.GetValues<Compression>()
        from isEncrypted in new[] { false, true }
        select (compression, isEncrypted));

    public void Dispose()
    {
        _storage.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_was_written_is_read(Compression compression, bool isEncrypted)
    {
        var pieces = PiecesOf(compression, isEncrypted);
        foreach (var size in new[] { 0, 1, 1000, 131_071, 131_072, 131_073, 262_144, 1_000_000, 5_000_000 })
        {
            foreach (var step in new[] { 131_072, 10_007, int.MaxValue })
            {
                var content = Pages(size);
                var file = await WriteAsync(pieces, $"piece-{size}", content, step);
                Assert.Equal(content.Length, file.PlainBytes);
                Assert.Equal($"piece-{size}{Pieces.SuffixOf(compression)}{(isEncrypted ? ".enc" : "")}", file.Key);
                var stored = await File.ReadAllBytesAsync(_folder[file.Key], Cancellation);
                Assert.Equal((stored.Length, Convert.ToHexStringLower(SHA256.HashData(stored))), (file.Bytes, file.Sha256));
                AssertSame(content, await ReadAsync(pieces, file.Key, file.Sha256));
            }
        }
    }

    [Theory]
    [InlineData(Compression.Gzip, "gzip")]
    [InlineData(Compression.Zstd, "zstd")]
    public async Task Compressed_objects_are_those_of_the_usual_tools(Compression compression, string tool)
    {
        foreach (var size in new[] { 0, 10, 3_000_000 })
        {
            var file = await WriteAsync(PiecesOf(compression, isEncrypted: false), $"tool-{size}", Pages(size), 5000);
            var start = new System.Diagnostics.ProcessStartInfo(tool, ["-dc", _folder[file.Key]]) { RedirectStandardOutput = true, UseShellExecute = false };
            using var process = System.Diagnostics.Process.Start(start)!;
            using var plain = new MemoryStream();
            await process.StandardOutput.BaseStream.CopyToAsync(plain, Cancellation);
            await process.WaitForExitAsync(Cancellation);
            Assert.Equal(0, process.ExitCode);
            AssertSame(Pages(size), plain.ToArray());
        }
    }

    [Fact]
    public async Task Compression_with_other_threads_gives_the_same_content()
    {
        var pieces = PiecesOf(Compression.Zstd, isEncrypted: false);
        var content = Pages(20_000_000);
        await using var writer = pieces.Begin("large", isLarge: true);
        await writer.WriteAsync(content, Cancellation);
        var file = await writer.CompleteAsync(Cancellation);
        Assert.InRange(file.Bytes, 1, content.Length / 2);
        AssertSame(content, await ReadAsync(pieces, file.Key, file.Sha256));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Any_flipped_bit_is_found_with_the_checksum(Compression compression, bool isEncrypted)
    {
        var pieces = PiecesOf(compression, isEncrypted);
        var file = await WriteAsync(pieces, "flipped", Pages(300_000), 5000);
        await ForEachDamageAsync(file.Key, Flips, _ => AssertDamagedAsync(pieces, file.Key, file.Sha256));
    }

    [Theory]
    [InlineData(Compression.Zstd, false)]
    [InlineData(Compression.None, true)]
    [InlineData(Compression.Gzip, true)]
    [InlineData(Compression.Zstd, true)]
    public async Task Any_flipped_bit_is_found_without_the_checksum(Compression compression, bool isEncrypted)
    {
        var pieces = PiecesOf(compression, isEncrypted);
        var content = Pages(300_000);
        var file = await WriteAsync(pieces, "flipped", content, 5000);
        await ForEachDamageAsync(file.Key, Flips, async _ =>
        {
            // A frame of zstd has a few bits that mean nothing: what comes then is right.
            if (isEncrypted)
                await AssertDamagedAsync(pieces, file.Key, sha256: null);
            else
                await AssertRightOrDamagedAsync(pieces, file.Key, content);
        });
    }

    [Theory]
    [InlineData(Compression.Gzip, false)]
    [InlineData(Compression.Zstd, false)]
    [InlineData(Compression.None, true)]
    [InlineData(Compression.Zstd, true)]
    public async Task What_is_cut_off_or_goes_on_is_found_without_the_checksum(Compression compression, bool isEncrypted)
    {
        var pieces = PiecesOf(compression, isEncrypted);
        var file = await WriteAsync(pieces, "cut", Content(600_000), 5000);
        await ForEachDamageAsync(file.Key, Cuts, _ => AssertDamagedAsync(pieces, file.Key, sha256: null));
    }

    [Fact]
    public async Task Chunks_cannot_be_moved_left_out_or_repeated()
    {
        const int Header = 52, Chunk = 131_072 + 16;
        var pieces = PiecesOf(Compression.None, isEncrypted: true);
        var file = await WriteAsync(pieces, "chunks", Content(131_072 * 4), 5000);
        await ForEachDamageAsync(file.Key, whole =>
        {
            var header = whole[..Header];
            byte[][] chunks = [.. Enumerable.Range(0, 4).Select(i => whole[(Header + i * Chunk)..(Header + (i + 1) * Chunk)])];
            int[][] orders = [[0, 2, 1, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2, 3, 3], [0, 0, 1, 2, 3], [3], [1, 0, 2, 3], []];
            return orders.Select(order => (byte[])[.. header, .. order.SelectMany(i => chunks[i])]);
        }, _ => AssertDamagedAsync(pieces, file.Key, sha256: null));
    }

    [Fact]
    public async Task Another_key_or_none_is_refused_with_words()
    {
        var file = await WriteAsync(PiecesOf(Compression.Zstd, isEncrypted: true), "sealed", Pages(1000), 100);
        var other = new Pieces(_storage, Compression.Zstd, OtherKey);
        var e = await Assert.ThrowsAsync<BackupStorageException>(() => ReadAsync(other, file.Key, file.Sha256));
        Assert.Equal(StorageFailure.Refused, e.Failure);
        Assert.Contains(other.KeyId!, e.Message, StringComparison.Ordinal);
        e = await Assert.ThrowsAsync<BackupStorageException>(() => ReadAsync(new Pieces(_storage, Compression.Zstd, key: null), file.Key, file.Sha256));
        Assert.Equal(StorageFailure.Refused, e.Failure);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not base 64!")]
    [InlineData("AAAA")]
    public void A_key_that_is_none_is_refused_and_not_shown(string key)
    {
        var e = Assert.Throws<BackupStorageException>(() => new Pieces(_storage, Compression.None, new Secret(key)));
        Assert.Equal(StorageFailure.Refused, e.Failure);
        Assert.True(key.Length == 0 || !e.Message.Contains(key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nothing_stays_of_a_piece_that_is_not_completed()
    {
        foreach (var compression in Enum.GetValues<Compression>())
        {
            await using var writer = PiecesOf(compression, isEncrypted: true).Begin("broken");
            await writer.WriteAsync(Content(2_000_000), Cancellation);
        }
        Assert.Empty(Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Two_objects_of_the_same_content_share_no_byte_beyond_their_headers()
    {
        var pieces = PiecesOf(Compression.None, isEncrypted: true);
        var a = await File.ReadAllBytesAsync(_folder[(await WriteAsync(pieces, "a", new byte[4096], 4096)).Key], Cancellation);
        var b = await File.ReadAllBytesAsync(_folder[(await WriteAsync(pieces, "b", new byte[4096], 4096)).Key], Cancellation);
        Assert.Equal(a[..20], b[..20]);
        Assert.InRange(a[20..].Zip(b[20..]).Count(pair => pair.First == pair.Second), 0, 100);
    }

    private static void AssertSame(byte[] expected, byte[] found) =>
        Assert.True(expected.AsSpan().SequenceEqual(found), $"{found.Length} bytes came back of {expected.Length}, and differ at {expected.AsSpan().CommonPrefixLength(found)}.");

    private static IEnumerable<byte[]> Flips(byte[] whole)
    {
        for (var at = 0; at < whole.Length; at += at < 80 ? 1 : 1 + whole.Length / 60)
            yield return Flipped(whole, at);
        yield return Flipped(whole, whole.Length - 1);

        static byte[] Flipped(byte[] whole, int at)
        {
            byte[] flipped = [.. whole];
            flipped[at] ^= (byte)(1 << (at % 8));
            return flipped;
        }
    }

    private static IEnumerable<byte[]> Cuts(byte[] whole)
    {
        for (var left = 0; left < whole.Length; left += left < 70 ? 1 : 20_011)
            yield return whole[..left];
        yield return whole[..^1];
        // Where a chunk ends.
        yield return whole[..(52 + 131_072 + 16)];
        yield return [.. whole, 0];
        yield return [.. whole, .. new byte[200_000]];
        yield return [.. whole, .. whole];
    }

    private async Task ForEachDamageAsync(string key, Func<byte[], IEnumerable<byte[]>> damages, Func<byte[], Task> assert)
    {
        var whole = await File.ReadAllBytesAsync(_folder[key], Cancellation);
        foreach (var damaged in damages(whole))
        {
            await File.WriteAllBytesAsync(_folder[key], damaged, Cancellation);
            await assert(damaged);
        }
    }

    private static async Task AssertDamagedAsync(Pieces pieces, string key, string? sha256)
    {
        var e = await Assert.ThrowsAsync<BackupStorageException>(() => ReadAsync(pieces, key, sha256));
        // A header whose key id is damaged looks like one of another key.
        Assert.Contains(e.Failure, new[] { StorageFailure.Damaged, StorageFailure.Refused });
        Assert.Contains(key, e.Message, StringComparison.Ordinal);
    }

    private static async Task AssertRightOrDamagedAsync(Pieces pieces, string key, byte[] content)
    {
        try
        {
            AssertSame(content, await ReadAsync(pieces, key, sha256: null));
        }
        catch (BackupStorageException e)
        {
            Assert.Equal(StorageFailure.Damaged, e.Failure);
        }
    }

    private Pieces PiecesOf(Compression compression, bool isEncrypted) => new(_storage, compression, isEncrypted ? Key : null);

    private static async Task<BackupFile> WriteAsync(Pieces pieces, string key, byte[] content, int step)
    {
        await using var writer = pieces.Begin(key);
        for (var at = 0; at < content.Length; at += Math.Min(step, content.Length - at))
            await writer.WriteAsync(content.AsMemory(at, Math.Min(step, content.Length - at)), Cancellation);
        return await writer.CompleteAsync(Cancellation);
    }

    private static async Task<byte[]> ReadAsync(Pieces pieces, string key, string? sha256)
    {
        await using var stream = await pieces.OpenAsync(key, sha256, Cancellation);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, Cancellation);
        return all.ToArray();
    }

    /// <summary>Something that can be compressed, like the pages of a table.</summary>
    private static byte[] Pages(int bytes)
    {
        var random = new Random(bytes);
        var text = new StringBuilder();
        while (text.Length < bytes)
            text.Append("row ").Append(random.Next(100_000)).Append(" of an account, balance ").Append(random.Next(50)).Append('\n');
        return Encoding.ASCII.GetBytes(text.ToString())[..bytes];
    }

    private static byte[] Content(int bytes)
    {
        var content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        return content;
    }
}
