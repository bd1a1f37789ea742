namespace Groundcrew.Fleet;

/// <summary>Where an instance stands in its life on the control plane's side; it only moves on, never back.</summary>
public enum InstancePhase
{
    /// <summary>It runs, and takes traffic while it is ready.</summary>
    Serving,

    /// <summary>No route names it any more; requests in flight may end.</summary>
    Withdrawn,

    /// <summary>Its node was told to stop it.</summary>
    Stopping,

    /// <summary>Its node reported that nothing of it runs.</summary>
    Gone,
}

/// <summary>Whether a node takes new instances.</summary>
public enum NodeState
{
    /// <summary>It does.</summary>
    Ready,

    /// <summary>It does not, and its instances move elsewhere (ZW-49).</summary>
    Draining,
}

/// <summary>A region, as stored.</summary>
internal sealed class RegionRow
{
    public required Guid Id { get; set; }

    public required string Code { get; set; }

    public required string Name { get; set; }

    public string? Country { get; set; }
}

/// <summary>A member of the fleet, as stored.</summary>
internal sealed class NodeRow
{
    public required Guid Id { get; set; }

    public required string Hostname { get; set; }

    public required NodeRole Role { get; set; }

    public required string Region { get; set; }

    public required NodeState State { get; set; }

    public required int Millicores { get; set; }

    public required long MemoryBytes { get; set; }

    public required string Version { get; set; }

    public required DateTimeOffset LastSeen { get; set; }

    /// <summary>Grows with every change of any task of the node.</summary>
    public required long Revision { get; set; }
}

/// <summary>One task of one node, as stored: the latest generation only.</summary>
internal sealed class NodeTaskRow
{
    public required Guid NodeId { get; set; }

    public required string Key { get; set; }

    public required string Kind { get; set; }

    public required long Generation { get; set; }

    public required string Payload { get; set; }
}

/// <summary>One instance, as stored: what was decided, and what its node observed last.</summary>
internal sealed class InstanceRow
{
    public required Guid Id { get; set; }

    public required string Deployment { get; set; }

    public required string Org { get; set; }

    public required string Project { get; set; }

    public required Guid NodeId { get; set; }

    public required string Region { get; set; }

    public required InstancePhase Phase { get; set; }

    public required string Spec { get; set; }

    public required int Millicores { get; set; }

    public required long MemoryBytes { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }

    public required InstanceState State { get; set; }

    public required DateTimeOffset Since { get; set; }

    public string? Address { get; set; }

    public int? Pid { get; set; }

    public int Restarts { get; set; }

    public string? Reason { get; set; }

    public string? Limits { get; set; }
}
