using System.Text.Json.Serialization;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract;

/// <summary>Processor and memory of a project, in the guide's units (ZW-55).</summary>
/// <param name="Vcpu">Virtual processors; may be a fraction.</param>
/// <param name="Memory">Memory in MB (of 1,000,000 bytes).</param>
public sealed record ResourcesView(decimal? Vcpu, long? Memory);

/// <summary>A project (ZW-53..58).</summary>
public sealed record ProjectView
{
    /// <summary>The project's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>Its name, unique in the organization.</summary>
    public required string Name { get; init; }

    /// <summary>The organization.</summary>
    public required string Org { get; init; }

    /// <summary>The repository, such as <c>acme-corp/webapp</c>.</summary>
    [JsonPropertyName("github_repo")]
    public string? GithubRepo { get; init; }

    /// <summary>The branch that goes to production.</summary>
    public string? Branch { get; init; }

    /// <summary>Whether a push deploys by itself.</summary>
    [JsonPropertyName("auto_deploy")]
    public bool AutoDeploy { get; init; }

    /// <summary>What each instance may use, where the manifest says nothing.</summary>
    public ResourcesView? Resources { get; init; }

    /// <summary>The label of the deployment that serves production.</summary>
    public string? Current { get; init; }

    /// <summary>Where production answers.</summary>
    public required string Url { get; init; }

    /// <summary>The custom domains of production.</summary>
    public required IReadOnlyList<string> Domains { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Counts the changes of the settings; the number in the <c>ETag</c>.</summary>
    public required long Version { get; init; }
}

/// <summary>A deployment: immutable artifact, settings and commit (ZW-59..61).</summary>
public sealed record DeploymentView
{
    /// <summary>The deployment's id.</summary>
    public required Guid Id { get; init; }

    /// <summary><c>&lt;project&gt;-&lt;nanoid&gt;-&lt;org&gt;</c>, by which people and calls name it (ZW-64).</summary>
    public required string Label { get; init; }

    /// <summary>The organization.</summary>
    public required string Org { get; init; }

    /// <summary>The project.</summary>
    public required string Project { get; init; }

    /// <summary>The environment.</summary>
    public required string Environment { get; init; }

    /// <summary>One of pending, deploying, active, inactive (superseded, still running), stopped, failed.</summary>
    public required string Status { get; init; }

    /// <summary>Why it failed or was taken back.</summary>
    public string? Why { get; init; }

    /// <summary>The artifact's digest, for a folder package.</summary>
    public string? Artifact { get; init; }

    /// <summary>The image reference, for a container image.</summary>
    public string? Image { get; init; }

    /// <summary>The commit.</summary>
    [JsonPropertyName("commit_sha")]
    public string? CommitSha { get; init; }

    /// <summary>The commit's message.</summary>
    [JsonPropertyName("commit_message")]
    public string? CommitMessage { get; init; }

    /// <summary>How many instances run in each region.</summary>
    [JsonPropertyName("instances_per_region")]
    public required int InstancesPerRegion { get; init; }

    /// <summary>Instances that are ready now.</summary>
    public required int Ready { get; init; }

    /// <summary>Instances that there should be now.</summary>
    public required int Instances { get; init; }

    /// <summary>Where this deployment answers, whatever production points at.</summary>
    public required string Url { get; init; }

    /// <summary>Who began it.</summary>
    public required string Actor { get; init; }

    /// <summary>The operation that brought it here.</summary>
    public required Guid Operation { get; init; }

    /// <summary>When it was asked for.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When traffic came to it, last.</summary>
    public DateTimeOffset? ActivatedAt { get; init; }

    /// <summary>Until when it stays running for a rollback; set once it is superseded (ZW-79).</summary>
    public DateTimeOffset? KeptUntil { get; init; }
}

/// <summary>One running copy (ZW-85).</summary>
public sealed record InstanceView
{
    /// <summary>The instance's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The deployment's label.</summary>
    public required string Deployment { get; init; }

    /// <summary>The organization.</summary>
    public required string Org { get; init; }

    /// <summary>The project.</summary>
    public required string Project { get; init; }

    /// <summary>The node's hostname.</summary>
    public required string Node { get; init; }

    /// <summary>The region's code.</summary>
    public required string Region { get; init; }

    /// <summary>pending, fetching, starting, ready, unready, backingOff, stopping, stopped or failed.</summary>
    public required string State { get; init; }

    /// <summary>Whether traffic may come to it: serving, withdrawn (drains) or stopping.</summary>
    public required string Phase { get; init; }

    /// <summary>Host and port.</summary>
    public string? Address { get; init; }

    /// <summary>The process.</summary>
    public int? Pid { get; init; }

    /// <summary>How often it was started again.</summary>
    public required int Restarts { get; init; }

    /// <summary>Why it stands there.</summary>
    public string? Reason { get; init; }

    /// <summary>How its limits are held.</summary>
    public string? Limits { get; init; }

    /// <summary>When it came to this state.</summary>
    public required DateTimeOffset Since { get; init; }
}

/// <summary>A node (ZW-43, ZW-50).</summary>
public sealed record NodeView
{
    /// <summary>The node's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The machine.</summary>
    public required string Hostname { get; init; }

    /// <summary>worker or edge.</summary>
    public required string Role { get; init; }

    /// <summary>The region's code.</summary>
    public required string Region { get; init; }

    /// <summary>ready, draining, drained or down.</summary>
    public required string State { get; init; }

    /// <summary>How many instances it holds: a number, polled by the guide's drain loop.</summary>
    public required int Instances { get; init; }

    /// <summary>Processors, in thousandths.</summary>
    public required int Millicores { get; init; }

    /// <summary>Memory, in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>The program's version.</summary>
    public required string Version { get; init; }

    /// <summary>When it was heard of last.</summary>
    public required DateTimeOffset LastSeen { get; init; }
}

/// <summary>A region (ZW-48).</summary>
/// <param name="Id">The region's id.</param>
/// <param name="Code">Its code, such as <c>us-west</c>.</param>
/// <param name="Name">Its name, such as <c>US West</c>.</param>
/// <param name="Country">The country.</param>
/// <param name="Nodes">How many workers it has.</param>
public sealed record RegionView(Guid Id, string Code, string Name, string? Country, int Nodes);

/// <summary>One route of the edge: a host and what answers there.</summary>
/// <param name="Host">The whole host name.</param>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Deployment">The deployment's label.</param>
/// <param name="Kind">deployment, environment or domain.</param>
/// <param name="Targets">Addresses of the instances.</param>
public sealed record RouteView(
    string Host, string Org, string Project, string Environment, string Deployment, string Kind, IReadOnlyList<string> Targets);

/// <summary>Which deployment serves which environment of a project (ZW-66).</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Production">The label that production points at; null before the first deploy.</param>
/// <param name="Generation">The generation of the route table.</param>
/// <param name="Routes">Every host of the project.</param>
public sealed record RoutingView(string Org, string Project, string? Production, long Generation, IReadOnlyList<RouteView> Routes);

/// <summary>The health of a project (ZW-82).</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Status">healthy (all current instances ready), degraded (some), unhealthy (none) or idle (nothing runs).</param>
/// <param name="Deployments">Each running deployment.</param>
public sealed record ProjectHealthView(string Org, string Project, string Status, IReadOnlyList<DeploymentHealthView> Deployments);

/// <summary>The health of one running deployment.</summary>
/// <param name="Deployment">The label.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Current">Whether the environment points at it.</param>
/// <param name="Status">As for the project.</param>
/// <param name="Ready">Instances that are ready.</param>
/// <param name="Instances">Instances that there should be.</param>
/// <param name="Problems">Why the others are not.</param>
public sealed record DeploymentHealthView(
    string Deployment, string Environment, bool Current, string Status, int Ready, int Instances, IReadOnlyList<string> Problems);

/// <summary>A journalled operation.</summary>
public sealed record OperationStatusView
{
    /// <summary>The operation's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>deploy, rollback, promote, stop or another kind.</summary>
    public required string Kind { get; init; }

    /// <summary>What it is about, such as <c>acme/web</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>One line: what it does.</summary>
    public required string Summary { get; init; }

    /// <summary>running, undoing, ended or stuck.</summary>
    public required string State { get; init; }

    /// <summary>succeeded, rolledBack or stuck, once it ended.</summary>
    public string? Outcome { get; init; }

    /// <summary>The outcome in words.</summary>
    public string? Why { get; init; }

    /// <summary>Who began it.</summary>
    public required string Actor { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Its steps, in order.</summary>
    public required IReadOnlyList<OperationStepView> Steps { get; init; }
}

/// <summary>One step of an operation.</summary>
/// <param name="Name">What it does.</param>
/// <param name="State">waiting, running, done, undoing, undone or failed.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Words">What it said, in order.</param>
public sealed record OperationStepView(
    string Name, string State, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, IReadOnlyList<string> Words);

/// <summary>An artifact in the store.</summary>
/// <param name="Digest"><c>sha256:</c> and 64 hexadecimal digits.</param>
/// <param name="Size">In bytes.</param>
/// <param name="CreatedAt">When it was uploaded.</param>
public sealed record ArtifactView(string Digest, long Size, DateTimeOffset CreatedAt);

/// <summary>An access token, without its value.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="Name">What it is for.</param>
/// <param name="Role">viewer, deployer, on-call, admin or node.</param>
/// <param name="Org">The one organization that it is good for; null for all.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">When it ends by itself.</param>
/// <param name="RevokedAt">When it was taken back.</param>
public sealed record TokenView(
    Guid Id, string Name, string Role, string? Org, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt);

/// <summary>A new token: the only time that its value is shown.</summary>
/// <param name="Token">What is kept of it.</param>
/// <param name="Value">The value, for the <c>Authorization: Bearer</c> header.</param>
public sealed record NewTokenView(TokenView Token, string Value);

/// <summary>Who the caller is.</summary>
/// <param name="Name">The token's name, or <c>loopback</c>.</param>
/// <param name="Role">Its role.</param>
/// <param name="Org">The one organization that it is good for; null for all.</param>
public sealed record WhoAmIView(string Name, string Role, string? Org);

/// <summary>A secret's name and version; its value is never shown.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Name">The name that manifests refer to.</param>
/// <param name="Version">Counts the values that it had.</param>
/// <param name="UpdatedAt">When the last one was set.</param>
public sealed record SecretView(string Org, string Name, int Version, DateTimeOffset UpdatedAt);

/// <summary>One entry of the audit log.</summary>
/// <param name="At">When.</param>
/// <param name="Actor">Who.</param>
/// <param name="Role">With which role.</param>
/// <param name="Action">What, such as <c>deployment.create</c>.</param>
/// <param name="Subject">On what.</param>
/// <param name="Outcome">How it ended.</param>
public sealed record AuditView(DateTimeOffset At, string Actor, string Role, string Action, string Subject, string Outcome);

/// <summary>A reconciler and its last run.</summary>
/// <param name="Name">The loop.</param>
/// <param name="LastRun">When it ran last.</param>
/// <param name="DurationMs">How long that took, in milliseconds.</param>
/// <param name="Result">What it did, or why it failed.</param>
/// <param name="Failures">Failures in a row.</param>
public sealed record LoopStatusView(string Name, DateTimeOffset? LastRun, double? DurationMs, string? Result, int Failures);

/// <summary>The platform at a glance: what <c>crew status</c> shows.</summary>
/// <param name="Version">The program's version.</param>
/// <param name="Platform">The id of the store.</param>
/// <param name="BaseDomain">Where hosts live.</param>
/// <param name="EdgePort">The traffic port, for building addresses.</param>
/// <param name="Store">Engine and size of the store.</param>
/// <param name="Nodes">Agents and edges.</param>
/// <param name="Projects">How many projects.</param>
/// <param name="RunningOperations">Operations that move now.</param>
/// <param name="RouteGeneration">The generation of the route table.</param>
/// <param name="Loops">The reconcilers.</param>
public sealed record StatusView(
    string Version, Guid Platform, string BaseDomain, int EdgePort, string Store, IReadOnlyList<NodeView> Nodes, int Projects,
    int RunningOperations, long RouteGeneration, IReadOnlyList<LoopStatusView> Loops);

/// <summary>An error, as <c>application/problem+json</c> (RFC 9457) with every problem of the request.</summary>
/// <param name="Type">A URI reference that names the code.</param>
/// <param name="Title">The code in words.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">What happened, for a person.</param>
/// <param name="Code">Stable, for programs: one of <see cref="ProblemCodes"/>.</param>
/// <param name="Problems">Each thing that is wrong; empty when there is only the one.</param>
public sealed record ProblemView(string Type, string Title, int Status, string Detail, string Code, IReadOnlyList<Problem> Problems);

/// <summary>A copy of the control plane's store, complete and verified.</summary>
/// <param name="File">Where it is, on the control plane's machine.</param>
/// <param name="Size">In bytes.</param>
/// <param name="At">When it was made.</param>
public sealed record BackupView(string File, long Size, DateTimeOffset At);
