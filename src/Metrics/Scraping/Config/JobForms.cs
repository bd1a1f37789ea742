namespace Groundcrew.Metrics;

/// <summary>Reads one job of <c>scrape_configs</c>.</summary>
internal static class JobForms
{
    private static readonly string[] Discoveries =
    [
        "azure_sd_configs", "consul_sd_configs", "digitalocean_sd_configs", "dns_sd_configs", "docker_sd_configs", "dockerswarm_sd_configs", "ec2_sd_configs",
        "eureka_sd_configs", "gce_sd_configs", "hetzner_sd_configs", "ionos_sd_configs", "kubernetes_sd_configs", "kuma_sd_configs", "lightsail_sd_configs",
        "linode_sd_configs", "marathon_sd_configs", "nerve_sd_configs", "nomad_sd_configs", "openstack_sd_configs", "ovhcloud_sd_configs", "puppetdb_sd_configs",
        "scaleway_sd_configs", "serverset_sd_configs", "stackit_sd_configs", "triton_sd_configs", "uyuni_sd_configs", "vultr_sd_configs", "aws_sd_configs",
    ];

    public static ScrapeConfig Read(ConfigSection map, GlobalConfig global, SectionForms forms)
    {
        var (interval, timeout) = Times(map, global);
        var native = map.Flag("scrape_native_histograms") ?? global.NativeHistograms;
        var classic = map.Flag("always_scrape_classic_histograms") ?? map.Flag("scrape_classic_histograms") ?? global.AlsoClassicHistograms;
        SectionForms.RefuseConversion(map);
        var job = new ScrapeConfig
        {
            JobName = map.Required("job_name"),
            ScrapeInterval = interval,
            ScrapeTimeout = timeout,
            MetricsPath = map.Text("metrics_path") ?? "/metrics",
            Scheme = map.Choice("scheme", "http", "https") ?? "http",
            Params = map.ListMap("params") ?? new Dictionary<string, IReadOnlyList<string>>(),
            HonorLabels = map.Flag("honor_labels") ?? false,
            HonorTimestamps = map.Flag("honor_timestamps") ?? true,
            TrackTimestampsStaleness = map.Flag("track_timestamps_staleness") ?? false,
            EnableCompression = map.Flag("enable_compression") ?? true,
            ScrapeProtocols = SectionForms.Protocols(map) ?? global.ScrapeProtocols ?? (native ? ScrapeProtocol.ProtobufFirst : ScrapeProtocol.Defaults),
            NativeHistograms = native,
            AlsoClassicHistograms = classic,
            NativeHistogramMinBucketFactor = map.Number("native_histogram_min_bucket_factor") ?? 0,
            FallbackScrapeProtocol = SectionForms.Protocol(map, "fallback_scrape_protocol") ?? global.FallbackScrapeProtocol,
            Limits = SectionForms.Limits(map, global.Limits),
            LegacyNames = map.Choice("metric_name_validation_scheme", "utf8", "legacy") is { } scheme ? scheme == "legacy" : global.LegacyNames,
            Http = forms.Http(map),
            StaticTargets = SectionForms.StaticTargets(map),
            FileDiscoveries = [.. map.Sections("file_sd_configs").Select(m => Files(m, forms))],
            HttpDiscoveries = [.. map.Sections("http_sd_configs").Select(m => Addresses(m, forms))],
            RelabelRules = RelabelForms.Read(map, "relabel_configs"),
            MetricRelabelRules = RelabelForms.Read(map, "metric_relabel_configs"),
        };
        map.Ignore("scrape_classic_histograms", "metric_name_escaping_scheme", "scrape_failure_log_file", "extra_scrape_metrics");
        RefuseDiscoveries(map, "List the targets in static_configs, file_sd_configs or http_sd_configs.");
        map.Close();
        return job;
    }

    public static void RefuseDiscoveries(ConfigSection map, string fix, params ReadOnlySpan<string> more)
    {
        map.Unsupported(fix, Discoveries);
        map.Unsupported(fix, more);
    }

    private static (TimeSpan Interval, TimeSpan Timeout) Times(ConfigSection map, GlobalConfig global)
    {
        var interval = map.Duration("scrape_interval") is { } given && given > TimeSpan.Zero ? given : global.ScrapeInterval;
        var line = map.LineOf("scrape_timeout");
        var timeout = map.Duration("scrape_timeout") is { } wanted && wanted > TimeSpan.Zero ? wanted : (TimeSpan?)null;
        if (timeout > interval)
            map.Refuse("timeout-above-interval", "scrape_timeout", "scrape timeout greater than scrape interval.", "Make the timeout shorter or the interval longer.", line);
        return (interval, timeout ?? (global.ScrapeTimeout > interval ? interval : global.ScrapeTimeout));
    }

    private static FileDiscovery Files(ConfigSection map, SectionForms forms)
    {
        var line = map.LineOf("files");
        var files = map.Texts("files") ?? [];
        if (files.Count == 0)
            map.Refuse("missing-key", "files", "file service discovery config must contain at least one path name.", "Name a file.", line);
        foreach (var file in files)
            if (!(file.EndsWith(".json", StringComparison.Ordinal) || file.EndsWith(".yml", StringComparison.Ordinal) || file.EndsWith(".yaml", StringComparison.Ordinal)) || (Path.GetDirectoryName(file) ?? "").Contains('*'))
                map.Refuse("bad-file", "files", $"path name \"{file}\" is not valid for file discovery.", "Name a file that ends in .json, .yml or .yaml; only its name may hold a *.", line);
        var discovery = new FileDiscovery([.. files.Select(forms.Absolute)], map.Duration("refresh_interval", positive: true) ?? TimeSpan.FromMinutes(5));
        map.Close();
        return discovery;
    }

    private static HttpDiscovery Addresses(ConfigSection map, SectionForms forms)
    {
        var discovery = new HttpDiscovery(forms.Url(map, "url"), map.Duration("refresh_interval", positive: true) ?? TimeSpan.FromMinutes(1), forms.Http(map));
        map.Close();
        return discovery;
    }
}
