using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Keeps the log of one primary in an archive, by a loop of its own: streams it from a slot, stores it in runs of at most
/// <see cref="WalReceiverOptions.FlushEvery"/>, confirms to the server only what the storage has, and goes on by itself after every
/// failure. Thread-safe.
/// </summary>
internal sealed class WalReceiver : IAsyncDisposable
{
    /// <summary>The slot's name, and the application name that <c>synchronous_standby_names</c> has for the synchronous mode.</summary>
    public const string Name = "crew_archive";

    private const string SegmentSize = "16MB";
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);
    private readonly WalReceiverOptions _options;
    private readonly Pieces _pieces;
    private readonly WalMetrics _metrics;
    private readonly TimeProvider _clock;
    private readonly Action<WalGap>? _gapFound;
    private readonly ArchiveState _state = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private WalPieces? _archive;
    private WalPlace? _place;
    private volatile WalBuffer? _buffer;
    private Task _running = Task.CompletedTask;

    /// <summary>Of one server.</summary>
    /// <param name="options">What it keeps.</param>
    /// <param name="pieces">The archive.</param>
    /// <param name="metrics">Where its figures go.</param>
    /// <param name="clock">Tells time.</param>
    /// <param name="gapFound">Called for every range that is lost for the archive: a new base backup is needed. Quick, and never throws.</param>
    public WalReceiver(WalReceiverOptions options, Pieces pieces, MetricRegistry metrics, TimeProvider clock, Action<WalGap>? gapFound = null)
    {
        (_options, _pieces, _clock, _gapFound) = (options with { Server = options.Server with { ApplicationName = Name } }, pieces, clock, gapFound);
        _metrics = new(metrics, options.Cluster);
    }

    /// <summary>How the archive stands.</summary>
    public ArchiveStatus Status => _state.Status;

    /// <summary>Begins. Once.</summary>
    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Waits until the storage has the log of a timeline up to a place, which is stored without waiting for its time; false when <paramref name="limit"/> passed first.</summary>
    public Task<bool> WaitUntilStoredAsync(uint timeline, Lsn place, TimeSpan limit, CancellationToken cancellation) =>
        _state.Changed.WaitUntilAsync(
            _ =>
            {
                var (current, _, stored) = _state.Places;
                var isThere = current > timeline || (current == timeline && stored >= place);
                if (!isThere)
                    _buffer?.StoreNow();
                return Task.FromResult(isThere);
            },
            _clock.GetUtcNow() + limit, TimeSpan.FromMilliseconds(100), _clock, cancellation);

    /// <summary>A base backup that begins there was stored: gaps before it no longer matter.</summary>
    public void BaseBackupTaken(Lsn start) => _state.Covered(start);

    /// <summary>Stores what was received, as far as the storage answers within a few seconds, and ends. The slot stays.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAny(_running, Task.Delay(EndLimit, _clock));
        await AbandonAsync();
    }

    /// <summary>Ends at once, as a crash would: what was received and is not stored stays with the server, by the slot.</summary>
    public async Task AbandonAsync()
    {
        await _giveUp.CancelAsync();
        await _stop.CancelAsync();
        await _running;
    }

    private async Task RunAsync()
    {
        var wait = _options.FirstWait;
        try
        {
            while (true)
            {
                var before = _state.Places;
                try
                {
                    await RunOnceAsync(_stop.Token);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or PgServerException or DivergedException or FormatException)
                {
                    _state.ServerTrouble(Words(e));
                }
                wait = _state.Places != before ? _options.FirstWait : wait * 2 < _options.LongestWait ? wait * 2 : _options.LongestWait;
                _metrics.Show(_state, _clock.GetUtcNow());
                await Task.Delay(wait, _clock, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end that was asked for.
        }
    }

    private async Task RunOnceAsync(CancellationToken cancellation)
    {
        await using var control = await ReplicationConnection.OpenAsync(_options.Server with { ApplicationName = Name + "_control" }, _clock, cancellation);
        control.RequireVersion(_options.Version);
        if (await control.ShowAsync("wal_segment_size", cancellation) is var size && size != SegmentSize)
            throw new WireException($"The server's log has segments of {size}, and only {SegmentSize} can be archived: it was made with initdb --wal-segsize.");
        var system = await control.IdentifyAsync(cancellation);
        if (_archive is null || _archive.SystemId != system.SystemId)
            (_archive, _place) = (new(_pieces, _options.Cluster, system.SystemId), null);
        var slotStart = await KeepSlotAsync(control, cancellation);
        var place = _place ??= await FindPlaceAsync(_archive, control, system, cancellation) ?? WalPlace.New(system.Timeline, slotStart);
        await using var connection = await ReplicationConnection.OpenAsync(_options.Server, _clock, cancellation);
        // Whatever ends the stream says where the next one begins; what it cannot say is looked up again.
        _place = null;
        await StreamAsync(_archive, connection, control, place, system, cancellation);
    }

    private async Task StreamAsync(
        WalPieces archive, ReplicationConnection connection, ReplicationConnection control, WalPlace place, SystemIdentity system, CancellationToken cancellation)
    {
        using var buffer = new WalBuffer();
        var storer = new WalStorer(_options, archive, buffer, _state, _metrics, _clock);
        storer.Know(place.Moments, place.CaughtUpAt);
        _buffer = buffer;
        var storing = Task.Run(() => storer.RunAsync(_giveUp.Token), CancellationToken.None);
        try
        {
            var session = new WalSession(_options, archive, connection, control, buffer, _state, _metrics, _clock, Lost);
            await session.RunAsync(place.Segment, system, cancellation);
        }
        finally
        {
            buffer.End();
            _buffer = null;
            if (await storing is { } last)
                _place = storer.Place(last);
        }
    }

    private async Task<WalPlace?> FindPlaceAsync(WalPieces archive, ReplicationConnection control, SystemIdentity system, CancellationToken cancellation)
    {
        IReadOnlyList<TimelineFork> forks = system.Timeline == 1 ? [] : TimelineHistory.Parse(system.Timeline, await control.TimelineHistoryAsync(system.Timeline, cancellation));
        var all = await ArchivedWal.ListAllAsync(archive.Pieces.Storage, archive.Cluster, archive.SystemId, cancellation);
        await FindGapsAsync(archive, all, cancellation);
        return await WalPlace.FindAsync(archive, all, system.Timeline, forks, cancellation);
    }

    /// <summary>Gaps that an earlier receiver left are still ones, unless a base backup was begun after them.</summary>
    private async Task FindGapsAsync(WalPieces archive, IReadOnlyList<ArchivedWal> all, CancellationToken cancellation)
    {
        var gaps = all.SelectMany(t => t.Gaps()).ToList();
        if (gaps.Count == 0)
            return;
        var newest = await NewestBaseAsync(archive, cancellation);
        foreach (var gap in gaps.Where(g => newest is null || g.To > newest))
            Lost(gap);
    }

    private static async Task<Lsn?> NewestBaseAsync(WalPieces archive, CancellationToken cancellation)
    {
        Lsn? newest = null;
        var storage = archive.Pieces.Storage;
        await foreach (var found in storage.ListAsync(ArchiveLayout.History(archive.Cluster, archive.SystemId) + "base/", cancellation))
        {
            if (ArchiveLayout.Read(archive.Cluster, found.Key) is not ArchiveKey.BaseManifest)
                continue;
            await using var stream = await storage.OpenAsync(found.Key, cancellation);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes, cancellation);
            var start = ManifestJson.ReadBase(bytes.ToArray()).Start;
            newest = newest > start ? newest : start;
        }
        return newest;
    }

    /// <summary>Makes sure that the server keeps its log for us; returns from where it does.</summary>
    private async Task<Lsn> KeepSlotAsync(ReplicationConnection control, CancellationToken cancellation)
    {
        var slot = await control.ReadSlotAsync(_options.Slot, cancellation);
        if (slot is { Restart: null })
            await control.DropSlotAsync(_options.Slot, cancellation);
        if (slot?.Restart is { } restart)
            return restart;
        await control.CreateSlotAsync(_options.Slot, isTemporary: false, cancellation);
        return (await control.ReadSlotAsync(_options.Slot, cancellation))?.Restart
            ?? throw new WireException($"The server made slot {_options.Slot} and keeps nothing for it.");
    }

    private void Lost(WalGap gap)
    {
        if (!_state.Lost(gap))
            return;
        _metrics.Gaps.Add();
        _gapFound?.Invoke(gap);
    }

    private string Words(Exception e) => e switch
    {
        PgServerException { IsLogin: true } => $"The server at {_options.Server.Place} refuses the login: {e.Message} Look at its role, password and pg_hba.conf.",
        PgServerException => $"The server at {_options.Server.Place} refused: {e.Message}",
        FormatException => $"The server at {_options.Server.Place} or its archive says what cannot be read: {e.Message}",
        _ => e.Message,
    };
}
