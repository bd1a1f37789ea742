using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Wiring;

internal static class StoreSoon
{
    public static async Task RunAsync(this MetricStore store, CancellationToken stop)
    {
        _ = store;
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public static void Delete(this MetricStore store, long from, long to, IReadOnlyList<LabelMatcher> matchers) => throw new NotSupportedException($"{store.End} {from} {to} {matchers.Count}");

    public static void CleanTombstones(this MetricStore store) => throw new NotSupportedException($"{store.End}");
}
