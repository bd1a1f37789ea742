using System.IO.Enumeration;

namespace Groundcrew.Postgres;

/// <summary>A file or folder of a <see cref="FolderStorage"/>, as it was when its folder was read.</summary>
/// <param name="Key">Its key; a folder's ends with '/'.</param>
/// <param name="IsFolder">Whether it is a folder.</param>
/// <param name="Bytes">A file's size.</param>
/// <param name="ModifiedAt">When it was written.</param>
internal sealed record FolderEntry(string Key, bool IsFolder, long Bytes, DateTimeOffset ModifiedAt)
{
    private static readonly EnumerationOptions All = new() { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false, RecurseSubdirectories = false };

    private static readonly Comparer<FolderEntry> ByKey = Comparer<FolderEntry>.Create((a, b) => ObjectKeys.Compare(a.Key, b.Key));

    /// <summary>
    /// What a folder holds that belongs to keys that begin so, in the order of the bytes of those keys; nothing when there is no
    /// such folder. What <see cref="UploadFolder"/> keeps, and links to folders, are not followed.
    /// </summary>
    /// <param name="path">The folder.</param>
    /// <param name="folder">The key that it stands for, with '/' at its end; empty for the root.</param>
    /// <param name="prefix">How the keys begin.</param>
    public static IReadOnlyList<FolderEntry> Read(string path, string folder, string prefix)
    {
        try
        {
            var found = new FileSystemEnumerable<FolderEntry>(path, (ref entry) => Of(ref entry, folder), All)
            {
                ShouldIncludePredicate = (ref entry) => IsWanted(ref entry, folder, prefix),
            };
            return [.. found.Order(ByKey)];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static FolderEntry Of(ref FileSystemEntry entry, string folder) => entry.IsDirectory
        ? new($"{folder}{entry.FileName}/", IsFolder: true, 0, default)
        : new($"{folder}{entry.FileName}", IsFolder: false, entry.Length, entry.LastWriteTimeUtc);

    private static bool IsWanted(ref FileSystemEntry entry, string folder, string prefix)
    {
        // No key begins with a dot.
        if (folder.Length == 0 && entry.FileName.Length > 0 && entry.FileName[0] == '.')
            return false;
        if (entry.IsDirectory && (entry.Attributes & FileAttributes.ReparsePoint) != FileAttributes.None)
            return false;
        return entry.FileName.StartsWith(prefix.AsSpan(Math.Min(folder.Length, prefix.Length)), StringComparison.Ordinal);
    }
}
