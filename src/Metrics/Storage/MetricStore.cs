using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// A store of time series in one folder: the newest samples in memory and in a write log, older ones in blocks. Thread-safe.
/// What a commit acknowledged survives the death of the process, and a second later the death of the machine. Formats:
/// docs/formats/metrics-log.md and docs/formats/metrics-block.md.
/// </summary>
public sealed partial class MetricStore : IMetricSource, ISampleSink, ISampleLog, IAsyncDisposable
{
    private readonly StoreOptions _options;
    private readonly TimeProvider _clock;
    private readonly DurableFiles _files;
    private readonly ISignals _signals;
    private readonly StoreMetrics _metrics;
    private readonly BlockSet _blocks = new();
    private readonly Head _head = new();
    private readonly WriteLog _log;
    private readonly Committer _committer;
    private readonly HeadCutter _cutter;
    private bool _isClosed;

    private MetricStore(StoreOptions options, TimeProvider clock, MetricRegistry metrics, ISignals signals, DurableFiles files)
    {
        (_options, _clock, _files, _signals, _metrics) = (options, clock, files, signals, new(metrics));
        OpenBlocks();
        _log = ReplayLog();
        _committer = new(_head, _log, options, clock, _metrics);
        _cutter = new(_head, _blocks, _committer, BlockFolder, files, clock, ReportDamage);
        StoreMetrics.Observe(metrics, _head, _blocks);
    }

    /// <summary>How much was read back from the log when the store was opened.</summary>
    internal long ReplayedSamples { get; private set; }

    /// <inheritdoc/>
    public LogPosition End => _log.End;

    private string LogFolder => Path.Combine(_options.Folder, "log");

    private string BlockFolder => Path.Combine(_options.Folder, "blocks");

    /// <summary>
    /// Opens the store and reads its log back. Damaged files are set aside and named by a signal, and the rest is served. Throws
    /// the <see cref="IOException"/>s of the file system, and <see cref="InvalidDataException"/> for files of a newer version.
    /// </summary>
    /// <param name="options">What it keeps, and where; no other store may use the folder.</param>
    /// <param name="clock">The time, for what is too new and for retention.</param>
    /// <param name="metrics">Gets <c>prometheus_tsdb_…</c>.</param>
    /// <param name="signals">Told about damage and full disks.</param>
    public static MetricStore Open(StoreOptions options, TimeProvider clock, MetricRegistry metrics, ISignals signals) =>
        Open(options, clock, metrics, signals, DurableFiles.Real);

    internal static MetricStore Open(StoreOptions options, TimeProvider clock, MetricRegistry metrics, ISignals signals, DurableFiles files) =>
        new(options, clock, metrics, signals, files);

    /// <inheritdoc/>
    public SeriesHandle Resolve(ReadOnlySpan<byte> packedLabels)
    {
        _head.State.EnterReadLock();
        try
        {
            return _head.Table.Find(packedLabels, Labels.HashOf(packedLabels)) ?? new HeadSeries(Labels.FromPacked(packedLabels));
        }
        finally
        {
            _head.State.ExitReadLock();
        }
    }

    /// <inheritdoc/>
    public CommitResult Commit(SampleBatch batch) => _committer.Commit(batch);

    /// <summary>
    /// Opens a view of the blocks and the head as they are now: whatever is committed while it is open, it does not see. Only
    /// what is deleted is gone at once, and a view that is open for millions of samples sees the newest of them.
    /// </summary>
    public IMetricReader OpenReader() => new StoreReader(_head, _blocks);

    /// <summary>Syncs the log, and closes it and the blocks. No reader may be open any more.</summary>
    public ValueTask DisposeAsync()
    {
        if (_isClosed)
            return ValueTask.CompletedTask;
        _isClosed = true;
        _log.Dispose();
        _blocks.Swap(_blocks.All, []);
        _head.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ISampleLogReader OpenLog(LogPosition from) => new LogFollower(LogFolder, _log, LabelsOf, from);

    private Labels? LabelsOf(int id)
    {
        _head.State.EnterReadLock();
        try
        {
            return _head.Table.Of(id)?.Labels;
        }
        finally
        {
            _head.State.ExitReadLock();
        }
    }

    private WriteLog ReplayLog()
    {
        var loader = new HeadLoader(_head);
        var first = LoadCheckpoint(loader);
        var next = new LogReplay(LogFolder, _files, _clock, _metrics, _signals).Run(first, loader);
        loader.Finish();
        ReplayedSamples = loader.Samples;
        _metrics.Unknown.Add(loader.Unknown);
        _metrics.SeriesCreated.Add(_head.Table.Count);
        return new(LogFolder, next, _options.SegmentBytes, _files);
    }

    /// <summary>Loads the newest checkpoint that is whole; gives the segment that is next.</summary>
    private int LoadCheckpoint(HeadLoader loader)
    {
        foreach (var segment in Checkpoint.In(LogFolder))
        {
            var path = Checkpoint.PathOf(LogFolder, segment);
            if (Checkpoint.Judge(path) is not { } problem)
            {
                Checkpoint.Visit(path, loader);
                return segment;
            }
            _metrics.LogCorruptions.Add();
            File.Move(path, Path.Combine(LogFolder, "bad-" + Path.GetFileName(path)), overwrite: true);
            _signals.Raise(new("metrics-checkpoint-damaged", Path.GetFileName(path),
                $"'{path}' cannot be read: {problem}. It is set aside as 'bad-{Path.GetFileName(path)}', and the one before it is used, with the log since then. Check the disk.", SignalUrgency.Warning, _clock.GetUtcNow()));
        }
        return WriteLog.SegmentsIn(LogFolder).FirstOrDefault(1);
    }
}
