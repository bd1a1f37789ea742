using Groundcrew.Edge;

namespace Groundcrew.Deploys;

/// <summary>Traffic of an environment that is held back, as stored.</summary>
internal sealed class HoldRow
{
    public required Guid ProjectId { get; set; }

    public required string Environment { get; set; }

    public required HoldKind Kind { get; set; }

    public string? Message { get; set; }

    public required TimeSpan MaxWait { get; set; }

    public required int MaxWaiting { get; set; }

    public required DateTimeOffset Since { get; set; }

    public required string Actor { get; set; }
}

/// <summary>The share that a deployment takes of its environment's traffic, as stored; the rest goes to the current one.</summary>
internal sealed class SplitRow
{
    public required Guid ProjectId { get; set; }

    public required string Environment { get; set; }

    public required string Deployment { get; set; }

    public required int Percent { get; set; }

    public required DateTimeOffset Since { get; set; }

    public required string Actor { get; set; }
}

/// <summary>A time of maintenance, as stored until its end.</summary>
internal sealed class MaintenanceRow
{
    public required Guid Id { get; set; }

    public string? Org { get; set; }

    public string? Message { get; set; }

    public required TimeSpan RetryAfter { get; set; }

    public required bool RetryAfterIsRemaining { get; set; }

    public required DateTimeOffset Since { get; set; }

    public DateTimeOffset? Until { get; set; }

    /// <summary>A JSON array of paths.</summary>
    public required string Exempt { get; set; }

    public required string Actor { get; set; }
}

/// <summary>Instances that a person took out of traffic, as stored: one, or all of a deployment.</summary>
internal sealed class DrainRow
{
    public required Guid Id { get; set; }

    public required string Deployment { get; set; }

    /// <summary>Null for all of the deployment.</summary>
    public Guid? InstanceId { get; set; }

    public required DateTimeOffset Since { get; set; }

    public required string Actor { get; set; }
}

/// <summary>A node whose instances a person took out of traffic, as stored.</summary>
internal sealed class NodeDrainRow
{
    public required Guid NodeId { get; set; }

    public required DateTimeOffset Since { get; set; }

    public required string Actor { get; set; }
}
