using System.Formats.Tar;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Unpacks a base backup: the data folder, and table spaces into folders of their own, wherever they were before. Nothing is ever
/// written outside of the two folders that are given. Thread-safe.
/// </summary>
/// <param name="pieces">The archive.</param>
/// <param name="user">The server's user, whose the files become.</param>
internal sealed class BaseUnpacker(Pieces pieces, ServerUser user)
{
    private const int CopyBytes = 512 * 1024;
    private const string TableSpaceLinks = "pg_tblspc";
    private const UnixFileMode Kept = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    /// <summary>Unpacks it; PostgreSQL's own manifest lies in the data folder afterwards.</summary>
    /// <param name="backup">The backup.</param>
    /// <param name="dataFolder">An empty folder of the server's user.</param>
    /// <param name="spacesFolder">For table spaces, by their numbers; made when there are any.</param>
    /// <param name="done">Is told of bytes.</param>
    /// <param name="cancellation">Gives up, with what is unpacked half there.</param>
    /// <exception cref="BackupStorageException">A file is missing or damaged.</exception>
    public async Task UnpackAsync(BaseBackupManifest backup, string dataFolder, string spacesFolder, Action<long> done, CancellationToken cancellation)
    {
        foreach (var file in backup.Files)
        {
            var name = Path.GetFileName(ArchiveLayout.Bare(file.Key));
            await using var stream = await pieces.OpenAsync(file.Key, file.Sha256, cancellation);
            if (name == ArchiveLayout.ServerManifest)
                await CopyAsync(stream, Path.Combine(dataFolder, name), Kept & ~UnixFileMode.UserExecute & ~UnixFileMode.GroupExecute, done, cancellation);
            else if (name == ArchiveLayout.DataFolder)
                await UnpackAsync(stream, file.Key, dataFolder, isData: true, done, cancellation);
            else if (Path.GetFileNameWithoutExtension(name) is var number && uint.TryParse(number, out _) && name.EndsWith(".tar", StringComparison.Ordinal))
                await UnpackAsync(stream, file.Key, TableSpace(dataFolder, spacesFolder, number), isData: false, done, cancellation);
            else
                throw Damaged(file.Key, "it is no file that a base backup has");
        }
    }

    private string TableSpace(string dataFolder, string spacesFolder, string number)
    {
        user.MakeFolder(spacesFolder);
        var folder = Path.Combine(spacesFolder, number);
        user.MakeFolder(folder);
        var link = Path.Combine(dataFolder, TableSpaceLinks, number);
        File.CreateSymbolicLink(link, folder);
        user.Own(link);
        return folder;
    }

    private async Task UnpackAsync(Stream stream, string key, string folder, bool isData, Action<long> done, CancellationToken cancellation)
    {
        try
        {
            await using var tar = new TarReader(stream, leaveOpen: true);
            while (await tar.GetNextEntryAsync(copyData: false, cancellation) is { } entry)
                await TakeAsync(entry, key, folder, isData, done, cancellation);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new BackupStorageException(StorageFailure.Damaged, $"'{key}' is no whole tar archive: {e.Message}", e);
        }
        // The checksum of what lies in the storage is compared at its end.
        await stream.CopyToAsync(Stream.Null, cancellation);
    }

    private async Task TakeAsync(TarEntry entry, string key, string folder, bool isData, Action<long> done, CancellationToken cancellation)
    {
        var name = entry.Name.TrimEnd('/');
        if (name is "" or ".")
            return;
        if (name.StartsWith("./", StringComparison.Ordinal))
            name = name[2..];
        if (name.Split('/').Any(p => p is "" or "." or ".."))
            throw Damaged(key, $"'{entry.Name}' in it would lie outside of its folder");
        var path = Path.Combine(folder, name);
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                user.MakeFolder(path);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile:
                await CopyAsync(entry.DataStream ?? Stream.Null, path, entry.Mode & Kept, done, cancellation);
                break;
            // The folders of table spaces become others: the links are made when their archives come.
            case TarEntryType.SymbolicLink when isData && name.StartsWith(TableSpaceLinks + "/", StringComparison.Ordinal):
                break;
            default:
                throw Damaged(key, $"'{entry.Name}' in it is a {entry.EntryType}, which no data folder has");
        }
    }

    private async Task CopyAsync(Stream from, string path, UnixFileMode mode, Action<long> done, CancellationToken cancellation)
    {
        await using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode, BufferSize = 0,
        });
        await from.CopyToAsync(file, CopyBytes, cancellation);
        done(file.Position);
        user.Own(path);
    }

    private static BackupStorageException Damaged(string key, string why) => new(StorageFailure.Damaged, $"'{key}' is damaged: {why}.");
}
