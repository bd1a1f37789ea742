namespace Groundcrew.Postgres.OnNode;

/// <summary>Carries the archives of one base backup, and PostgreSQL's manifest of it, into the storage. Used once.</summary>
/// <param name="archive">Where it goes.</param>
/// <param name="name">The backup's name.</param>
/// <param name="isCompressed">The archives come compressed as the storage wants them.</param>
/// <param name="progress">Is told how far it is.</param>
/// <param name="clock">Tells time.</param>
internal sealed class BaseBackupCopy(WalPieces archive, string name, bool isCompressed, JobProgress progress, TimeProvider clock)
{
    private readonly List<BackupFile> _files = [];
    private PieceWriter? _writer;
    private string _file = "";
    private long _made;
    private long _begun;
    private bool _isArchive;

    /// <summary>What was stored: the data folder first, then table spaces, PostgreSQL's manifest last.</summary>
    public IReadOnlyList<BackupFile> Files => [.. _files.OrderBy(f => Rank(f.Key))];

    /// <summary>Carries all of it.</summary>
    public async Task RunAsync(BaseBackupStream stream, CancellationToken cancellation)
    {
        var pace = new Pace(progress, clock);
        progress.Expect(stream.TotalBytes);
        try
        {
            while (await stream.ReadAsync(cancellation) is { } piece)
            {
                switch (piece.Kind)
                {
                    case BackupPieceKind.Archive:
                        await BeginAsync(ArchiveLayout.Bare(piece.Name), isArchive: true, cancellation);
                        break;
                    case BackupPieceKind.Manifest:
                        await BeginAsync(ArchiveLayout.ServerManifest, isArchive: false, cancellation);
                        break;
                    case BackupPieceKind.Bytes:
                        await (_writer ?? throw new WireException("The server sent bytes of no archive.")).WriteAsync(piece.Bytes, cancellation);
                        if (!isCompressed)
                            pace.Add(piece.Bytes.Length, _file);
                        break;
                    default:
                        if (isCompressed)
                            pace.Add(piece.Done - _made, _file);
                        _made = piece.Done;
                        break;
                }
            }
            await EndAsync(cancellation);
        }
        finally
        {
            if (_writer is { } unfinished)
                await unfinished.DisposeAsync();
        }
        // What the server expected was a guess: the files changed while they were read.
        progress.Expect(progress.Done);
    }

    private async Task BeginAsync(string file, bool isArchive, CancellationToken cancellation)
    {
        await EndAsync(cancellation);
        (_file, _begun, _isArchive) = (file, _made, isArchive);
        var key = ArchiveLayout.BaseFile(archive.Cluster, archive.SystemId, name, file);
        _writer = isCompressed && isArchive ? archive.Pieces.BeginCompressed(key) : archive.Pieces.Begin(key, isLarge: isArchive);
    }

    private async Task EndAsync(CancellationToken cancellation)
    {
        if (_writer is not { } writer)
            return;
        var stored = await writer.CompleteAsync(cancellation);
        // The server tells at the end of each archive how much it was before it was compressed.
        _files.Add(isCompressed && _isArchive ? stored with { PlainBytes = _made - _begun } : stored);
        _writer = null;
        await writer.DisposeAsync();
    }

    private static int Rank(string key) =>
        ArchiveLayout.Bare(key) is var bare && bare.EndsWith("/" + ArchiveLayout.DataFolder, StringComparison.Ordinal) ? 0
        : bare.EndsWith("/" + ArchiveLayout.ServerManifest, StringComparison.Ordinal) ? 2 : 1;
}

/// <summary>How fast a copy is, said once a second: the rate of all of it and the time that is left.</summary>
internal sealed class Pace(JobProgress progress, TimeProvider clock)
{
    private readonly long _begun = clock.GetTimestamp();
    private long _said;

    /// <summary>So many bytes more are done, of a file.</summary>
    public void Add(long bytes, string file)
    {
        progress.Add(bytes);
        var elapsed = clock.GetElapsedTime(_begun);
        if (elapsed.TotalSeconds < _said + 1)
            return;
        _said = (long)elapsed.TotalSeconds;
        progress.Say(Words(file, progress.Done, progress.Total, elapsed));
    }

    /// <summary>A line such as <c>copying base.tar, 52.1 MB/s, about 40 s left</c>.</summary>
    public static string Words(string file, long done, long total, TimeSpan elapsed)
    {
        const double Million = 1_000_000;
        var rate = done / Math.Max(elapsed.TotalSeconds, 0.001);
        var left = rate > 0 && total > done ? (total - done) / rate : 0;
        return $"copying {file}, {rate / Million:0.0} MB/s, about {(left < 120 ? $"{left:0} s" : $"{left / 60:0} min")} left";
    }
}
