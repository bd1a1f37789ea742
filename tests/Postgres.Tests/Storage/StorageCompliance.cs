using Xunit;

namespace Groundcrew.Postgres.Tests.Storage;

/// <summary>What every storage does; each implementation inherits it.</summary>
public abstract class StorageCompliance
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected abstract IBackupStorage Storage { get; }

    [Fact]
    public async Task An_object_is_there_when_it_is_completed_and_not_before()
    {
        await using var upload = Storage.Begin("a/object");
        await upload.WriteAsync("hello "u8.ToArray(), Cancellation);
        await upload.WriteAsync("world"u8.ToArray(), Cancellation);
        Assert.Empty(await KeysAsync());
        await AssertMissingAsync("a/object");

        var stored = await upload.CompleteAsync(Cancellation);
        Assert.Equal(("a/object", 11L), (stored.Key, stored.Bytes));
        Assert.Equal("hello world"u8.ToArray(), await BytesAsync("a/object"));
        var listed = Assert.Single(await ListAsync(""));
        Assert.Equal(("a/object", 11L), (listed.Key, listed.Bytes));
        Assert.InRange(listed.ModifiedAt, TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddHours(1));
    }

    [Fact]
    public async Task An_upload_that_is_not_completed_leaves_nothing()
    {
        await PutAsync("kept", "kept"u8.ToArray());
        await using (var upload = Storage.Begin("kept"))
            await upload.WriteAsync(Content(20_000_000, 1), Cancellation);
        await using (Storage.Begin("empty"))
        {
            // Nothing is written at all.
        }
        Assert.Equal(["kept"], await KeysAsync());
        Assert.Equal("kept"u8.ToArray(), await BytesAsync("kept"));
    }

    [Fact]
    public async Task A_cancelled_upload_leaves_nothing_and_cannot_be_completed()
    {
        using var cancelled = new CancellationTokenSource();
        await using (var upload = Storage.Begin("cancelled"))
        {
            await upload.WriteAsync(Content(100_000, 1), Cancellation);
            await cancelled.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                for (var i = 0; i < 30; i++)
                    await upload.WriteAsync(Content(1_000_000, 1), cancelled.Token);
            });
            await Assert.ThrowsAsync<ObjectDisposedException>(() => upload.CompleteAsync(Cancellation));
        }
        Assert.Empty(await KeysAsync());
    }

    [Fact]
    public async Task An_object_is_replaced_as_a_whole()
    {
        await PutAsync("same", Content(300_000, 1));
        await PutAsync("same", "short"u8.ToArray());
        Assert.Equal("short"u8.ToArray(), await BytesAsync("same"));
        Assert.Equal(5, Assert.Single(await ListAsync("")).Bytes);
    }

    [Fact]
    public virtual async Task Who_reads_an_object_that_is_replaced_meanwhile_gets_one_of_both_or_an_error()
    {
        var old = Content(30_000_000, 1);
        await PutAsync("same", old);
        await using var reading = await Storage.OpenAsync("same", Cancellation);
        var begun = new byte[1000];
        await reading.ReadExactlyAsync(begun, Cancellation);
        await PutAsync("same", Content(30_000_000, 2));
        using var all = new MemoryStream();
        all.Write(begun);
        try
        {
            await reading.CopyToAsync(all, Cancellation);
            Assert.True(all.ToArray().AsSpan().SequenceEqual(old));
        }
        catch (BackupStorageException e)
        {
            Assert.Equal(StorageFailure.Unavailable, e.Failure);
        }
    }

    [Fact]
    public virtual async Task Of_two_writers_of_one_key_one_wins_whole()
    {
        byte[][] contents = [Content(9_000_000, 1), Content(9_000_000, 2)];
        await Task.WhenAll(contents.Select(content => PutAsync("raced", content)));
        var found = await BytesAsync("raced");
        Assert.Contains(contents, content => content.AsSpan().SequenceEqual(found));
    }

    [Fact]
    public async Task A_big_object_of_many_parts_comes_back()
    {
        var content = Content(40_000_001, 3);
        await PutAsync("big", content, step: 777_777);
        AssertSame(content, await BytesAsync("big"));
        Assert.Equal(content.Length, Assert.Single(await ListAsync("")).Bytes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8 * 1024 * 1024 - 1)]
    [InlineData(8 * 1024 * 1024)]
    [InlineData(8 * 1024 * 1024 + 1)]
    [InlineData(16 * 1024 * 1024)]
    public async Task Objects_of_every_size_come_back(int bytes)
    {
        var content = Content(bytes, 4);
        await PutAsync("sized", content);
        AssertSame(content, await BytesAsync("sized"));
    }

    [Fact]
    public async Task What_is_written_may_be_overwritten_by_the_writer_at_once()
    {
        var buffer = new byte[1_000_000];
        await using (var upload = Storage.Begin("reused"))
        {
            for (byte i = 0; i < 20; i++)
            {
                buffer.AsSpan().Fill(i);
                await upload.WriteAsync(buffer, Cancellation);
            }
            buffer.AsSpan().Fill(255);
            await upload.CompleteAsync(Cancellation);
        }
        var found = await BytesAsync("reused");
        for (byte i = 0; i < 20; i++)
            Assert.Equal(-1, found.AsSpan(i * 1_000_000, 1_000_000).IndexOfAnyExcept(i));
    }

    [Fact]
    public async Task Lists_come_in_the_order_of_the_bytes_of_keys_and_know_prefixes()
    {
        string[] keys = ["a", "b-c", "b/c", "b/c-1", "b/c/e", "b/d", "b0", "c/\uFFFD", "c/\U0001F600", "c/é", "c/z", "ca"];
        // A key may not be another's folder in every storage.
        keys = [.. keys.Where(key => key != "b/c")];
        foreach (var key in keys.Reverse())
            await PutAsync(key, "x"u8.ToArray());

        Assert.Equal(["a", "b-c", "b/c-1", "b/c/e", "b/d", "b0", "c/z", "c/é", "c/\uFFFD", "c/\U0001F600", "ca"], await KeysAsync());
        Assert.Equal(["b/c-1", "b/c/e", "b/d"], await KeysAsync("b/"));
        Assert.Equal(["b/c-1", "b/c/e"], await KeysAsync("b/c"));
        Assert.Equal(["b-c", "b/c-1", "b/c/e", "b/d", "b0"], await KeysAsync("b"));
        Assert.Equal(["b/c-1"], await KeysAsync("b/c-1"));
        Assert.Empty(await KeysAsync("b/c/e/"));
        Assert.Empty(await KeysAsync("d"));
    }

    [Fact]
    public async Task Long_lists_are_whole()
    {
        var keys = Enumerable.Range(0, 1100).Select(i => $"many/{i:D5}").ToArray();
        await Parallel.ForEachAsync(keys, Cancellation, async (key, _) => await PutAsync(key, "x"u8.ToArray()));
        Assert.Equal(keys, await KeysAsync("many/"));
        await Storage.DeleteAsync(keys, Cancellation);
        Assert.Empty(await KeysAsync());
    }

    [Theory]
    [InlineData("a b/c+d")]
    [InlineData("a%20b/%2e%2e")]
    [InlineData("q?x=1&y=2#z")]
    [InlineData("~!@$^*()_-={}[]|:;\"'<>,")]
    [InlineData("größe/東京/😀")]
    [InlineData("a/.hidden")]
    [InlineData("a/b.")]
    [InlineData("a/...")]
    public async Task Odd_keys_are_keys(string key)
    {
        await PutAsync(key, "odd"u8.ToArray());
        Assert.Equal([key], await KeysAsync());
        Assert.Equal("odd"u8.ToArray(), await BytesAsync(key));
        await Storage.DeleteAsync([key], Cancellation);
        Assert.Empty(await KeysAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("a/../b")]
    [InlineData("a/.")]
    [InlineData(".uploads/a")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    public async Task What_is_no_key_is_refused(string key)
    {
        Assert.Throws<ArgumentException>(() => Storage.Begin(key));
        await Assert.ThrowsAsync<ArgumentException>(() => Storage.OpenAsync(key, Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => Storage.DeleteAsync(["good", key], Cancellation));
    }

    [Fact]
    public void Keys_that_are_too_long_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Storage.Begin(new string('a', 256)));
        Assert.Throws<ArgumentException>(() => Storage.Begin(string.Join('/', Enumerable.Repeat(new string('a', 200), 6))));
        Assert.Throws<ArgumentException>(() => Storage.Begin("a\ud800"));
    }

    [Fact]
    public async Task Deleting_is_fine_with_what_is_not_there()
    {
        await PutAsync("a/b/c", "x"u8.ToArray());
        await PutAsync("a/d", "x"u8.ToArray());
        await Storage.DeleteAsync(["a/b/c", "a/b/missing", "missing/too", "a/b"], Cancellation);
        await Storage.DeleteAsync([], Cancellation);
        Assert.Equal(["a/d"], await KeysAsync());
        await AssertMissingAsync("a/b/c");
    }

    [Fact]
    public async Task What_is_not_there_cannot_be_read()
    {
        await AssertMissingAsync("missing");
        await AssertMissingAsync("missing/too");
        await PutAsync("a/b", "x"u8.ToArray());
        await AssertMissingAsync("a");
        await AssertMissingAsync("a/b/c");
    }

    [Fact]
    public async Task Little_is_held_in_memory_however_big_an_object_is()
    {
        var chunk = Content(1_000_000, 5);
        await PutAsync("warm", Content(40_000_000, 5));
        var before = GC.GetTotalMemory(forceFullCollection: true);
        long most = 0;
        await using (var upload = Storage.Begin("large"))
        {
            for (var i = 0; i < 120; i++)
            {
                await upload.WriteAsync(chunk, Cancellation);
                if (i % 20 == 19)
                    most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
            await upload.CompleteAsync(Cancellation);
        }
        Assert.True(most < 80_000_000, $"{most} bytes were held.");
    }

    private protected static void AssertSame(byte[] expected, byte[] found) =>
        Assert.True(expected.AsSpan().SequenceEqual(found), $"{found.Length} bytes came back of {expected.Length}, and differ at {expected.AsSpan().CommonPrefixLength(found)}.");

    private protected static byte[] Content(int bytes, int seed)
    {
        var content = new byte[bytes];
        new Random(seed).NextBytes(content);
        return content;
    }

    private protected async Task PutAsync(string key, byte[] content, int step = int.MaxValue)
    {
        await using var upload = Storage.Begin(key);
        for (var at = 0; at < content.Length; at += Math.Min(step, content.Length - at))
            await upload.WriteAsync(content.AsMemory(at, Math.Min(step, content.Length - at)), Cancellation);
        await upload.CompleteAsync(Cancellation);
    }

    private protected async Task<byte[]> BytesAsync(string key)
    {
        await using var stream = await Storage.OpenAsync(key, Cancellation);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, Cancellation);
        return all.ToArray();
    }

    private protected async Task<List<StoredObject>> ListAsync(string prefix)
    {
        var found = new List<StoredObject>();
        await foreach (var stored in Storage.ListAsync(prefix, Cancellation))
            found.Add(stored);
        return found;
    }

    private protected async Task<string[]> KeysAsync(string prefix = "") => [.. (await ListAsync(prefix)).Select(stored => stored.Key)];

    private async Task AssertMissingAsync(string key)
    {
        var e = await Assert.ThrowsAsync<BackupStorageException>(() => BytesAsync(key));
        Assert.Equal(StorageFailure.NotFound, e.Failure);
        Assert.Contains(key, e.Message, StringComparison.Ordinal);
    }
}
