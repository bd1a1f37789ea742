using System.Globalization;

namespace Groundcrew.Bench.Metrics;

/// <summary>
/// The machines and services that the samples are about: for each host processors, memory, disks and network, and one service
/// with requests by handler and status and a histogram of durations. Every value follows from the series and the step alone.
/// </summary>
internal static class World
{
    /// <summary>Milliseconds between two samples.</summary>
    public const long Interval = 15_000;

    private static readonly string[] Modes = ["user", "system", "idle", "iowait", "nice", "irq", "softirq", "steal"];
    private static readonly string[] Handlers = ["/", "/login", "/api/orders", "/api/items"];
    private static readonly (string Status, double Share)[] Statuses = [("200", 0.93), ("404", 0.05), ("500", 0.02)];
    private static readonly (string Le, double Share)[] Buckets =
        [("0.005", .1), ("0.01", .25), ("0.025", .45), ("0.05", .6), ("0.1", .75), ("0.25", .88), ("0.5", .94), ("1", .97), ("2.5", .99), ("5", .995), ("10", .999), ("+Inf", 1)];

    /// <summary>How many series one host has.</summary>
    public static int SeriesOfHost { get; } = OfHost(0).Count;

    /// <summary>The series of the first hosts, cut to a number.</summary>
    public static List<Series> Of(int series) => [.. Enumerable.Range(0, (series / SeriesOfHost) + 1).SelectMany(OfHost).Take(series)];

    /// <summary>The series of one host.</summary>
    public static List<Series> OfHost(int host)
    {
        var instance = string.Create(CultureInfo.InvariantCulture, $"host-{host:0000}.eu-west.example:9100");
        var all = new List<Series>();
        for (var cpu = 0; cpu < 2; cpu++)
            foreach (var mode in Modes)
                Add("node_cpu_seconds_total", Sort.Seconds, mode == "idle" ? 0.8 : 0.03, ("cpu", cpu.ToString(CultureInfo.InvariantCulture)), ("mode", mode));
        foreach (var name in (string[])["MemTotal", "MemAvailable", "MemFree", "Buffers", "Cached"])
            Add($"node_memory_{name}_bytes", name == "MemTotal" ? Sort.Constant : Sort.Bytes, 8e9);
        foreach (var mount in (string[])["/", "/var"])
        {
            Add("node_filesystem_size_bytes", Sort.Constant, 1e11, ("device", "/dev/vda1"), ("fstype", "ext4"), ("mountpoint", mount));
            Add("node_filesystem_avail_bytes", Sort.Bytes, 5e10, ("device", "/dev/vda1"), ("fstype", "ext4"), ("mountpoint", mount));
        }
        foreach (var way in (string[])["receive", "transmit"])
            Add($"node_network_{way}_bytes_total", Sort.Count, 20_000, ("device", "eth0"));
        foreach (var load in (string[])["1", "5", "15"])
            Add("node_load" + load, Sort.Gauge, 1);
        Add("up", Sort.Constant, 1);
        foreach (var handler in Handlers)
        {
            foreach (var (status, share) in Statuses)
                Add("http_requests_total", Sort.Count, 50 * share, ("handler", handler), ("method", handler.Length > 6 ? "POST" : "GET"), ("status", status));
            foreach (var (le, share) in Buckets)
                Add("http_request_duration_seconds_bucket", Sort.Shared, 50 * share, ("handler", handler), ("le", le));
            Add("http_request_duration_seconds_count", Sort.Shared, 50, ("handler", handler));
            Add("http_request_duration_seconds_sum", Sort.Seconds, 4, ("handler", handler));
        }
        return all;

        void Add(string name, Sort sort, double scale, params (string Name, string Value)[] labels)
        {
            var sorted = labels.Append(("__name__", name)).Append(("instance", instance)).Append(("job", "node"))
                .Append(("region", host % 2 == 0 ? "eu-west" : "us-east")).OrderBy(l => l.Item1, StringComparer.Ordinal).ToArray();
            // The buckets of one histogram share their noise, so that they rise together.
            var seed = sort == Sort.Shared ? (host * 31) + Array.IndexOf(Handlers, labels[0].Value) : (host * 1000) + all.Count;
            all.Add(new Series(sorted, sort, scale, (uint)seed));
        }
    }
}

/// <summary>How the values of a series go.</summary>
internal enum Sort
{
    Constant,
    Gauge,
    Bytes,
    Count,
    Shared,
    Seconds,
}

/// <summary>One series of the world.</summary>
internal sealed class Series((string Name, string Value)[] labels, Sort sort, double scale, uint seed)
{
    private double _value = sort is Sort.Constant or Sort.Bytes ? scale : 0;
    private uint _state = (seed * 2654435761) + 1;

    public (string Name, string Value)[] Labels => labels;

    /// <summary>The next value; to be asked once for each step, in order.</summary>
    public double Next()
    {
        var noise = Noise();
        _value = sort switch
        {
            Sort.Constant => scale,
            Sort.Gauge => Math.Round(scale * (0.5 + noise), 2),
            Sort.Bytes => Math.Clamp(_value + (Math.Floor((noise - 0.5) * 1000) * 4096), 0, 2 * scale),
            Sort.Count or Sort.Shared => _value + Math.Floor(scale * 15 * (0.5 + noise)),
            _ => Math.Round(_value + (scale * 15 * (0.5 + noise)), 2),
        };
        return _value;
    }

    private double Noise()
    {
        _state ^= _state << 13;
        _state ^= _state >> 17;
        _state ^= _state << 5;
        return _state / (double)uint.MaxValue;
    }
}
