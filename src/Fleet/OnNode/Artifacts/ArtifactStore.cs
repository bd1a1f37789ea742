using System.Collections.Concurrent;
using System.Security.Cryptography;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// Unpacked artifacts by digest, <c>artifacts/&lt;hex&gt;/</c>. A folder appears by a rename when it is complete, and is
/// shared by all instances of the digest. Thread-safe; instances that want one digest at once share one fetch.
/// </summary>
internal sealed class ArtifactStore(string folder, IArtifactSource source, InstanceHostOptions options, TimeProvider clock, ILogger log)
{
    private const int FewFiles = 64;
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _fetches = new(StringComparer.Ordinal);

    /// <summary>The folder of an artifact, fetched when it is not there yet.</summary>
    /// <param name="digest"><c>sha256:</c> and 64 hexadecimal digits.</param>
    /// <param name="host">Ends the fetch itself: it goes on when one of those who wait leaves.</param>
    /// <param name="cancellation">Ends this wait.</param>
    /// <exception cref="ArtifactRefusedException">Its bytes are not what the digest says, or cannot be unpacked safely.</exception>
    /// <exception cref="IOException">It cannot be had now.</exception>
    public async Task<string> EnsureAsync(string digest, CancellationToken host, CancellationToken cancellation)
    {
        var hex = Hex(digest);
        var ready = Path.Combine(folder, hex);
        if (Directory.Exists(ready))
            return ready;
        var fetch = _fetches.GetOrAdd(hex, _ => new Lazy<Task<string>>(() => Task.Run(() => FetchAsync(digest, hex, host), host)));
        try
        {
            return await fetch.Value.WaitAsync(cancellation);
        }
        finally
        {
            if (fetch.Value.IsCompleted)
                _fetches.TryRemove(new KeyValuePair<string, Lazy<Task<string>>>(hex, fetch));
        }
    }

    /// <summary>Removes what a crash left half done.</summary>
    public void RemoveLeftovers()
    {
        Directory.CreateDirectory(folder);
        foreach (var left in Directory.EnumerateFileSystemEntries(folder, ".*"))
            Remove(left);
    }

    /// <summary>Removes folders that no instance uses, but the newest few.</summary>
    public void RemoveUnused(IReadOnlySet<string> usedDigests)
    {
        var used = usedDigests.Select(d => d.Split(':')[^1]).ToHashSet(StringComparer.Ordinal);
        var unused = new DirectoryInfo(folder).EnumerateDirectories()
            .Where(d => d.Name[0] != '.' && !used.Contains(d.Name) && !_fetches.ContainsKey(d.Name))
            .OrderByDescending(d => d.LastWriteTimeUtc).Skip(options.KeepArtifacts);
        foreach (var old in unused)
        {
            // Gone in one step: nobody sees half an artifact.
            var grave = Path.Combine(folder, $".{old.Name}.{Ids.NewNano()}.old");
            old.MoveTo(grave);
            Remove(grave);
        }
    }

    private async Task<string> FetchAsync(string digest, string hex, CancellationToken cancellation)
    {
        var ready = Path.Combine(folder, hex);
        if (Directory.Exists(ready))
            return ready;
        Directory.CreateDirectory(folder);
        var archive = Path.Combine(folder, $".{hex}.{Ids.NewNano()}.tar.gz");
        var beside = Path.Combine(folder, $".{hex}.{Ids.NewNano()}.new");
        try
        {
            await DownloadAsync(digest, hex, archive, cancellation);
            Directory.CreateDirectory(beside);
            var files = await new SafeUnpacker(options.MaxArtifactEntries, options.MaxArtifactBytes).UnpackAsync(archive, beside, cancellation);
            if (files.Count > FewFiles)
                DiskSpace.SyncFileSystem(beside);
            else
                Sync(files, beside);
            Directory.Move(beside, ready);
            DiskSpace.SyncFolder(folder);
            return ready;
        }
        finally
        {
            Remove(archive);
            Remove(beside);
        }
    }

    private async Task DownloadAsync(string digest, string hex, string archive, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var input = await source.OpenAsync(digest, cancellation);
        await using var output = new FileStream(archive, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = DurableFiles.Private, BufferSize = 0,
        });
        var buffer = new byte[128 * 1024];
        long total = 0;
        while (await ReadAsync(input, buffer, cancellation) is var count and > 0)
        {
            total += count;
            if (total > options.MaxArtifactBytes)
                throw new ArtifactRefusedException($"The artifact {digest} has more than {Quantity.FormatBytes(options.MaxArtifactBytes)}, the most that this node takes.");
            hash.AppendData(buffer, 0, count);
            await output.WriteAsync(buffer.AsMemory(0, count), cancellation);
        }
        var actual = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (actual != hex)
            throw new ArtifactRefusedException($"The artifact's bytes have the digest sha256:{actual}, not {digest}: they were changed or broke off on the way; nothing of them was kept.");
    }

    private async Task<int> ReadAsync(Stream input, byte[] buffer, CancellationToken cancellation)
    {
        using var timer = new CancellationTokenSource(LongestSilence, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            return await input.ReadAsync(buffer, either.Token);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new IOException($"The artifact broke off: nothing came for {Quantity.Format(LongestSilence)}.", e);
        }
        catch (HttpRequestException e)
        {
            throw new IOException($"The artifact broke off: {e.Message}", e);
        }
    }

    private static void Sync(IReadOnlyList<string> files, string top)
    {
        foreach (var file in files)
        {
            using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write);
            RandomAccess.FlushToDisk(handle);
        }
        foreach (var directory in Directory.EnumerateDirectories(top, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }))
            DiskSpace.SyncFolder(directory);
        DiskSpace.SyncFolder(top);
    }

    private void Remove(string path)
    {
        try
        {
            if (Directory.Exists(path))
                Directory.Delete(path, recursive: true);
            else
                File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.LogWarning("'{Path}' cannot be removed now, it will be tried again at the next start: {Why}", path, e.Message);
        }
    }

    private static string Hex(string digest) =>
        digest.StartsWith("sha256:", StringComparison.Ordinal) && digest.Length == 71 && digest[7..].All(char.IsAsciiHexDigitLower)
            ? digest[7..]
            : throw new ArtifactRefusedException($"'{digest}' is no artifact: it is 'sha256:' and 64 hexadecimal digits in lower case.");
}
