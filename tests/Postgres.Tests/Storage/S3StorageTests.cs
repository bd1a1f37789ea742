using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Postgres.Tests.Storage;

public sealed class S3StorageTests : StorageCompliance, IClassFixture<S3Server>, IDisposable
{
    private static readonly Secret Credentials = new($"{S3Server.AccessKey}:{S3Server.SecretKey}");

    private readonly S3Server _server;
    private readonly string _url = $"s3://{S3Server.Bucket}/{Ids.NewNano()}{Ids.NewNano()}";
    private readonly IBackupStorage _storage;

    public S3StorageTests(S3Server server)
    {
        _server = server;
        _storage = BackupStorages.Open(new(_url, server.Endpoint), Credentials, TimeProvider.System);
    }

    private protected override IBackupStorage Storage => _storage;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _storage.Dispose();

    /// <summary>This server writes objects in their place, which S3 does not: what is read is right, or an error.</summary>
    [Fact]
    public override async Task Who_reads_an_object_that_is_replaced_meanwhile_gets_one_of_both_or_an_error()
    {
        var content = Content(4_000_000, 1);
        await PutAsync("same", content);
        await using var reading = await Storage.OpenAsync("same", Cancellation);
        var begun = new byte[1000];
        await reading.ReadExactlyAsync(begun, Cancellation);
        await PutAsync("same", Content(4_000_000, 2));
        using var all = new MemoryStream();
        all.Write(begun);
        try
        {
            await reading.CopyToAsync(all, Cancellation);
            AssertSame(content, all.ToArray());
        }
        catch (BackupStorageException e)
        {
            Assert.Contains(e.Failure, new[] { StorageFailure.Unavailable, StorageFailure.Damaged });
        }
    }

    /// <summary>As above.</summary>
    [Fact]
    public override async Task Of_two_writers_of_one_key_one_wins_whole()
    {
        byte[][] contents = [Content(3_000_000, 1), Content(3_000_000, 2)];
        await Task.WhenAll(contents.Select(content => PutAsync("raced", content)));
        try
        {
            var found = await BytesAsync("raced");
            Assert.Contains(contents, content => content.AsSpan().SequenceEqual(found));
        }
        catch (BackupStorageException e)
        {
            Assert.Equal(StorageFailure.Damaged, e.Failure);
        }
    }

    /// <summary>This server does not know how to abort an upload; that it is asked to is all that can be seen.</summary>
    [Fact]
    public async Task Parts_of_an_upload_that_is_broken_off_are_removed()
    {
        await using var way = new FaultyWay(_server.Port);
        using var storage = Through(way.Endpoint, Quick);
        await using (var upload = storage.Begin("in-parts"))
            await upload.WriteAsync(Content(20_000_000, 1), Cancellation);
        Assert.Contains(way.Requests, line => line.StartsWith("DELETE ", StringComparison.Ordinal) && line.Contains("/in-parts?uploadId=", StringComparison.Ordinal));
        Assert.Empty(await KeysAsync());
    }

    [Fact]
    public async Task Two_prefixes_of_a_bucket_do_not_see_each_other()
    {
        using var other = BackupStorages.Open(new(_url + "-other/", _server.Endpoint), Credentials, TimeProvider.System);
        await PutAsync("mine", "x"u8.ToArray());
        await foreach (var stored in other.ListAsync("", Cancellation))
            Assert.Fail(stored.Key);
    }

    [Fact]
    public async Task Lists_of_many_pages_are_whole()
    {
        using var storage = Through(_server.Endpoint, new S3Limits { PageSize = 3 });
        string[] keys = [.. Enumerable.Range(0, 10).Select(i => $"paged/{i}")];
        foreach (var key in keys)
            await PutAsync(key, "x"u8.ToArray());
        var found = new List<string>();
        await foreach (var stored in storage.ListAsync("paged/", Cancellation))
            found.Add(stored.Key);
        Assert.Equal(keys, found);
        await storage.DeleteAsync(keys, Cancellation);
        Assert.Empty(await KeysAsync());
    }

    [Fact]
    public async Task A_server_that_cannot_delete_many_at_once_is_asked_for_each()
    {
        await using var way = new FaultyWay(_server.Port) { Unknown = "?delete" };
        using var storage = Through(way.Endpoint, Quick);
        foreach (var key in new[] { "a", "b", "c" })
            await PutAsync(key, "x"u8.ToArray());
        await storage.DeleteAsync(["a", "b", "missing"], Cancellation);
        Assert.Equal(["c"], await KeysAsync());
        Assert.Equal((1, 3), (way.Requests.Count(line => line.StartsWith("POST ", StringComparison.Ordinal)), way.Requests.Count(line => line.StartsWith("DELETE ", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task What_the_server_refuses_is_named()
    {
        await AssertFailsAsync(new(_url, _server.Endpoint), new Secret("NOBODY:wrong"), StorageFailure.Refused, "credentials");
        await AssertFailsAsync(new("s3://no-such-bucket/x", _server.Endpoint), Credentials, StorageFailure.NotFound, "no such bucket");
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_tried_and_named()
    {
        using var storage = Through($"http://127.0.0.1:{Groundcrew.Tests.Support.FreePort.Next()}", Quick);
        var e = await Assert.ThrowsAsync<BackupStorageException>(() => storage.OpenAsync("a", Cancellation));
        Assert.Equal(StorageFailure.Unavailable, e.Failure);
        Assert.Contains("refused", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(FaultKind.Cut), 500)]
    [InlineData(nameof(FaultKind.Cut), 1_000_000)]
    [InlineData(nameof(FaultKind.Stall), 10)]
    [InlineData(nameof(FaultKind.Stall), 1_000_000)]
    [InlineData(nameof(FaultKind.Busy), 0)]
    public async Task Reading_goes_on_where_it_broke_off(string kind, long after)
    {
        await using var way = new FaultyWay(_server.Port);
        var content = Content(3_000_000, 1);
        await PutAsync("read", content);
        using var storage = Through(way.Endpoint, Quick);
        way.Order(new Fault(Enum.Parse<FaultKind>(kind), IsOutbound: kind == nameof(FaultKind.Busy), after), new Fault(FaultKind.Cut, IsOutbound: false, after + 100_000));
        AssertSame(content, await BytesAsync(storage, "read"));
        Assert.Equal(2, way.Done);
    }

    [Theory]
    [InlineData(nameof(FaultKind.Cut), 500_000)]
    [InlineData(nameof(FaultKind.Stall), 500_000)]
    [InlineData(nameof(FaultKind.Stall), 10)]
    [InlineData(nameof(FaultKind.Flip), 500_000)]
    [InlineData(nameof(FaultKind.Busy), 0)]
    public async Task Writing_is_tried_again(string kind, long after)
    {
        await using var way = new FaultyWay(_server.Port);
        using var storage = Through(way.Endpoint, Quick with { PartBytes = 5 * 1024 * 1024 });
        foreach (var size in new[] { 3_000_000, 17_000_000 })
        {
            var content = Content(size, 1);
            way.Order(new Fault(Enum.Parse<FaultKind>(kind), IsOutbound: true, after));
            await using (var upload = storage.Begin($"write-{size}"))
            {
                await upload.WriteAsync(content, Cancellation);
                await upload.CompleteAsync(Cancellation);
            }
            AssertSame(content, await BytesAsync($"write-{size}"));
        }
        Assert.Equal(2, way.Done);
    }

    [Fact]
    public async Task An_answer_that_is_lost_does_not_lose_the_object()
    {
        await using var way = new FaultyWay(_server.Port);
        using var storage = Through(way.Endpoint, Quick);
        var content = Content(20_000_000, 1);
        await using var upload = storage.Begin("answered");
        await upload.WriteAsync(content, Cancellation);
        // The request that puts the parts together; that of a part names its number before.
        way.LoseAnswerTo = "?uploadId=";
        var stored = await upload.CompleteAsync(Cancellation);
        Assert.Equal(content.Length, stored.Bytes);
        AssertSame(content, await BytesAsync("answered"));
        Assert.Equal(1, way.Done);
    }

    [Fact]
    public async Task A_bit_that_flips_on_the_way_back_is_found()
    {
        await using var way = new FaultyWay(_server.Port);
        await PutAsync("flipped", Content(1_000_000, 1));
        using var storage = Through(way.Endpoint, Quick);
        way.Order(new Fault(FaultKind.Flip, IsOutbound: false, 600_000));
        var e = await Assert.ThrowsAsync<BackupStorageException>(() => BytesAsync(storage, "flipped"));
        Assert.Equal(StorageFailure.Damaged, e.Failure);
    }

    [Fact]
    public async Task A_way_that_breaks_again_and_again_is_named_and_leaves_nothing()
    {
        await using var way = new FaultyWay(_server.Port) { Always = new(FaultKind.Cut, IsOutbound: true, 50_000) };
        using var storage = Through(way.Endpoint, Quick);
        await using (var upload = storage.Begin("broken"))
        {
            var e = await Assert.ThrowsAsync<BackupStorageException>(async () =>
            {
                for (var i = 0; i < 20; i++)
                    await upload.WriteAsync(Content(2_000_000, i), Cancellation);
                await upload.CompleteAsync(Cancellation);
            });
            Assert.Equal(StorageFailure.Unavailable, e.Failure);
            Assert.Contains("broken", e.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<ObjectDisposedException>(() => upload.CompleteAsync(Cancellation));
        }
        Assert.Empty(await KeysAsync());
    }

    [Fact]
    public async Task Pieces_lie_in_a_bucket_as_in_a_folder()
    {
        var pieces = new Pieces(_storage, Compression.Zstd, BackupKey.New());
        var content = Content(20_000_000, 1);
        BackupFile file;
        await using (var writer = pieces.Begin("a/piece", isLarge: true))
        {
            await writer.WriteAsync(content, Cancellation);
            file = await writer.CompleteAsync(Cancellation);
        }
        Assert.Equal(["a/piece.zst.enc"], await KeysAsync());
        await using var stream = await pieces.OpenAsync(file.Key, file.Sha256, Cancellation);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, Cancellation);
        AssertSame(content, all.ToArray());
    }

    private static S3Limits Quick => new() { Stall = TimeSpan.FromSeconds(1), FirstPause = TimeSpan.FromMilliseconds(10), SdkRetries = 0 };

    private S3Storage Through(string endpoint, S3Limits limits) => new(S3Place.Judge(new(_url, endpoint)).Value!, Credentials, limits, TimeProvider.System);

    private static async Task AssertFailsAsync(StorageSpec spec, Secret credentials, StorageFailure failure, string words)
    {
        using var storage = BackupStorages.Open(spec, credentials, TimeProvider.System);
        var e = await Assert.ThrowsAsync<BackupStorageException>(async () =>
        {
            await using var upload = storage.Begin("a");
            await upload.WriteAsync("x"u8.ToArray(), Cancellation);
            await upload.CompleteAsync(Cancellation);
        });
        Assert.Equal(failure, e.Failure);
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(credentials.Reveal().Split(':')[1], e.ToString(), StringComparison.Ordinal);
    }

    private static async Task<byte[]> BytesAsync(IBackupStorage storage, string key)
    {
        await using var stream = await storage.OpenAsync(key, Cancellation);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, Cancellation);
        return all.ToArray();
    }
}
