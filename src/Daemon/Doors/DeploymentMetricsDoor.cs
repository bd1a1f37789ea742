using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Metrics;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon.Doors;

/// <summary><c>GET /deployments/{label}/metrics</c> (ZW-83): what the store knows of a deployment, asked in PromQL.</summary>
internal static class DeploymentMetricsDoor
{
    private static readonly TimeSpan DefaultWindow = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestWindow = TimeSpan.FromDays(7);
    private static readonly (string Name, double Quantile)[] Quantiles = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

    public static async Task<IResult> ShowAsync(
        HttpContext http, string label, Deployments deployments, Instances instances, Monitoring monitoring, TimeProvider clock, string? window, CancellationToken cancellation)
    {
        if (await DeploymentsDoor.VisibleAsync(http, label, deployments, cancellation) is not { } found)
            return Answers.NotFound($"deployment {label}");
        var span = window is null ? DefaultWindow : Quantity.ParseDuration(window);
        if (span is null || span < TimeSpan.FromMinutes(1) || span > LongestWindow)
            return Answers.BadInput([new Problem("bad-duration", "window", $"'{window}' is not a window.", "Use 1m to 7d, such as 5m; targets are asked every 15s.")]);
        var asked = new Asked(monitoring, found.Label, $"{(long)span.Value.TotalSeconds}s", clock.GetUtcNow(), cancellation);
        var all = await instances.ListAsync(label, cancellation);
        return Answers.View(await ViewAsync(asked, Quantity.Format(span.Value), all));
    }

    private static async Task<DeploymentMetricsView> ViewAsync(Asked asked, string window, IReadOnlyList<InstanceInfo> all)
    {
        var byStatus = (await asked.VectorAsync("sum by (status) (rate(groundcrew_edge_requests_total{deployment=\"$label\"}[$window]))"))
            .ToDictionary(s => s.Labels.Get("status"), s => s.Value, StringComparer.Ordinal);
        var latency = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var (name, quantile) in Quantiles)
            if (await asked.VectorAsync($"histogram_quantile({quantile}, sum by (le) (rate(groundcrew_edge_request_duration_seconds_bucket{{deployment=\"$label\"}}[$window])))") is [var (_, value), ..]
                && double.IsFinite(value))
                latency[name] = value;
        var cpu = await asked.ByInstanceAsync("sum by (instance_id) (rate(container_cpu_usage_seconds_total{deployment=\"$label\"}[$window]))");
        var memory = await asked.ByInstanceAsync("sum by (instance_id) (container_memory_working_set_bytes{deployment=\"$label\"})");
        var limits = await asked.ByInstanceAsync("sum by (instance_id) (container_spec_memory_limit_bytes{deployment=\"$label\"} > 0)");
        var total = byStatus.Values.Sum();
        return new DeploymentMetricsView(
            asked.Label, window, asked.At, total, total > 0 ? byStatus.Where(s => s.Key.StartsWith('5')).Sum(s => s.Value) / total : null, byStatus, latency, cpu.Values.Sum(), memory.Values.Sum(),
            [.. all.OrderBy(i => i.Id).Select(i => new InstanceMetricsView(i.Id, ValueOf(cpu, i.Id), ValueOf(memory, i.Id), ValueOf(limits, i.Id)))]);
    }

    private static double? ValueOf(Dictionary<string, double> values, Guid id) => values.TryGetValue(id.ToString(), out var value) ? value : null;

    /// <summary>Asks about one deployment. A label has no characters that a query would read otherwise.</summary>
    private sealed record Asked(Monitoring Monitoring, string Label, string Window, DateTimeOffset At, CancellationToken Cancellation)
    {
        public async Task<IReadOnlyList<(Labels Labels, double Value)>> VectorAsync(string query)
        {
            var text = query.Replace("$label", Label, StringComparison.Ordinal).Replace("$window", Window, StringComparison.Ordinal);
            var answered = await Monitoring.Queries.InstantAsync(Monitoring.Store, text, At.ToUnixTimeMilliseconds(), default, Cancellation);
            return answered.Result.Value is VectorValue vector
                ? [.. vector.Samples.Select(s => (s.Labels, s.Point.Value))]
                : throw new InvalidOperationException($"The query of a view failed: {answered.Result.Error?.Message}");
        }

        public async Task<Dictionary<string, double>> ByInstanceAsync(string query) =>
            (await VectorAsync(query)).ToDictionary(s => s.Labels.Get("instance_id"), s => s.Value, StringComparer.Ordinal);
    }
}
