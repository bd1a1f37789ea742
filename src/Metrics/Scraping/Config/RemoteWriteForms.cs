using System.Buffers;

namespace Groundcrew.Metrics;

/// <summary>Reads <c>remote_write</c>.</summary>
internal static class RemoteWriteForms
{
    private static readonly SearchValues<string> Reserved =
        SearchValues.Create(["authorization", "host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding", "x-prometheus-remote-write-version"], StringComparison.OrdinalIgnoreCase);

    public static IReadOnlyList<RemoteWriteConfig> Read(ConfigSection root, SectionForms forms)
    {
        var writes = new List<RemoteWriteConfig>();
        foreach (var map in root.Sections("remote_write"))
        {
            var write = One(map, forms);
            if (write.Name.Length > 0 && writes.Exists(other => other.Name == write.Name))
                map.Refuse("duplicate-name", "name", $"found multiple remote write configs with job name \"{write.Name}\".", "Give each a name of its own.", map.Line);
            writes.Add(write);
        }
        return writes;
    }

    private static RemoteWriteConfig One(ConfigSection map, SectionForms forms)
    {
        var headersLine = map.LineOf("headers");
        var write = new RemoteWriteConfig
        {
            Url = forms.Url(map, "url"),
            Name = map.Text("name") ?? "",
            Timeout = map.Duration("remote_timeout", positive: true) ?? TimeSpan.FromSeconds(30),
            Headers = map.TextMap("headers") ?? new Dictionary<string, string>(),
            Http = forms.Http(map),
            RelabelRules = RelabelForms.Read(map, "write_relabel_configs"),
            SendNativeHistograms = map.Flag("send_native_histograms") ?? false,
            IsSecondVersion = map.Choice("protobuf_message", "prometheus.WriteRequest", "io.prometheus.write.v2.Request") == "io.prometheus.write.v2.Request",
            Queue = Queue(map.Section("queue_config")),
        };
        foreach (var header in write.Headers.Keys.Where(Reserved.Contains))
            map.Refuse("reserved-header", "headers", $"{header} is a reserved header. It must not be changed.", "Remove it; authorization has a section of its own.", headersLine);
        _ = map.Flag("send_exemplars");
        var metadata = map.Section("metadata_config");
        metadata.Ignore("send", "send_interval", "max_samples_per_send");
        metadata.Close();
        map.Ignore("round_robin_dns");
        map.Close();
        return write;
    }

    private static QueueConfig Queue(ConfigSection map)
    {
        var initial = new QueueConfig();
        var queue = new QueueConfig
        {
            Capacity = SectionForms.Between(map, "capacity", 1, initial.Capacity),
            MinShards = SectionForms.Between(map, "min_shards", 1, initial.MinShards),
            MaxShards = SectionForms.Between(map, "max_shards", 1, initial.MaxShards),
            MaxSamplesPerSend = SectionForms.Between(map, "max_samples_per_send", 1, initial.MaxSamplesPerSend),
            BatchSendDeadline = map.Duration("batch_send_deadline", positive: true) ?? initial.BatchSendDeadline,
            MinBackoff = map.Duration("min_backoff", positive: true) ?? initial.MinBackoff,
            MaxBackoff = map.Duration("max_backoff", positive: true) ?? initial.MaxBackoff,
            RetryOnHttp429 = map.Flag("retry_on_http_429") ?? initial.RetryOnHttp429,
            SampleAgeLimit = map.Duration("sample_age_limit") ?? initial.SampleAgeLimit,
        };
        if (queue.MinShards > queue.MaxShards)
            map.Refuse("bad-number", "min_shards", "min_shards is above max_shards.", "Swap them.", map.Line);
        map.Ignore("max_retries");
        map.Close();
        return queue;
    }
}
