using System.Formats.Tar;
using System.IO.Compression;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// Unpacks a gzip-compressed tar archive that someone else made: nothing of it may land, or point, outside the folder.
/// Parents are real folders only, so that no entry is written through a link; a link's target may climb only at its
/// beginning and not above the folder. One use.
/// </summary>
internal sealed class SafeUnpacker(int maxEntries, long maxBytes)
{
    private const UnixFileMode Ordinary = (UnixFileMode)0x1FF; // rwx for all; set-user-id and its like are left out.
    private readonly HashSet<string> _files = new(StringComparer.Ordinal);
    private readonly HashSet<string> _folders = new(StringComparer.Ordinal) { "" };
    private int _entries;
    private long _bytes;

    /// <summary>Unpacks and returns the regular files.</summary>
    /// <exception cref="ArtifactRefusedException">The archive is broken, too large, or reaches out of its folder.</exception>
    public async Task<IReadOnlyList<string>> UnpackAsync(string archive, string folder, CancellationToken cancellation)
    {
        await using var packed = new FileStream(archive, FileMode.Open, FileAccess.Read, FileShare.Read, 128 * 1024, useAsync: false);
        await using var plain = new GZipStream(packed, CompressionMode.Decompress);
        await using var tar = new TarReader(plain);
        try
        {
            while (await tar.GetNextEntryAsync(copyData: false, cancellation) is { } entry)
                await TakeAsync(entry, folder, cancellation);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or NotSupportedException)
        {
            throw new ArtifactRefusedException($"The artifact is no gzip-compressed tar archive, or is damaged: {e.Message}");
        }
        return [.. _files];
    }

    private async Task TakeAsync(TarEntry entry, string folder, CancellationToken cancellation)
    {
        if (entry.EntryType is TarEntryType.GlobalExtendedAttributes)
            return;
        if (++_entries > maxEntries)
            throw new ArtifactRefusedException($"The archive has more than {maxEntries} entries, the most that this node unpacks.");
        var parts = Parts(entry.Name);
        if (parts.Count == 0)
            return; // "./" itself
        var path = Path.Combine([folder, .. parts]);
        MakeParents(folder, parts, entry.Name);
        switch (entry.EntryType)
        {
            case TarEntryType.Directory or TarEntryType.DirectoryList:
                MakeFolder(folder, string.Join('/', parts), entry.Name);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                Clear(path, entry.Name);
                await WriteAsync(entry.DataStream, path, entry.Mode, entry.Name, cancellation);
                break;
            case TarEntryType.SymbolicLink:
                JudgeTarget(entry.LinkName, parts.Count - 1, entry.Name);
                Clear(path, entry.Name);
                File.CreateSymbolicLink(path, entry.LinkName);
                break;
            case TarEntryType.HardLink:
                await CopyLinkedAsync(entry, folder, path, cancellation);
                break;
            default:
                throw new ArtifactRefusedException($"The archive holds '{entry.Name}' of type {entry.EntryType}: only files, folders and links are unpacked.");
        }
    }

    /// <summary>A second name of a file of the archive becomes a file of its own: instances share no inode by accident.</summary>
    private async Task CopyLinkedAsync(TarEntry entry, string folder, string path, CancellationToken cancellation)
    {
        var parts = Parts(entry.LinkName);
        var original = Path.Combine([folder, .. parts]);
        if (parts.Count == 0 || !_folders.Contains(string.Join('/', parts.SkipLast(1))) || !File.Exists(original) || new FileInfo(original).LinkTarget is not null)
            throw new ArtifactRefusedException($"The archive's '{entry.Name}' is a link to '{entry.LinkName}', which is no file before it in the archive.");
        if (original == path)
            return;
        Clear(path, entry.Name);
        await using var input = new FileStream(original, FileMode.Open, FileAccess.Read);
        await WriteAsync(input, path, File.GetUnixFileMode(original), entry.Name, cancellation);
    }

    private async Task WriteAsync(Stream? data, string path, UnixFileMode mode, string name, CancellationToken cancellation)
    {
        _files.Add(path);
        await using var output = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = (mode & Ordinary) | DurableFiles.Private, BufferSize = 0,
        });
        if (data is null)
            return;
        var buffer = new byte[64 * 1024];
        while (await data.ReadAsync(buffer, cancellation) is var count and > 0)
        {
            _bytes += count;
            if (_bytes > maxBytes)
                throw new ArtifactRefusedException($"The archive unpacks to more than {Quantity.FormatBytes(maxBytes)} (at '{name}'), the most that this node unpacks.");
            await output.WriteAsync(buffer.AsMemory(0, count), cancellation);
        }
    }

    private void MakeParents(string folder, List<string> parts, string name)
    {
        for (var depth = 1; depth < parts.Count; depth++)
            MakeFolder(folder, string.Join('/', parts.Take(depth)), name);
    }

    private void MakeFolder(string folder, string relative, string name)
    {
        if (!_folders.Add(relative))
            return;
        var path = Path.Combine(folder, relative);
        if (Exists(path))
            throw new ArtifactRefusedException($"The archive's '{name}' goes through '{relative}', which is a link or a file in it.");
        Directory.CreateDirectory(path);
    }

    /// <summary>A later entry replaces an earlier one of the same name, but never a folder.</summary>
    private void Clear(string path, string name)
    {
        if (Directory.Exists(path) && new DirectoryInfo(path).LinkTarget is null)
            throw new ArtifactRefusedException($"The archive holds '{name}' as a folder and as a file.");
        File.Delete(path);
        _files.Remove(path);
    }

    private static bool Exists(string path) => Path.Exists(path) || new FileInfo(path).LinkTarget is not null;

    private static List<string> Parts(string name)
    {
        var parts = name.Split('/').Where(p => p is not ("" or ".")).ToList();
        if (name.StartsWith('/') || parts.Contains("..") || name.Contains('\0', StringComparison.Ordinal))
            throw new ArtifactRefusedException($"The archive's '{name}' would land outside its folder.");
        return parts;
    }

    private static void JudgeTarget(string target, int depth, string name)
    {
        var parts = target.Split('/').Where(p => p is not ("" or ".")).ToList();
        var climbs = parts.TakeWhile(p => p == "..").Count();
        if (target.Length == 0 || target.StartsWith('/') || climbs > depth || parts.Skip(climbs).Contains(".."))
            throw new ArtifactRefusedException($"The archive's '{name}' is a link to '{target}', which leaves its folder.");
    }
}
