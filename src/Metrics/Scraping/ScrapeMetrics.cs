using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>What scraping counts about itself, under the names of Prometheus. Thread-safe.</summary>
internal sealed class ScrapeMetrics(MetricRegistry registry)
{
    public Metric SampleLimit { get; } = registry.Counter("prometheus_target_scrapes_exceeded_sample_limit_total", "Scrapes that brought more samples than their limit.");

    public Metric BodyLimit { get; } = registry.Counter("prometheus_target_scrapes_exceeded_body_size_limit_total", "Scrapes whose answer was larger than its limit.");

    public Metric LabelLimit { get; } = registry.Counter("prometheus_target_scrape_pool_exceeded_label_limits_total", "Scrapes with labels beyond a limit.");

    public Metric BucketLimit { get; } = registry.Counter("prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total", "Scrapes with a native histogram that has more buckets than its limit, however wide they are made.");

    public Metric TargetLimit { get; } = registry.Counter("prometheus_target_scrape_pool_exceeded_target_limit_total", "Times that a job had more targets than its limit.");

    public Metric Duplicates { get; } = registry.Counter("prometheus_target_scrapes_sample_duplicate_timestamp_total", "Samples refused because their series has another value at that time.");

    public Metric OutOfOrder { get; } = registry.Counter("prometheus_target_scrapes_sample_out_of_order_total", "Samples refused because they are older than the newest of their series.");

    public Metric OutOfBounds { get; } = registry.Counter("prometheus_target_scrapes_sample_out_of_bounds_total", "Samples refused because they are too old or too new.");

    public Metric Refused { get; } = registry.Counter("prometheus_target_scrapes_sample_refused_total", "Samples refused for another reason, such as the limit of series.");

    public Metric Scrapes { get; } = registry.Counter("prometheus_target_scrapes_total", "Scrapes, by how they ended.", "outcome");

    public Metric Pools { get; } = registry.Gauge("prometheus_target_scrape_pools", "Jobs that are scraped.");

    public Metric PoolTargets { get; } = registry.Gauge("prometheus_target_scrape_pool_targets", "Targets of each job.", "scrape_job");

    public Metric CacheFlushes { get; } = registry.Counter("prometheus_target_scrapes_cache_flush_forced_total", "Times that a target's series were forgotten because it writes them in ever new ways.");

    public void Count(CommitResult result)
    {
        if (result.Refused is null)
            return;
        Add(Duplicates, result.RefusedFor(SampleRefusal.Duplicate));
        Add(OutOfOrder, result.RefusedFor(SampleRefusal.OutOfOrder));
        Add(OutOfBounds, result.RefusedFor(SampleRefusal.OutOfBounds) + result.RefusedFor(SampleRefusal.TooOld) + result.RefusedFor(SampleRefusal.TooNew));
        Add(Refused, result.RefusedFor(SampleRefusal.SeriesLimit) + result.RefusedFor(SampleRefusal.InvalidHistogram));
    }

    private static void Add(Metric metric, int count)
    {
        if (count > 0)
            metric.Add(count);
    }
}
