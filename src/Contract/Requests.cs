using System.Text.Json.Serialization;

namespace Groundcrew.Contract;

/// <summary><c>POST /api/v1/projects</c> (ZW-53..55).</summary>
public sealed record CreateProject
{
    /// <summary>The project's name.</summary>
    public string? Name { get; init; }

    /// <summary>The organization.</summary>
    public string? Org { get; init; }

    /// <summary>The repository.</summary>
    [JsonPropertyName("github_repo")]
    public string? GithubRepo { get; init; }

    /// <summary>The branch that goes to production.</summary>
    public string? Branch { get; init; }

    /// <summary>Whether a push deploys by itself.</summary>
    [JsonPropertyName("auto_deploy")]
    public bool? AutoDeploy { get; init; }

    /// <summary>What each instance may use.</summary>
    public ResourcesView? Resources { get; init; }
}

/// <summary><c>PATCH /api/v1/projects/{org}/{project}</c> (ZW-58): what is null stays as it is.</summary>
public sealed record PatchProject
{
    /// <summary>The repository.</summary>
    [JsonPropertyName("github_repo")]
    public string? GithubRepo { get; init; }

    /// <summary>The branch that goes to production.</summary>
    public string? Branch { get; init; }

    /// <summary>Whether a push deploys by itself.</summary>
    [JsonPropertyName("auto_deploy")]
    public bool? AutoDeploy { get; init; }

    /// <summary>What each instance may use.</summary>
    public ResourcesView? Resources { get; init; }
}

/// <summary>
/// <c>POST /api/v1/deployments</c> (ZW-61). Either <see cref="Image"/>, as in the guide, or <see cref="Manifest"/> with
/// <see cref="Service"/> and <see cref="Artifact"/>, as <c>crew deploy</c> sends it.
/// </summary>
public sealed record CreateDeployment
{
    /// <summary>The organization; the manifest's system when left out.</summary>
    public string? Org { get; init; }

    /// <summary>The project; the service's name when left out.</summary>
    public string? Project { get; init; }

    /// <summary>The environment; <c>production</c> when left out.</summary>
    public string? Environment { get; init; }

    /// <summary>A container image.</summary>
    public string? Image { get; init; }

    /// <summary>The text of <c>crew.yaml</c>.</summary>
    public string? Manifest { get; init; }

    /// <summary>Which of its services.</summary>
    public string? Service { get; init; }

    /// <summary>The digest of an uploaded artifact.</summary>
    public string? Artifact { get; init; }

    /// <summary>The commit.</summary>
    [JsonPropertyName("commit_sha")]
    public string? CommitSha { get; init; }

    /// <summary>The commit's message.</summary>
    [JsonPropertyName("commit_message")]
    public string? CommitMessage { get; init; }

    /// <summary>Replaces the manifest's count.</summary>
    [JsonPropertyName("instances_per_region")]
    public int? InstancesPerRegion { get; init; }
}

/// <summary><c>POST /api/v1/projects/{org}/{project}/rollback</c> (ZW-62); an empty body means the previous deployment.</summary>
/// <param name="To">The label to go back to; the previous one when left out.</param>
/// <param name="Environment">The environment; <c>production</c> when left out.</param>
/// <param name="Reason">Why, for the record.</param>
public sealed record RollbackRequest(string? To, string? Environment, string? Reason);

/// <summary><c>POST /api/v1/projects/{org}/{project}/promote</c> (ZW-63).</summary>
/// <param name="From">The environment whose current deployment is taken.</param>
/// <param name="To">The environment that it goes to.</param>
public sealed record PromoteRequest(string? From, string? To);

/// <summary><c>POST /api/v1/projects/{org}/{project}/restart</c> and <c>/stop</c> (U-11); an empty body means production.</summary>
/// <param name="Environment">The environment; <c>production</c> when left out.</param>
/// <param name="Reason">Why, for the record.</param>
public sealed record ServiceRequest(string? Environment, string? Reason);

/// <summary><c>POST /api/v1/regions</c> (ZW-48).</summary>
/// <param name="Code">The code, such as <c>us-west</c>.</param>
/// <param name="Name">The name, such as <c>US West</c>.</param>
/// <param name="Country">The country.</param>
public sealed record CreateRegion(string? Code, string? Name, string? Country);

/// <summary><c>POST /api/v1/tokens</c>.</summary>
/// <param name="Name">What it is for.</param>
/// <param name="Role">viewer, deployer, on-call or admin.</param>
/// <param name="Org">The one organization that it is good for; null for all.</param>
/// <param name="ExpiresIn">How long it lives, such as <c>30d</c>; null for ever.</param>
public sealed record CreateToken(string? Name, string? Role, string? Org, string? ExpiresIn);

/// <summary><c>PUT /api/v1/secrets/{org}/{name}</c>.</summary>
/// <param name="Value">The value.</param>
public sealed record SetSecret(string? Value);

/// <summary><c>POST /api/v1/projects/{org}/{project}/domains</c>.</summary>
/// <param name="Host">The domain.</param>
/// <param name="Environment">The environment; <c>production</c> when left out.</param>
public sealed record AddDomain(string? Host, string? Environment)
{
    /// <summary>Whether the caller, who must be an admin of the whole platform, vouches that the domain is the project's.</summary>
    public bool? Trusted { get; init; }
}

/// <summary><c>POST /api/v1/store/backup</c>.</summary>
/// <param name="File">The file to write, a full path on the control plane's machine.</param>
public sealed record BackupRequest(string? File);
