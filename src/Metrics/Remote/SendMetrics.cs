using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>What one sender counts, under the names of Prometheus. Thread-safe.</summary>
internal sealed class SendMetrics(MetricRegistry registry, string name, string url)
{
    private readonly Metric _dropped = registry.Counter("prometheus_remote_storage_samples_dropped_total", "Samples that were not sent, by reason.", "remote_name", "url", "reason");

    public Metric.Series Sent { get; } = registry.Counter("prometheus_remote_storage_samples_total", "Samples that were sent.", "remote_name", "url").With(name, url);

    public Metric.Series HistogramsSent { get; } = registry.Counter("prometheus_remote_storage_histograms_total", "Native histograms that were sent.", "remote_name", "url").With(name, url);

    public Metric.Series Failed { get; } = registry.Counter("prometheus_remote_storage_samples_failed_total", "Samples that the other side refused for good.", "remote_name", "url").With(name, url);

    public Metric.Series Retried { get; } = registry.Counter("prometheus_remote_storage_samples_retried_total", "Samples whose sending failed and was tried again.", "remote_name", "url").With(name, url);

    public Metric.Series Pending { get; } = registry.Gauge("prometheus_remote_storage_samples_pending", "Samples that wait in the shards.", "remote_name", "url").With(name, url);

    public Metric.Series Shards { get; } = registry.Gauge("prometheus_remote_storage_shards", "Requests that may go on at once.", "remote_name", "url").With(name, url);

    public Metric.Series ShardsDesired { get; } = registry.Gauge("prometheus_remote_storage_shards_desired", "Requests that should go on at once.", "remote_name", "url").With(name, url);

    public Metric.Series ShardsMin { get; } = registry.Gauge("prometheus_remote_storage_shards_min", "The fewest shards.", "remote_name", "url").With(name, url);

    public Metric.Series ShardsMax { get; } = registry.Gauge("prometheus_remote_storage_shards_max", "The most shards.", "remote_name", "url").With(name, url);

    public Metric.Series Bytes { get; } = registry.Counter("prometheus_remote_storage_bytes_total", "Bytes that were sent, packed.", "remote_name", "url").With(name, url);

    public Metric.Series Highest { get; } = registry.Gauge("prometheus_remote_storage_highest_timestamp_in_seconds", "The newest time of a sample that was read to be sent.").With();

    public Metric.Series HighestSent { get; } = registry.Gauge("prometheus_remote_storage_queue_highest_sent_timestamp_seconds", "The newest time of a sample that was sent.", "remote_name", "url").With(name, url);

    public Metric.Series DroppedFor(string reason) => _dropped.With(name, url, reason);
}
