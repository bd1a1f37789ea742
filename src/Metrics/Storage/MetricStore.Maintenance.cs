using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>What goes on in the background.</summary>
public sealed partial class MetricStore
{
    private const int SegmentsBetweenCheckpoints = 8;
    private const long MaxLateSamples = 4_000_000;

    private const long MuchBytes = 64 << 20;

    private static readonly TimeSpan CollectEvery = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan SyncEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(1);

    private readonly Lock _maintenance = new();
    private bool _isFailing;
    private bool _mustTruncate;
    private bool _hasFreed;
    private DateTimeOffset _collected = DateTimeOffset.MinValue;

    private long Range => (long)_options.BlockRange.TotalMilliseconds;

    /// <summary>
    /// Syncs the log every second, and looks every minute whether the head is to be cut, blocks are to be merged or have become
    /// too old. Ends when it is cancelled. A failure such as a full disk is signalled once, counted, and tried again.
    /// </summary>
    public Task RunAsync(CancellationToken cancellation) => Task.WhenAll(
        RepeatAsync(SyncEvery, SyncLog, cancellation), RepeatAsync(LookEvery, Maintain, cancellation));

    /// <summary>Syncs the log now.</summary>
    public void Sync() => _log.Sync();

    /// <summary>
    /// Writes every range of the head to a block that is complete (nothing is taken into it any more), frees the memory, and
    /// writes a checkpoint; false when there was nothing to do. Throws the <see cref="IOException"/>s of the file system.
    /// </summary>
    public bool CutHead()
    {
        lock (_maintenance)
        {
            var cut = false;
            while (_cutter.NextRange(Range) is var (from, to))
            {
                _cutter.Cut(from, to);
                cut = true;
            }
            if (_cutter.HasLate(cut ? 1 : MaxLateSamples))
                cut |= _cutter.WriteLate(Range);
            _mustTruncate |= cut;
            if (_mustTruncate && _cutter.TryTruncate(out var gone))
            {
                _mustTruncate = false;
                _hasFreed = true;
                _metrics.SeriesRemoved.Add(gone);
            }
            if (!cut)
                return false;
            _metrics.Compactions.Add();
            WriteCheckpoint();
            return true;
        }
    }

    /// <summary>Merges blocks as long as some are to be merged; gives how many merges that were. Throws the <see cref="IOException"/>s of the file system.</summary>
    public int CompactBlocks()
    {
        lock (_maintenance)
        {
            var merges = 0;
            while (CompactionPlan.Next([.. _blocks.All.Select(b => b.Meta)], CompactionPlan.Ranges(_options)) is { } ids)
            {
                Merge([.. _blocks.All.Where(b => ids.Contains(b.Meta.Id))]);
                merges++;
            }
            return merges;
        }
    }

    /// <summary>Takes blocks away that are too old or too many; gives how many.</summary>
    public int ApplyRetention()
    {
        lock (_maintenance)
        {
            var blocks = _blocks.All;
            if (blocks.Count == 0)
                return 0;
            var oldest = Math.Max(blocks.Max(b => b.MaxTime), Math.Min(_head.MaxTime, _clock.GetUtcNow().ToUnixTimeMilliseconds())) - (long)_options.Retention.TotalMilliseconds;
            var leaving = blocks.Where(b => b.MaxTime <= oldest).ToList();
            _metrics.TimeRetentions.Add(leaving.Count);
            if (_options.MaxBytes is { } most)
            {
                var bytes = blocks.Except(leaving).Sum(b => b.Meta.Bytes) + new DirectoryInfo(LogFolder).EnumerateFiles().Sum(f => f.Length);
                foreach (var block in blocks.Except(leaving).ToList())
                {
                    if (bytes <= most)
                        break;
                    bytes -= block.Meta.Bytes;
                    leaving.Add(block);
                    _metrics.SizeRetentions.Add();
                }
            }
            Leave(leaving, []);
            return leaving.Count;
        }
    }

    /// <summary>Writes what the head holds to a checkpoint, so that the log before it is not needed after a crash.</summary>
    public void WriteCheckpoint()
    {
        lock (_maintenance)
        {
            long pin;
            int segment;
            Checkpoint checkpoint;
            lock (_committer.Gate)
            {
                segment = _log.Roll();
                _head.State.EnterReadLock();
                pin = _head.PinLocked();
                checkpoint = Checkpoint.Capture(_head);
                _head.State.ExitReadLock();
            }
            try
            {
                checkpoint.Write(LogFolder, segment, _head.Slots, _files);
                _metrics.CheckpointsCreated.Add();
            }
            catch (IOException)
            {
                _metrics.CheckpointsFailed.Add();
                throw;
            }
            finally
            {
                _head.Unpin(pin);
            }
            // The one before stays with its segments, in case that this one turns out to be damaged, and for who follows the log.
            var all = Checkpoint.In(LogFolder);
            if (all.Count < 2)
                return;
            foreach (var old in all.Skip(2))
                _files.Delete(Checkpoint.PathOf(LogFolder, old));
            _log.DropBefore(all[1]);
        }
    }

    private async Task RepeatAsync(TimeSpan every, Action step, CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            await Task.Delay(every, _clock, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!cancellation.IsCancellationRequested)
                await Task.Run(() => Attempt(step), CancellationToken.None);
        }
    }

    private void Attempt(Action step)
    {
        try
        {
            step();
            _isFailing = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (step == Maintain)
                _metrics.CompactionsFailed.Add();
            else
                _metrics.LogSyncFailures.Add();
            if (!_isFailing)
                _signals.Raise(new("metrics-store-failing", _options.Folder, $"The store of metrics cannot write: {e.Message} Queries go on; it tries again by itself. Make room or mend the disk.", SignalUrgency.Urgent, _clock.GetUtcNow()));
            _isFailing = true;
        }
    }

    private void SyncLog() => _log.Sync();

    private void Maintain()
    {
        var cut = CutHead();
        if (!cut && _log.End.Segment - Checkpoint.In(LogFolder).FirstOrDefault() > SegmentsBetweenCheckpoints)
            WriteCheckpoint();
        CompactBlocks();
        ApplyRetention();
        GiveMemoryBack();
    }

    /// <summary>
    /// Collects once after much was freed. The heap is quiet then for hours (a head is cut every two), so the collector would
    /// keep the memory of the cut until the system runs short of it, and the process would look three times as large as it is.
    /// </summary>
    private void GiveMemoryBack()
    {
        if (!_hasFreed || GC.GetTotalMemory(forceFullCollection: false) < MuchBytes || _clock.GetUtcNow() - _collected < CollectEvery)
            return;
        (_hasFreed, _collected) = (false, _clock.GetUtcNow());
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private void Merge(List<Block> blocks)
    {
        var (minTime, maxTime) = (blocks.Min(b => b.MinTime), blocks.Max(b => b.MaxTime));
        using var writer = new BlockWriter(BlockFolder, Ids.New(_clock).ToString(), minTime, _files);
        var places = blocks.Where(b => b.Index.Count > 0).Select(b => (b.MinTime, b.MaxTime - 1, (IReadOnlyList<StoredSeries>)[.. Enumerable.Range(0, b.Index.Count).Select(b.SeriesAt)])).ToList();
        var samples = new SampleBuffer();
        foreach (var series in places.Count == 0 ? [] : JoinedSeries.Join(places))
        {
            samples.Clear();
            series.Read(long.MinValue, long.MaxValue, samples);
            if (samples.Count > 0)
                writer.Add(series.Labels, samples);
        }
        if (writer.Samples == 0)
        {
            Leave(blocks, []);
            return;
        }
        writer.Commit(maxTime, blocks.Max(b => b.Meta.Level) + 1, blocks.Max(b => b.Meta.HeadCut), [.. blocks.Select(b => b.Meta.Id)]);
        Leave(blocks, [Block.Open(writer.Folder, ReportDamage)]);
        _metrics.Compactions.Add();
    }

    private void Leave(IReadOnlyCollection<Block> leaving, IReadOnlyCollection<Block> coming)
    {
        foreach (var block in leaving)
            block.IsLeaving = true;
        _blocks.Swap(leaving, coming);
    }

    private void ReportDamage(string message)
    {
        _metrics.DamagedBlocks.Add();
        _signals.Raise(new("metrics-chunk-damaged", _options.Folder, message + " Its samples are missing from answers; the rest is served. Check the disk.", SignalUrgency.Warning, _clock.GetUtcNow()));
    }

    private void OpenBlocks()
    {
        Directory.CreateDirectory(BlockFolder);
        var opened = new List<Block>();
        foreach (var folder in Directory.GetDirectories(BlockFolder).Order(StringComparer.Ordinal))
        {
            if (Path.GetExtension(folder) is ".tmp" or ".gone")
                Directory.Delete(folder, recursive: true);
            else if (Path.GetExtension(folder) is "" && OpenBlock(folder) is { } block)
                opened.Add(block);
        }
        var replaced = opened.SelectMany(b => b.Meta.Parents).ToHashSet(StringComparer.Ordinal);
        foreach (var block in opened.Where(b => replaced.Contains(b.Meta.Id)))
        {
            block.IsLeaving = true;
            block.Release();
        }
        opened.RemoveAll(b => b.IsLeaving);
        _blocks.Swap([], opened);
        _head.SetMinValidLocked(opened.Select(b => b.Meta.HeadCut).DefaultIfEmpty(long.MinValue).Max());
    }

    private Block? OpenBlock(string folder)
    {
        try
        {
            return Block.Open(folder, ReportDamage);
        }
        catch (InvalidDataException e)
        {
            _metrics.DamagedBlocks.Add();
            Directory.Move(folder, folder + ".bad");
            _signals.Raise(new("metrics-block-damaged", Path.GetFileName(folder), $"The block '{folder}' cannot be served: {e.Message}. It is set aside as '{folder}.bad'; its samples are missing from answers. Check the disk.", SignalUrgency.Urgent, _clock.GetUtcNow()));
            return null;
        }
    }
}
