using Groundcrew.Bedrock;

namespace Groundcrew.Fleet;

/// <summary>One instance to be started somewhere. All random choices are made here, before anything happens.</summary>
/// <param name="InstanceId">Its id.</param>
/// <param name="NodeId">The node.</param>
/// <param name="Region">The node's region.</param>
public sealed record Placed(Guid InstanceId, Guid NodeId, string Region);

/// <summary>Chooses nodes for instances: pure, and only from what it is given.</summary>
public static class Placement
{
    /// <summary>How many times over the processors of a node may be promised; memory is promised once.</summary>
    public const int CpuOvercommit = 2;

    /// <summary>
    /// Spreads <paramref name="perRegion"/> instances over the nodes of every region that has one: the node with the
    /// fewest instances first, as far as what it has allows.
    /// </summary>
    /// <param name="candidates">Workers that are up and take instances.</param>
    /// <param name="perRegion">How many for a region, by its code.</param>
    /// <param name="named">The regions that are asked for by name: one of them without a node is a problem.</param>
    /// <param name="limits">What each instance is promised.</param>
    /// <param name="newId">Makes ids.</param>
    /// <returns>The placements, or the regions that cannot take them.</returns>
    public static Judged<IReadOnlyList<Placed>> Choose(
        IReadOnlyList<NodeInfo> candidates, Func<string, int> perRegion, IEnumerable<string> named, ResourceLimits limits, Func<Guid> newId)
    {
        var problems = new ProblemList();
        var placed = new List<Placed>();
        if (candidates.Count == 0)
            problems.Add("no-node", "", "No node can take instances: none is up and ready.", "Start an agent ('crew up'), or enable a drained node.");
        else
        {
            foreach (var region in named.Except(candidates.Select(n => n.Region), StringComparer.Ordinal).Where(r => perRegion(r) > 0).Order(StringComparer.Ordinal))
                problems.Add("no-node", $"regions.{region}", $"No node of region '{region}' can take instances: none is up and ready.",
                    $"Start an agent there ('crew serve --role agent --region {region}'), enable a drained node, or take the region out of 'instances'.");
        }
        foreach (var region in candidates.GroupBy(n => n.Region).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var rooms = region.Select(n => new Room(n)).ToList();
            var wanted = perRegion(region.Key);
            for (var i = 0; i < wanted; i++)
            {
                var room = rooms.Where(r => r.Fits(limits)).MinBy(r => (r.Instances, r.Node.Hostname));
                if (room is null)
                {
                    problems.Add("no-capacity", $"regions.{region.Key}", $"Only {i} of {wanted} instances fit into region '{region.Key}'.",
                        "Add a node, ask for less per instance, or lower the number of instances.");
                    break;
                }
                room.Take(limits);
                placed.Add(new Placed(newId(), room.Node.Id, region.Key));
            }
        }
        return problems.IsEmpty ? Judged<IReadOnlyList<Placed>>.Good(placed) : Judged<IReadOnlyList<Placed>>.Bad(problems.Problems);
    }

    private sealed class Room(NodeInfo node)
    {
        private long _millicores = node.UsedMillicores;
        private long _bytes = node.UsedBytes;

        public NodeInfo Node => node;

        public int Instances { get; private set; } = node.Instances;

        public bool Fits(ResourceLimits limits) =>
            _millicores + (limits.Millicores ?? 0) <= (long)node.Capacity.Millicores * CpuOvercommit
            && _bytes + (limits.MemoryBytes ?? 0) <= node.Capacity.MemoryBytes;

        public void Take(ResourceLimits limits)
        {
            Instances++;
            _millicores += limits.Millicores ?? 0;
            _bytes += limits.MemoryBytes ?? 0;
        }
    }
}
