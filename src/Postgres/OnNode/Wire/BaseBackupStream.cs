using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>How a base backup is wished (<c>BASE_BACKUP</c>, PostgreSQL 15). The checkpoint is a fast one, the manifest has SHA-256 checksums.</summary>
/// <param name="Label">The label that goes into <c>backup_label</c>.</param>
/// <param name="MaxBytesPerSecond">How much is sent at most, compressed or not; null for no limit. The server takes 32 kB to 1 GB a second.</param>
/// <param name="IsCompressed">The server compresses with zstd, quickly and on two cores; otherwise it does not.</param>
internal sealed record BaseBackupWish(string Label, long? MaxBytesPerSecond = null, bool IsCompressed = false)
{
    private const int LeastRate = 32;
    private const int MostRate = 1024 * 1024;

    /// <summary>The command.</summary>
    public string Command
    {
        get
        {
            var text = new StringBuilder($"BASE_BACKUP (LABEL '{Label.Replace("'", "''", StringComparison.Ordinal)}', PROGRESS true, CHECKPOINT 'fast', WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256'");
            if (MaxBytesPerSecond is { } rate)
                text.Append(CultureInfo.InvariantCulture, $", MAX_RATE {Math.Clamp(rate / 1024, LeastRate, MostRate)}");
            if (IsCompressed)
                text.Append(", COMPRESSION 'zstd', COMPRESSION_DETAIL 'level=1,workers=2'");
            return text.Append(')').ToString();
        }
    }
}

/// <summary>A folder of which an archive comes.</summary>
/// <param name="Oid">The table space; null for the data folder itself.</param>
/// <param name="Location">Its folder; empty for the data folder.</param>
/// <param name="Bytes">About how much it holds.</param>
internal sealed record BackedUpFolder(uint? Oid, string Location, long Bytes);

/// <summary>What a part of a base backup is.</summary>
internal enum BackupPieceKind
{
    /// <summary>An archive begins.</summary>
    Archive,

    /// <summary>PostgreSQL's manifest begins.</summary>
    Manifest,

    /// <summary>Bytes of what began last.</summary>
    Bytes,

    /// <summary>How much of all archives the server has made, before it compressed them: once a second, and at the end of each.</summary>
    Progress,
}

/// <summary>A part of a base backup. Its bytes are valid until the next one is read.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Name">The archive's file name, such as <c>base.tar</c> or <c>16384.tar.zst</c>; empty otherwise.</param>
/// <param name="Bytes">Bytes; empty otherwise.</param>
/// <param name="Done">How many bytes of archives the server has made; 0 otherwise.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct BackupPiece(BackupPieceKind Kind, string Name, ReadOnlyMemory<byte> Bytes, long Done);

/// <summary>A base backup as it comes (<c>BASE_BACKUP</c>). For one reader.</summary>
internal sealed class BaseBackupStream
{
    private readonly ReplicationConnection _connection;

    private BaseBackupStream(ReplicationConnection connection, Lsn start, uint timeline, IReadOnlyList<BackedUpFolder> folders) =>
        (_connection, Start, Timeline, Folders) = (connection, start, timeline, folders);

    /// <summary>Where replay begins.</summary>
    public Lsn Start { get; }

    /// <summary>The timeline.</summary>
    public uint Timeline { get; }

    /// <summary>What will come.</summary>
    public IReadOnlyList<BackedUpFolder> Folders { get; }

    /// <summary>About how many bytes will be read.</summary>
    public long TotalBytes => Folders.Sum(f => f.Bytes);

    /// <summary>From here on the copy is consistent; known at the end.</summary>
    public Lsn? Stop { get; private set; }

    /// <summary>The next part; null at the end, after which <see cref="Stop"/> is known and the connection takes commands again.</summary>
    public async ValueTask<BackupPiece?> ReadAsync(CancellationToken cancellation)
    {
        while (Stop is null)
        {
            var message = await _connection.NextAsync(cancellation);
            switch ((char)message.Type)
            {
                case 'd':
                    return Read(message.Body);
                case 'c':
                    await EndAsync(cancellation);
                    break;
                default:
                    throw new WireException($"The server sent a message of kind {(char)message.Type} in a base backup.");
            }
        }
        return null;
    }

    internal static async Task<BaseBackupStream> BeginAsync(ReplicationConnection connection, CancellationToken cancellation)
    {
        var start = await connection.RowsOfNextAsync(cancellation);
        var folders = await connection.RowsOfNextAsync(cancellation);
        if (start is not [var row] || folders.Count == 0)
            throw new WireException("The server began a base backup and did not say where.");
        if ((await connection.NextAsync(cancellation)).Type != (byte)'H')
            throw new WireException("The server began a base backup and sent none.");
        return new(connection, ReplicationConnection.Place(ReplicationConnection.Cell(row, 0)),
            ReplicationConnection.Timeline(ReplicationConnection.Cell(row, 1)), [.. folders.Select(Folder)]);
    }

    private async Task EndAsync(CancellationToken cancellation)
    {
        var rows = await _connection.RowsOfNextAsync(cancellation);
        while ((await _connection.NextAsync(cancellation)).Type != (byte)'Z')
        {
            // The command is completed twice: once for the result, once for itself.
        }
        Stop = rows is [var row] ? ReplicationConnection.Place(ReplicationConnection.Cell(row, 0))
            : throw new WireException("The server ended a base backup and did not say where.");
    }

    internal static BackupPiece Read(ReadOnlyMemory<byte> message)
    {
        var body = new WireBody(message.Span);
        var kind = (char)body.Byte();
        return kind switch
        {
            'd' => new(BackupPieceKind.Bytes, "", message[1..], 0),
            'p' => new(BackupPieceKind.Progress, "", default, body.Int64()),
            'n' => new(BackupPieceKind.Archive, FileName(body.Text()), default, 0),
            'm' => new(BackupPieceKind.Manifest, "", default, 0),
            _ => throw new WireException($"The server sent a part of kind '{kind}' in a base backup."),
        };
    }

    // It becomes a part of a key in the storage.
    private static string FileName(string name) =>
        name.Length is > 0 and < 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '.') ? name
            : throw new WireException("The server named an archive in a way that is none.");

    private static BackedUpFolder Folder(string?[] row)
    {
        const int KiB = 1024;
        if (row.Length < 3)
            throw new WireException("The server's list of folders is not the one of its documentation.");
        _ = long.TryParse(row[2], NumberStyles.None, CultureInfo.InvariantCulture, out var size);
        uint? oid = row[0] is null ? null : uint.TryParse(row[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw new WireException("The server's list of folders is not the one of its documentation.");
        return new(oid, row[1] ?? "", Math.Clamp(size, 0, long.MaxValue / KiB) * KiB);
    }
}
