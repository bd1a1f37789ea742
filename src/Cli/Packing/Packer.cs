using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Groundcrew.Bedrock;

namespace Groundcrew.Cli.Packing;

/// <summary>
/// Writes archives that depend on names, contents and the executable bit alone: the same files give the same digest,
/// whoever packs them and whenever.
/// </summary>
internal static class Packer
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Runnable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Packs into a temporary file and hashes on the way. Nothing is left behind when it fails.</summary>
    /// <param name="entries">What to pack, sorted.</param>
    /// <param name="packed">Told how many files are in, now and then.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">A file cannot be read, or there is no space; the message names it.</exception>
    public static async Task<PackedFile> PackAsync(IReadOnlyList<PackEntry> entries, Action<int>? packed, CancellationToken cancellation)
    {
        var path = Path.Combine(Path.GetTempPath(), $"crew-package-{Ids.NewNano()}{Ids.NewNano()}.tar.gz");
        var (digest, files) = ("", 0);
        await DurableFiles.Real.ReplaceAsync(path, async (file, cancel) =>
        {
            using var hash = SHA256.Create();
            await using (var hashed = new CryptoStream(file, hash, CryptoStreamMode.Write, leaveOpen: true))
            await using (var zipped = new GZipStream(hashed, CompressionLevel.Optimal))
            await using (var tar = new TarWriter(zipped, TarEntryFormat.Gnu))
                foreach (var entry in entries)
                {
                    await WriteAsync(tar, entry, cancel);
                    if (entry.Kind == PackEntryKind.File && ++files % 100 == 0)
                        packed?.Invoke(files);
                }
            digest = "sha256:" + Convert.ToHexStringLower(hash.Hash!);
            return true;
        }, cancellation);
        return new PackedFile(path, digest, new FileInfo(path).Length, files);
    }

    private static async Task WriteAsync(TarWriter tar, PackEntry entry, CancellationToken cancellation)
    {
        var type = entry.Kind switch
        {
            PackEntryKind.Folder => TarEntryType.Directory,
            PackEntryKind.Link => TarEntryType.SymbolicLink,
            _ => TarEntryType.RegularFile,
        };
        var header = new GnuTarEntry(type, entry.Name)
        {
            ModificationTime = DateTimeOffset.UnixEpoch, AccessTime = DateTimeOffset.UnixEpoch, ChangeTime = DateTimeOffset.UnixEpoch,
            Uid = 0, Gid = 0, UserName = "", GroupName = "",
            Mode = entry.Kind == PackEntryKind.File && !IsRunnable(entry.Source) ? Readable : Readable | Runnable,
        };
        if (entry.Link is { } link)
            header.LinkName = link;
        if (entry.Kind != PackEntryKind.File)
        {
            await tar.WriteEntryAsync(header, cancellation);
            return;
        }
        await using var content = File.OpenRead(entry.Source);
        header.DataStream = content;
        await tar.WriteEntryAsync(header, cancellation);
    }

    private static bool IsRunnable(string path) => (File.GetUnixFileMode(path) & Runnable) != UnixFileMode.None;
}
