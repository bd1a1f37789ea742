using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>Why a scrape failed, in words for the target's page. What it counts under is decided where it is thrown.</summary>
internal sealed class ScrapeFailure(string message, Metric? counter = null) : Exception(message)
{
    public Metric? Counter => counter;
}
