using System.Buffers;
using System.Security.Cryptography;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>An artifact as others see it.</summary>
/// <param name="Digest"><c>sha256:</c> and 64 hexadecimal digits.</param>
/// <param name="Size">In bytes.</param>
/// <param name="CreatedAt">When it was uploaded last.</param>
public sealed record ArtifactInfo(string Digest, long Size, DateTimeOffset CreatedAt);

/// <summary>How an upload ended.</summary>
public abstract record ArtifactUpload
{
    private ArtifactUpload()
    {
    }

    /// <summary>It is stored, now or since before.</summary>
    public sealed record Stored(ArtifactInfo Artifact) : ArtifactUpload;

    /// <summary>The bytes have another digest than they were sent under; nothing was kept.</summary>
    public sealed record WrongDigest(string Actual) : ArtifactUpload;

    /// <summary>It is larger than an artifact may be; nothing was kept.</summary>
    public sealed record TooLarge(long Limit) : ArtifactUpload;

    /// <summary>The disk could not take it; nothing was kept.</summary>
    public sealed record NoSpace(string Reason) : ArtifactUpload;
}

/// <summary>
/// Artifacts, addressed by the SHA-256 of their bytes (U-01): uploaded once, verified while they come in, never changed.
/// Thread-safe.
/// </summary>
/// <param name="store">Where they are listed.</param>
/// <param name="options">Where their files lie.</param>
/// <param name="files">How they are made durable.</param>
/// <param name="clock">The time.</param>
#pragma warning disable CA1001 // The semaphore makes no wait handle, so there is nothing to dispose of.
public sealed class Artifacts(Store store, DeploysOptions options, DurableFiles files, TimeProvider clock)
#pragma warning restore CA1001
{
    /// <summary>The largest artifact where the options say nothing else, in bytes.</summary>
    public const long MaxBytes = 8L * 1024 * 1024 * 1024;

    /// <summary>Held while a file and its row appear or disappear together.</summary>
    private readonly SemaphoreSlim _gate = new(1, 1);

    private const string Prefix = "sha256:";
    private const int HexLength = 64;
    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdef");

    /// <summary>Whether the text is a digest as we write them.</summary>
    public static bool IsDigest(string? text) =>
        text?.Length == Prefix.Length + HexLength && text.StartsWith(Prefix, StringComparison.Ordinal)
        && text.AsSpan(Prefix.Length).IndexOfAnyExcept(Hex) < 0;

    /// <summary>Takes the bytes of an artifact in, verifying them on the way.</summary>
    public async Task<ArtifactUpload> UploadAsync(string digest, Stream content, CancellationToken cancellation)
    {
        if (File.Exists(PathOf(digest)) && await store.WriteAsync((db, cancel) => AgainAsync(db, digest, cancel), cancellation) is { } known)
            return new ArtifactUpload.Stored(known);
        var size = 0L;
        string? actual = null;
        var isHeld = false;
        try
        {
            await files.ReplaceAsync(PathOf(digest), async (file, cancel) =>
            {
                (size, actual) = await CopyAsync(content, file, cancel);
                if (actual != digest)
                    return false;
                await _gate.WaitAsync(cancel);
                return isHeld = true;
            }, cancellation);
            if (actual is null)
                return new ArtifactUpload.TooLarge(options.MaxArtifactBytes);
            if (actual != digest)
                return new ArtifactUpload.WrongDigest(actual);
            return new ArtifactUpload.Stored(await store.WriteAsync((db, cancel) => ListAsync(db, digest, size, cancel), cancellation));
        }
        catch (IOException e) when (IsDiskFault(e))
        {
            return new ArtifactUpload.NoSpace(e.Message);
        }
        finally
        {
            if (isHeld)
                _gate.Release();
        }
    }

    /// <summary>An artifact that is stored; null when it is not.</summary>
    public Task<ArtifactInfo?> FindAsync(string digest, CancellationToken cancellation) =>
        store.ReadAsync((db, cancel) => FindAsync(db, digest, cancel), cancellation);

    /// <summary>The file of an artifact; null when it is not stored.</summary>
    public async Task<string?> FileAsync(string digest, CancellationToken cancellation) =>
        await FindAsync(digest, cancellation) is null || !File.Exists(PathOf(digest)) ? null : PathOf(digest);

    internal static async Task<ArtifactInfo?> FindAsync(StoreContext db, string digest, CancellationToken cancellation)
    {
        var row = await db.Set<ArtifactRow>().SingleOrDefaultAsync(a => a.Digest == digest, cancellation);
        return row is null ? null : new ArtifactInfo(row.Digest, row.Size, row.CreatedAt);
    }

    /// <summary>
    /// Forgets the artifacts that <paramref name="unneeded"/> names in the same transaction, and then removes their files.
    /// Returns how many.
    /// </summary>
    internal async Task<int> ForgetAsync(Func<StoreContext, CancellationToken, Task<IReadOnlyList<string>>> unneeded, CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation);
        try
        {
            var digests = await store.WriteAsync(async (db, cancel) =>
            {
                var found = await unneeded(db, cancel);
                await db.Set<ArtifactRow>().Where(a => found.Contains(a.Digest)).ExecuteDeleteAsync(cancel);
                return found;
            }, cancellation);
            foreach (var digest in digests)
                files.Delete(PathOf(digest));
            return digests.Count;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>One that is stored counts as uploaded now, so that whoever deploys it next still finds it.</summary>
    private async Task<ArtifactInfo?> AgainAsync(StoreContext db, string digest, CancellationToken cancellation)
    {
        var row = await db.Set<ArtifactRow>().AsTracking().SingleOrDefaultAsync(a => a.Digest == digest, cancellation);
        if (row is null)
            return null;
        row.CreatedAt = clock.StoreNow();
        return new ArtifactInfo(row.Digest, row.Size, row.CreatedAt);
    }

    private async Task<ArtifactInfo> ListAsync(StoreContext db, string digest, long size, CancellationToken cancellation)
    {
        if (await AgainAsync(db, digest, cancellation) is { } known)
            return known;
        var row = new ArtifactRow { Digest = digest, Size = size, CreatedAt = clock.StoreNow() };
        db.Add(row);
        return new ArtifactInfo(row.Digest, row.Size, row.CreatedAt);
    }

    private async Task<(long Size, string? Digest)> CopyAsync(Stream from, Stream to, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[128 * 1024];
        long size = 0;
        int read;
        while ((read = await from.ReadAsync(buffer, cancellation)) > 0)
        {
            size += read;
            if (size > options.MaxArtifactBytes)
                return (size, null);
            hash.AppendData(buffer, 0, read);
            await to.WriteAsync(buffer.AsMemory(0, read), cancellation);
        }
        return (size, Prefix + Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    /// <summary>ENOSPC, EDQUOT, EROFS, EIO and EFBIG of the disk, not a broken connection of the sender.</summary>
    private static bool IsDiskFault(IOException e) => (e.HResult & 0xFFFF) is 28 or 122 or 30 or 5 or 27;

    private string PathOf(string digest) =>
        Path.Combine(options.ArtifactFolder, "sha256", digest.Substring(Prefix.Length, 2), digest[Prefix.Length..]);
}
