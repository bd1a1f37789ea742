namespace Groundcrew.Fleet.OnNode;

/// <summary>One source of a node's metrics. Not thread-safe.</summary>
internal interface IMeasured
{
    /// <summary>Its name in <c>node_scrape_collector_success</c>.</summary>
    string Name { get; }

    /// <summary>Writes what it sees now; false when its source is not there. What was written until then stays.</summary>
    bool Write(KernelFiles files, MetricText text);
}
