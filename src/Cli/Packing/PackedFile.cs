namespace Groundcrew.Cli.Packing;

/// <summary>A package, ready to be sent; its file is gone when this is disposed.</summary>
/// <param name="Path">Where the archive lies meanwhile.</param>
/// <param name="Digest"><c>sha256:</c> and 64 hexadecimal digits, of the compressed bytes.</param>
/// <param name="Size">In bytes, compressed.</param>
/// <param name="Files">How many files are in it.</param>
internal sealed record PackedFile(string Path, string Digest, long Size, int Files) : IDisposable
{
    public void Dispose() => File.Delete(Path);
}

/// <summary>What goes into an archive: a name in it, and where it comes from.</summary>
/// <param name="Name">Relative to the archive's root, parted by <c>/</c>.</param>
/// <param name="Source">The full path.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Link">The link's target as written; null for what is none.</param>
internal sealed record PackEntry(string Name, string Source, PackEntryKind Kind, string? Link = null);

/// <summary>What an entry of an archive is.</summary>
internal enum PackEntryKind
{
    Folder,
    File,
    Link,
}
