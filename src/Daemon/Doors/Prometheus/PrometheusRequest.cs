using Groundcrew.Daemon.Wiring;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>One request to Prometheus' API: what it asks, who asks, and what that may see.</summary>
internal sealed class PrometheusRequest(HttpContext http, PrometheusParameters parameters, Monitoring monitoring, TimeProvider clock)
{
    public HttpContext Http => http;

    public PrometheusParameters Parameters => parameters;

    public Monitoring Monitoring => monitoring;

    public Queries Queries => monitoring.Queries;

    /// <summary>The organization of the token; null when it may see everything.</summary>
    public string? Org { get; } = http.Actor().Org;

    /// <summary>What the caller may see.</summary>
    public IMetricSource Source => Org is { } org ? new OrganizationMetrics(monitoring.Store, org) : monitoring.Store;

    /// <summary>The present, in milliseconds.</summary>
    public long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    public CancellationToken Cancellation => http.RequestAborted;

    /// <summary>The moments between which series are looked for.</summary>
    public (long From, long To) Times() =>
        (parameters.Time("start", PrometheusParameters.MinTime), parameters.Time("end", PrometheusParameters.MaxTime));

    /// <summary>The selectors of <c>match[]</c>.</summary>
    public IReadOnlyList<IReadOnlyList<LabelMatcher>> Selectors() => [.. parameters.All("match[]").Select(SelectorOf)];

    /// <summary>One selector, judged.</summary>
    public static IReadOnlyList<LabelMatcher> SelectorOf(string text)
    {
        var (matchers, error) = PromQL.Parser.ParseSelector(text);
        if (matchers is null)
            throw PrometheusErrorException.BadParameter("match[]", error ?? "");
        return matchers.Any(m => !m.MatchesAbsent) ? matchers : throw PrometheusErrorException.BadParameter("match[]", "match[] must contain at least one non-empty matcher");
    }
}
