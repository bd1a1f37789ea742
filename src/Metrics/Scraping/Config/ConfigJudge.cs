using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>Judges a <c>prometheus.yml</c>. One object judges one file.</summary>
internal sealed class ConfigJudge
{
    private readonly ProblemList _problems = new();
    private readonly SectionForms _forms;

    private ConfigJudge(string? folder) => _forms = new(folder);

    public static Judged<PrometheusConfig> Judge(string yaml, string? folder)
    {
        var judge = new ConfigJudge(folder);
        return judge.Conclude(judge.Root(yaml) is { } root ? judge.ReadRoot(root) : null);
    }

    public static Judged<IReadOnlyList<ScrapeConfig>> JudgeScrapeConfigs(string yaml, GlobalConfig global, string? folder)
    {
        var judge = new ConfigJudge(folder);
        if (judge.Root(yaml) is not { } root)
            return judge.Conclude<IReadOnlyList<ScrapeConfig>>(null);
        var jobs = judge.ReadJobs(root, global);
        root.Close();
        return judge.Conclude<IReadOnlyList<ScrapeConfig>>(jobs);
    }

    private ConfigSection? Root(string yaml)
    {
        if (yaml.Length > PrometheusConfig.MaxLength)
        {
            _problems.Add("too-large", "", $"The file has more than {PrometheusConfig.MaxLength} characters.", "Make it smaller.");
            return null;
        }
        var root = YamlTree.Read(yaml.TrimStart('\uFEFF'), _problems);
        return root is null && !_problems.IsEmpty ? null : new(root, "", _problems);
    }

    private Judged<T> Conclude<T>(T? value)
        where T : class =>
        _problems.IsEmpty && value is not null ? Judged<T>.Good(value) : Judged<T>.Bad([.. _problems.Problems.OrderBy(p => p.Line)]);

    private PrometheusConfig ReadRoot(ConfigSection root)
    {
        var global = ReadGlobal(root.Section("global"));
        var (window, retention, size, exemplars) = ReadStorage(root.Section("storage"));
        var config = new PrometheusConfig
        {
            Global = global,
            ScrapeConfigs = ReadJobs(root, global),
            RuleFiles = [.. (root.Texts("rule_files") ?? []).Select(_forms.Absolute)],
            ScrapeConfigFiles = [.. (root.Texts("scrape_config_files") ?? []).Select(_forms.Absolute)],
            Alerting = ReadAlerting(root.Section("alerting")),
            RemoteWrites = RemoteWriteForms.Read(root, _forms),
            OutOfOrderWindow = window,
            RetentionTime = retention,
            RetentionBytes = size,
            MaxExemplars = exemplars,
        };
        root.Unsupported("Ask this program's own store; it cannot fetch samples from another one.", "remote_read");
        root.Unsupported("Remove the section: traces are not taken here.", "tracing", "otlp");
        root.Section("runtime").Ignore("gogc");
        root.Close();
        return config;
    }

    private static GlobalConfig ReadGlobal(ConfigSection map)
    {
        var interval = map.Duration("scrape_interval") is { } given && given > TimeSpan.Zero ? given : TimeSpan.FromMinutes(1);
        var timeoutLine = map.LineOf("scrape_timeout");
        var timeout = map.Duration("scrape_timeout") is { } wanted && wanted > TimeSpan.Zero ? wanted : (TimeSpan?)null;
        if (timeout > interval)
            map.Refuse("timeout-above-interval", "scrape_timeout", "global scrape timeout greater than scrape interval.", "Make the timeout shorter or the interval longer.", timeoutLine);
        var global = new GlobalConfig
        {
            ScrapeInterval = interval,
            ScrapeTimeout = timeout ?? (interval < TimeSpan.FromSeconds(10) ? interval : TimeSpan.FromSeconds(10)),
            EvaluationInterval = map.Duration("evaluation_interval") is { } evaluation && evaluation > TimeSpan.Zero ? evaluation : TimeSpan.FromMinutes(1),
            RuleQueryOffset = map.Duration("rule_query_offset") ?? TimeSpan.Zero,
            ExternalLabels = SectionForms.LabelsOf(map, "external_labels"),
            Limits = SectionForms.Limits(map, new()),
            ScrapeProtocols = SectionForms.Protocols(map),
            NativeHistograms = map.Flag("scrape_native_histograms") ?? false,
            AlsoClassicHistograms = map.Flag("always_scrape_classic_histograms") ?? false,
            FallbackScrapeProtocol = SectionForms.Protocol(map, "fallback_scrape_protocol"),
            LegacyNames = map.Choice("metric_name_validation_scheme", "utf8", "legacy") == "legacy",
        };
        SectionForms.RefuseConversion(map);
        map.Ignore("query_log_file", "scrape_failure_log_file", "metric_name_escaping_scheme", "extra_scrape_metrics");
        map.Close();
        return global;
    }

    private List<ScrapeConfig> ReadJobs(ConfigSection root, GlobalConfig global)
    {
        var jobs = new List<ScrapeConfig>();
        var names = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var map in root.Sections("scrape_configs"))
        {
            var job = JobForms.Read(map, global, _forms);
            if (job.JobName.Length > 0 && !names.TryAdd(job.JobName, map.Line))
                map.Refuse("duplicate-job", "job_name", $"found multiple scrape configs with job name \"{job.JobName}\"; the first is in line {names[job.JobName]}.", "Give each job a name of its own.", map.Line);
            jobs.Add(job);
        }
        return jobs;
    }

    private AlertingConfig ReadAlerting(ConfigSection map)
    {
        var alerting = new AlertingConfig
        {
            RelabelRules = RelabelForms.Read(map, "alert_relabel_configs"),
            Alertmanagers = [.. map.Sections("alertmanagers").Select(ReadAlertmanager)],
        };
        map.Close();
        return alerting;
    }

    private AlertmanagerConfig ReadAlertmanager(ConfigSection map)
    {
        var manager = new AlertmanagerConfig
        {
            Scheme = map.Choice("scheme", "http", "https") ?? "http",
            PathPrefix = map.Text("path_prefix") ?? "/",
            Timeout = map.Duration("timeout", positive: true) ?? TimeSpan.FromSeconds(10),
            Http = _forms.Http(map),
            StaticTargets = SectionForms.StaticTargets(map),
            RelabelRules = RelabelForms.Read(map, "relabel_configs"),
            AlertRelabelRules = RelabelForms.Read(map, "alert_relabel_configs"),
        };
        _ = map.Choice("api_version", "v2");
        JobForms.RefuseDiscoveries(map, "List them in static_configs.", "file_sd_configs", "http_sd_configs");
        map.Close();
        return manager;
    }

    private static (TimeSpan? Window, TimeSpan? Time, long? Bytes, int? Exemplars) ReadStorage(ConfigSection map)
    {
        var tsdb = map.Section("tsdb");
        var window = tsdb.Duration("out_of_order_time_window");
        var retention = tsdb.Section("retention");
        var (time, size) = (retention.Duration("time"), retention.Size("size"));
        retention.Close();
        tsdb.Close();
        var exemplars = map.Section("exemplars");
        var most = exemplars.Count("max_exemplars");
        exemplars.Close();
        map.Close();
        // Zero means no limit of its own, as in Prometheus.
        return (window, time > TimeSpan.Zero ? time : null, size > 0 ? size : null, most is { } count ? (int)Math.Clamp(count, 0, int.MaxValue) : null);
    }
}
