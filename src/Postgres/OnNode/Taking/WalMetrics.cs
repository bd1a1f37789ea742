using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>The figures of one receiver. Thread-safe.</summary>
internal sealed class WalMetrics
{
    private readonly Metric.Series _received;
    private readonly Metric.Series _stored;
    private readonly Metric.Series _lagBytes;
    private readonly Metric.Series _lagSeconds;

    /// <summary>Of a cluster.</summary>
    public WalMetrics(MetricRegistry metrics, string cluster)
    {
        _received = metrics.Gauge("groundcrew_wal_received_position_bytes", "End of the log that was received, in bytes from its beginning.", "cluster").With(cluster);
        _stored = metrics.Gauge("groundcrew_wal_stored_position_bytes", "End of the log that the storage has, in bytes from its beginning.", "cluster").With(cluster);
        _lagBytes = metrics.Gauge("groundcrew_wal_lag_bytes", "Log that the server has made durable and the storage does not have.", "cluster").With(cluster);
        _lagSeconds = metrics.Gauge("groundcrew_wal_lag_seconds", "Age of the latest moment up to which the storage has everything that was acknowledged.", "cluster").With(cluster);
        var pieces = metrics.Counter("groundcrew_wal_pieces_total", "Objects of the log that were stored.", "cluster", "kind");
        (Segments, Parts, Moments) = (pieces.With(cluster, "segment"), pieces.With(cluster, "part"), pieces.With(cluster, "moment"));
        StoredBytes = metrics.Counter("groundcrew_wal_stored_bytes_total", "Bytes of the log that were stored, as they came from the server.", "cluster").With(cluster);
        StorageRetries = metrics.Counter("groundcrew_wal_storage_retries_total", "Writes to the storage that failed and were tried again.", "cluster").With(cluster);
        Connections = metrics.Counter("groundcrew_wal_connections_total", "Streams of the log that were begun.", "cluster").With(cluster);
        Gaps = metrics.Counter("groundcrew_wal_gaps_total", "Ranges of the log that are lost for the archive.", "cluster").With(cluster);
    }

    /// <summary>Whole segments that were stored.</summary>
    public Metric.Series Segments { get; }

    /// <summary>Parts of segments that were stored.</summary>
    public Metric.Series Parts { get; }

    /// <summary>Moments of quiet that were stored.</summary>
    public Metric.Series Moments { get; }

    /// <summary>Bytes that were stored.</summary>
    public Metric.Series StoredBytes { get; }

    /// <summary>Writes that had to be repeated.</summary>
    public Metric.Series StorageRetries { get; }

    /// <summary>Streams that were begun.</summary>
    public Metric.Series Connections { get; }

    /// <summary>Ranges that are lost.</summary>
    public Metric.Series Gaps { get; }

    /// <summary>Shows how it stands.</summary>
    public void Show(ArchiveState state, DateTimeOffset now)
    {
        var (_, received, stored) = state.Places;
        var end = state.Server.End;
        _received.Set(received.Value);
        _stored.Set(stored.Value);
        _lagBytes.Set(end > stored ? end - stored : 0);
        if (state.Status.CaughtUpAt is { } time)
            _lagSeconds.Set(Math.Max(0, (now - time).TotalSeconds));
    }
}
