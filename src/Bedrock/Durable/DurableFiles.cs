namespace Groundcrew.Bedrock;

/// <summary>The steps of making bytes durable, in order; a test may fail before any of them.</summary>
public enum DurableStep
{
    /// <summary>The temporary file is created beside the target.</summary>
    Create,

    /// <summary>The bytes are written.</summary>
    Write,

    /// <summary>The temporary file is synced.</summary>
    SyncFile,

    /// <summary>It replaces the target.</summary>
    Rename,

    /// <summary>The folder is synced, after which the new content survives a power cut.</summary>
    SyncFolder,
}

/// <summary>
/// The one way to make bytes durable: write a temporary file, sync it, rename it over the target, sync the folder.
/// A reader sees the old content or the new, never a mixture. Thread-safe; two writers of one path end with the
/// content of one of them. Failures are the <see cref="IOException"/>s of the file system, and leave the old content.
/// </summary>
/// <param name="before">Called before each step; what it throws stands for a crash at that step. Null in production.</param>
public sealed class DurableFiles(Action<DurableStep, string>? before = null)
{
    /// <summary>Only the owner may read and write: the mode of every file that we do not mean to share.</summary>
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Without faults.</summary>
    public static DurableFiles Real { get; } = new();

    /// <summary>Replaces the content of <paramref name="path"/>; its folder is made when missing.</summary>
    public void Replace(string path, ReadOnlySpan<byte> content, UnixFileMode mode = Private)
    {
        var temporary = Begin(path, mode, out var stream);
        try
        {
            using (stream)
            {
                before?.Invoke(DurableStep.Write, path);
                stream.Write(content);
                before?.Invoke(DurableStep.SyncFile, path);
                stream.Flush(flushToDisk: true);
            }
            Commit(temporary, path);
        }
        catch
        {
            DeleteQuietly(temporary);
            throw;
        }
    }

    /// <summary>Replaces the content by text in UTF-8.</summary>
    public void Replace(string path, string content, UnixFileMode mode = Private) =>
        Replace(path, System.Text.Encoding.UTF8.GetBytes(content), mode);

    /// <summary>
    /// Streams new content into a temporary file beside <paramref name="path"/> and commits it when
    /// <paramref name="write"/> returned true; false discards it and leaves the target alone.
    /// </summary>
    public async Task<bool> ReplaceAsync(
        string path, Func<Stream, CancellationToken, Task<bool>> write, CancellationToken cancellation, UnixFileMode mode = Private)
    {
        var temporary = Begin(path, mode, out var stream);
        try
        {
            await using (stream)
            {
                before?.Invoke(DurableStep.Write, path);
                if (!await write(stream, cancellation))
                {
                    DeleteQuietly(temporary);
                    return false;
                }
                before?.Invoke(DurableStep.SyncFile, path);
                stream.Flush(flushToDisk: true);
            }
            Commit(temporary, path);
            return true;
        }
        catch
        {
            DeleteQuietly(temporary);
            throw;
        }
    }

    /// <summary>Opens a file to add to its end; it is made when missing, and so is its folder.</summary>
    public AppendFile OpenAppend(string path, UnixFileMode mode = Private)
    {
        CreateFolder(FolderOf(path));
        return new(path, mode, before);
    }

    /// <summary>
    /// Gives a folder whose files are written and synced its final name, which is the moment at which it is there.
    /// </summary>
    public void CommitFolder(string temporary, string path)
    {
        Posix.SyncFolder(temporary);
        before?.Invoke(DurableStep.Rename, path);
        Directory.Move(temporary, path);
        before?.Invoke(DurableStep.SyncFolder, path);
        Posix.SyncFolder(FolderOf(path));
    }

    /// <summary>
    /// Gives a file that is written and synced its final name, in place of what had it; for files that are too large to be
    /// written at once.
    /// </summary>
    public void CommitFile(string temporary, string path) => Commit(temporary, path);

    /// <summary>Deletes a file and makes the deletion durable; a missing file is fine.</summary>
    public void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (DirectoryNotFoundException)
        {
            // Its folder is missing too, so there is nothing to delete and nothing to sync.
            return;
        }
        Posix.SyncFolder(FolderOf(path));
    }

    private string Begin(string path, UnixFileMode mode, out FileStream stream)
    {
        var folder = FolderOf(path);
        CreateFolder(folder);
        before?.Invoke(DurableStep.Create, path);
        var temporary = Path.Combine(folder, $".{Path.GetFileName(path)}.{Ids.NewNano()}.tmp");
        stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = mode,
            BufferSize = 64 * 1024,
        });
        return temporary;
    }

    private void Commit(string temporary, string path)
    {
        before?.Invoke(DurableStep.Rename, path);
        File.Move(temporary, path, overwrite: true);
        before?.Invoke(DurableStep.SyncFolder, path);
        Posix.SyncFolder(FolderOf(path));
    }

    private static string FolderOf(string path) =>
        Path.GetDirectoryName(Path.GetFullPath(path)) ?? throw new IOException($"'{path}' is a folder, not a file.");

    /// <summary>Makes a folder, and syncs each one that got a new entry: a file is no safer than the folder it is in.</summary>
    private static void CreateFolder(string folder)
    {
        if (Directory.Exists(folder))
            return;
        var above = Path.GetDirectoryName(folder)!;
        CreateFolder(above);
        Directory.CreateDirectory(folder);
        Posix.SyncFolder(above);
    }

    private static void DeleteQuietly(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The first failure is the one to report; a left-over temporary file is never read.
        }
    }
}
