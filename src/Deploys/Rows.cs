namespace Groundcrew.Deploys;

/// <summary>Where a deployment stands (5.5 of the systems' facts).</summary>
public enum DeploymentStatus
{
    /// <summary>Asked for; its operation runs.</summary>
    Deploying,

    /// <summary>An environment points at it.</summary>
    Active,

    /// <summary>Superseded; it runs on until its rollback window ends.</summary>
    Inactive,

    /// <summary>Nothing of it runs; it can be started again from its artifact.</summary>
    Stopped,

    /// <summary>It never took traffic, or was taken back.</summary>
    Failed,
}

/// <summary>A project, as stored.</summary>
internal sealed class ProjectRow
{
    public required Guid Id { get; set; }

    public required string Org { get; set; }

    public required string Name { get; set; }

    public string? GithubRepo { get; set; }

    public string? Branch { get; set; }

    public required bool AutoDeploy { get; set; }

    public int? Millicores { get; set; }

    public long? MemoryBytes { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }

    public required long Version { get; set; }
}

/// <summary>An environment of a project: the pointer that traffic follows.</summary>
internal sealed class EnvironmentRow
{
    public required Guid ProjectId { get; set; }

    public required string Name { get; set; }

    public required string HostLabel { get; set; }

    public string? Current { get; set; }

    public string? Previous { get; set; }

    /// <summary>The lease generation of the operation that moved the pointer last.</summary>
    public required long Generation { get; set; }
}

/// <summary>A host label below the base domain: who holds it. Looked up whole, never parsed (T-40).</summary>
internal sealed class HostRow
{
    public required string Label { get; set; }

    public required Guid ProjectId { get; set; }
}

/// <summary>A deployment, as stored: immutable but for where it stands.</summary>
internal sealed class DeploymentRow
{
    public required Guid Id { get; set; }

    public required string Label { get; set; }

    public required Guid ProjectId { get; set; }

    public required string Org { get; set; }

    public required string Project { get; set; }

    public required string Environment { get; set; }

    public required DeploymentStatus Status { get; set; }

    public string? Why { get; set; }

    public required string Settings { get; set; }

    public string? Manifest { get; set; }

    public string? Service { get; set; }

    public string? Artifact { get; set; }

    public string? CommitSha { get; set; }

    public string? CommitMessage { get; set; }

    public required string Actor { get; set; }

    public required Guid Operation { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }

    public DateTimeOffset? ActivatedAt { get; set; }

    public DateTimeOffset? KeptUntil { get; set; }
}

/// <summary>What a request with an idempotency key began; kept a day.</summary>
internal sealed class RolloutRequestRow
{
    public required string ActorId { get; set; }

    public required string Key { get; set; }

    public required string Hash { get; set; }

    public required string Deployment { get; set; }

    public required Guid Operation { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }
}

/// <summary>An artifact that was uploaded and verified; its bytes are a file named by the digest.</summary>
internal sealed class ArtifactRow
{
    public required string Digest { get; set; }

    public required long Size { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }
}

/// <summary>The route table that edges should have: one row, replaced with each generation.</summary>
internal sealed class RouteTableRow
{
    public required long Id { get; set; }

    public required long Generation { get; set; }

    public required string Routes { get; set; }

    /// <summary>The <see cref="TableLevels"/>; null while nothing is laid over the traffic.</summary>
    public string? Levels { get; set; }
}
