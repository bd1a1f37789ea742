using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>One stream of the log from a server into a buffer, with what has to go on beside it: status for the server, moments. Used once.</summary>
internal sealed class WalSession(
    WalReceiverOptions options, WalPieces archive, ReplicationConnection connection, ReplicationConnection control, WalBuffer buffer, ArchiveState state,
    WalMetrics metrics, TimeProvider clock, Action<WalGap> lost)
{
    private static readonly TimeSpan StatusEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(30);
    private readonly Nudge _told = new();
    private readonly Nudge _isWanted = new();
    private volatile WalStream? _stream;
    private bool _isWaitingForRoom;

    /// <summary>Streams from a place on, until the server ends it, the connection breaks, or it is cancelled.</summary>
    /// <param name="first">Where it begins.</param>
    /// <param name="system">What the server said about itself.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task RunAsync(WalSegment first, SystemIdentity system, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var reading = ReadAsync(first, system, over.Token);
        var status = SendStatusAsync(over.Token);
        var marks = MarkAsync(over.Token);
        var ended = await Task.WhenAny(reading, status, marks);
        if (ended != reading)
        {
            // A server that shuts down closes what is idle first, and waits until the rest of its log is confirmed.
            buffer.StoreNow();
            await Task.WhenAny(reading, Task.Delay(options.ShutdownPatience, clock, over.Token));
        }
        await over.CancelAsync();
        foreach (var task in (Task[])[reading, status, marks])
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // What the reading says goes first: it is what ended the stream, and the others only saw that it had.
        await (reading.IsFaulted ? reading : ended);
    }

    private async Task ReadAsync(WalSegment segment, SystemIdentity system, CancellationToken cancellation)
    {
        await buffer.AddAsync(segment, cancellation);
        while (true)
        {
            var (timeline, start) = (segment.Timeline, segment.Start);
            await archive.StoreHistoryAsync(control, timeline, cancellation);
            state.Begin(timeline, start, start + segment.Stored);
            try
            {
                _stream = await connection.StartReplicationAsync(options.Slot, start, timeline, cancellation);
                metrics.Connections.Add();
                state.ServerTrouble(null);
                segment = await ReadTimelineAsync(_stream, segment, cancellation);
                var end = _stream.End!;
                buffer.StoreNow();
                segment = new(end.Timeline, end.At.SegmentStart());
            }
            catch (PgServerException e) when (e.SqlState == PgServerException.UndefinedFile)
            {
                segment = await SkipAsync(buffer.Segments is [.., var last] ? last : segment, system, cancellation);
            }
            await AddAsync(segment, cancellation);
        }
    }

    private async Task<WalSegment> ReadTimelineAsync(WalStream stream, WalSegment segment, CancellationToken cancellation)
    {
        DateTimeOffset? before = null;
        while (await stream.ReadAsync(cancellation) is { } message)
        {
            if (message.Bytes.Length > 0)
            {
                segment = await TakeAsync(segment, message, cancellation);
                // The server looked at its end after it had finished the message before.
                if (before is { } time && !connection.IsStandby)
                    buffer.Mark(message.ServerEnd, time);
                state.Received(segment.End);
                buffer.Changed.Set();
            }
            else if (message.IsReplyWanted)
            {
                // It asks when it heard nothing for long, and when it shuts down: then it waits for what is not stored.
                buffer.StoreNow();
                _isWanted.Set();
            }
            before = message.ServerTime;
            state.Told(message.ServerEnd, message.ServerTime);
            _told.Set();
        }
        return segment;
    }

    private async Task<WalSegment> TakeAsync(WalSegment segment, WalMessage message, CancellationToken cancellation)
    {
        if (message.Start != segment.End)
            throw new WireException($"The server sent its log from {message.Start} on where {segment.End} follows.");
        for (var rest = message.Bytes; rest.Length > 0;)
        {
            if (segment.IsFull)
                await AddAsync(segment = new(segment.Timeline, segment.End), cancellation);
            rest = rest[segment.Append(rest.Span)..];
        }
        return segment;
    }

    private async Task AddAsync(WalSegment segment, CancellationToken cancellation)
    {
        Volatile.Write(ref _isWaitingForRoom, true);
        await buffer.AddAsync(segment, cancellation);
        Volatile.Write(ref _isWaitingForRoom, false);
    }

    /// <summary>The server no longer has what follows: the next place that it may have, and the range between as lost.</summary>
    private async Task<WalSegment> SkipAsync(WalSegment segment, SystemIdentity system, CancellationToken cancellation)
    {
        var from = segment.Start + Math.Max(segment.Stored, segment.Filled);
        if (segment.Timeline < system.Timeline)
        {
            var forks = TimelineHistory.Parse(system.Timeline, await control.TimelineHistoryAsync(system.Timeline, cancellation));
            var fork = forks.FirstOrDefault(f => f.Parent == segment.Timeline)
                ?? throw new WireException($"The server's history has no timeline {segment.Timeline} that its archive is on.");
            if (fork.At > from)
                lost(new(segment.Timeline, from, fork.At));
            return new(fork.Timeline, fork.At.SegmentStart());
        }
        var end = (await control.IdentifyAsync(cancellation)).End;
        var kept = (await control.ReadSlotAsync(options.Slot, cancellation))?.Restart?.SegmentStart() ?? default;
        var next = segment.Start + Lsn.SegmentBytes;
        next = kept > next ? kept : next;
        if (next > end)
            throw new WireException($"The server has no log at {from}, and none after it: look at its pg_wal folder.");
        lost(new(segment.Timeline, from, next));
        return new(segment.Timeline, next);
    }

    /// <summary>Confirms what the storage has as soon as it has it, and tells at least now and then that we are there.</summary>
    private async Task SendStatusAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var (changed, wanted) = (state.Changed.Next, _isWanted.Next);
            var (_, received, stored) = state.Places;
            if (_stream is { End: null } stream)
                await stream.SendStatusAsync(Written(received, stored), stored, clock.GetUtcNow(), false, cancellation);
            var until = clock.GetUtcNow() + StatusEvery;
            while (state.Places.Stored == stored && !wanted.IsCompleted && clock.GetUtcNow() is var now && now < until)
            {
                await Nudge.WaitAsync(Task.WhenAny(changed, wanted), until - now, clock, cancellation);
                changed = state.Changed.Next;
            }
        }
    }

    /// <summary>
    /// Asks now and then where the server's log ends, after it told its time: what was acknowledged before that time lies before
    /// that end. A keepalive alone does not say so, since it names what was sent and not what there is.
    /// </summary>
    private async Task MarkAsync(CancellationToken cancellation)
    {
        var every = TimeSpan.FromTicks(Math.Clamp((options.FlushEvery / 5).Ticks, TimeSpan.FromMilliseconds(50).Ticks, TimeSpan.FromSeconds(2).Ticks));
        while (true)
        {
            metrics.Show(state, clock.GetUtcNow());
            if (_stream is { End: null } stream)
            {
                var told = _told.Next;
                var (_, received, stored) = state.Places;
                await stream.SendStatusAsync(Written(received, stored), stored, clock.GetUtcNow(), true, cancellation);
                await Nudge.WaitAsync(told, AnswerLimit, clock, cancellation);
                if (!told.IsCompleted && !Volatile.Read(ref _isWaitingForRoom))
                    throw new WireException($"The server at {options.Server.Place} has sent nothing for {AnswerLimit.TotalSeconds:0} s.");
                if (told.IsCompleted && state.Server.Time is { } time)
                    await MarkAsync(time, cancellation);
            }
            await Task.Delay(every, clock, cancellation);
        }
    }

    private async Task MarkAsync(DateTimeOffset time, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(AnswerLimit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        try
        {
            // As it was before the question: a standby that is promoted meanwhile may have answered as one.
            var wasStandby = control.IsStandby;
            var end = (await control.IdentifyAsync(either.Token)).End;
            state.Told(end, null);
            if (wasStandby)
                return;
            buffer.Mark(end, time);
            buffer.Changed.Set();
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new WireException($"The server at {options.Server.Place} has not answered for {AnswerLimit.TotalSeconds:0} s.");
        }
    }

    // What is only received is not said to be written where it would release commits that wait for no more (remote_write).
    private Lsn Written(Lsn received, Lsn stored) => received > stored && !options.IsSynchronous ? received : stored;
}
