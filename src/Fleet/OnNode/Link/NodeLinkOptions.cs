using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>What a member of the fleet needs to reach its control plane.</summary>
public sealed record NodeLinkOptions
{
    /// <summary>Where the control plane answers, such as <c>http://127.0.0.1:8080</c>.</summary>
    public required Uri ControlPlane { get; init; }

    /// <summary>
    /// Sent as <c>Authorization: Bearer</c> (RFC 6750, section 2.1). Asked at the first call, and again after each 401, so
    /// that a token that was replaced needs no restart. May throw <see cref="IOException"/>; the call then fails and is tried again.
    /// </summary>
    public required Func<Secret> Token { get; init; }

    /// <summary>The machine; unique together with the role.</summary>
    public required string Hostname { get; init; }

    /// <summary>What the member is for.</summary>
    public required NodeRole Role { get; init; }

    /// <summary>The region's code.</summary>
    public required string Region { get; init; }

    /// <summary>What the machine has.</summary>
    public required NodeCapacity Capacity { get; init; }

    /// <summary>The program's version.</summary>
    public required string Version { get; init; }

    /// <summary>Holds <c>platform.json</c>: the platform that this node belongs to.</summary>
    public required string StateFolder { get; init; }

    /// <summary>How long a question for tasks may be held open by the control plane.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>A report is sent at least this often.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long changes are gathered before a report leaves.</summary>
    public TimeSpan Gather { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>The limit of every call but the long poll, which has <see cref="Wait"/> on top.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The most streams that are answered at once; further ones are refused and counted.</summary>
    public int MaxStreams { get; init; } = 32;
}
