using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>What the store says about itself, under the names of Prometheus.</summary>
internal sealed class StoreMetrics(MetricRegistry registry)
{
    private readonly Metric.Series _floats = registry.Counter("prometheus_tsdb_head_samples_appended_total", "Samples that were taken into the head.").With();
    private readonly Metric _outOfOrder = registry.Counter("prometheus_tsdb_out_of_order_samples_total", "Samples that were refused because their series had a newer one.");
    private readonly Metric _outOfBounds = registry.Counter("prometheus_tsdb_out_of_bound_samples_total", "Samples that were refused because the head takes nothing that old.");
    private readonly Metric _tooOld = registry.Counter("prometheus_tsdb_too_old_samples_total", "Samples that were refused because they were older than the window for samples out of order.");
    private readonly Metric _refused = registry.Counter("groundcrew_metrics_samples_refused_total", "Samples that were refused, by reason.", "reason");

    public Metric LogWriteFailures { get; } = registry.Counter("prometheus_tsdb_wal_writes_failed_total", "Batches that the write log could not take.");

    public Metric LogCorruptions { get; } = registry.Counter("prometheus_tsdb_wal_corruptions_total", "Damaged places found in the write log.");

    public Metric LogSyncFailures { get; } = registry.Counter("groundcrew_metrics_log_syncs_failed_total", "Syncs of the write log that failed.");

    public Metric Unknown { get; } = registry.Counter("groundcrew_metrics_log_samples_unknown_total", "Samples in the write log whose series was lost with a damaged place.");

    public Metric Compactions { get; } = registry.Counter("prometheus_tsdb_compactions_total", "Compactions that were carried out.");

    public Metric CompactionsFailed { get; } = registry.Counter("prometheus_tsdb_compactions_failed_total", "Compactions that failed.");

    public Metric CheckpointsCreated { get; } = registry.Counter("prometheus_tsdb_checkpoint_creations_total", "Checkpoints of the write log that were written.");

    public Metric CheckpointsFailed { get; } = registry.Counter("prometheus_tsdb_checkpoint_creations_failed_total", "Checkpoints of the write log that failed.");

    public Metric TimeRetentions { get; } = registry.Counter("prometheus_tsdb_time_retentions_total", "Blocks that went because of their age.");

    public Metric SizeRetentions { get; } = registry.Counter("prometheus_tsdb_size_retentions_total", "Blocks that went because of the limit of bytes.");

    public Metric DamagedBlocks { get; } = registry.Counter("groundcrew_metrics_blocks_damaged_total", "Blocks that were set aside, and chunks that could not be read.");

    public Metric SeriesCreated { get; } = registry.Counter("prometheus_tsdb_head_series_created_total", "Series that began in the head.");

    public Metric SeriesRemoved { get; } = registry.Counter("prometheus_tsdb_head_series_removed_total", "Series that left the head.");

    public void Appended(int samples) => _floats.Add(samples);

    public void Count(Refusals refusals)
    {
        if (refusals.Counts is not { } counts)
            return;
        for (var why = SampleRefusal.Duplicate; why <= SampleRefusal.SeriesLimit; why++)
            if (counts[(int)why] is > 0 and var count)
            {
                _refused.With(why.ToString()).Add(count);
                (why switch { SampleRefusal.OutOfOrder => _outOfOrder, SampleRefusal.OutOfBounds => _outOfBounds, SampleRefusal.TooOld => _tooOld, _ => null })?.Add(count);
            }
    }

    /// <summary>What is read when the metrics are written.</summary>
    public static void Observe(MetricRegistry registry, Head head, BlockSet blocks)
    {
        registry.Observe("prometheus_tsdb_head_series", "Series in the head.", () => head.Table.Count);
        registry.Observe("prometheus_tsdb_head_chunks", "Chunks in the head.", () => head.ChunkCount);
        registry.Observe("prometheus_tsdb_head_min_time", "The oldest sample of the head, in milliseconds.", () => head.MinTime);
        registry.Observe("prometheus_tsdb_head_max_time", "The newest sample of the head, in milliseconds.", () => head.MaxTime);
        registry.Observe("prometheus_tsdb_head_chunk_bytes", "Bytes of memory that chunks of the head have taken.", () => head.Slots.Bytes);
        registry.Observe("prometheus_tsdb_blocks_loaded", "Blocks that are served.", () => blocks.Count);
        registry.Observe("prometheus_tsdb_storage_blocks_bytes", "Bytes of all blocks.", () => blocks.Bytes);
    }
}
