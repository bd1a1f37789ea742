using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// What a token of one organization sees of the metrics: the series that carry the organization's name in their label
/// <c>org</c>, whatever it asks. Thread-safe.
/// </summary>
internal sealed class OrganizationMetrics(IMetricSource all, string org) : IMetricSource
{
    private readonly LabelMatcher _own = new(MatchKind.Equal, "org", org);

    public IMetricReader OpenReader() => new Reader(all.OpenReader(), _own);

    private sealed class Reader(IMetricReader all, LabelMatcher own) : IMetricReader
    {
        public IReadOnlyList<StoredSeries> Select(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) =>
            all.Select(from, to, [.. matchers, own], cancellation);

        public IReadOnlyList<string> LabelNames(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) =>
            all.LabelNames(from, to, [.. matchers, own], cancellation);

        public IReadOnlyList<string> LabelValues(string name, long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) =>
            all.LabelValues(name, from, to, [.. matchers, own], cancellation);

        public void Dispose() => all.Dispose();
    }
}
