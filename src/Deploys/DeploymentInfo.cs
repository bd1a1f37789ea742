using Groundcrew.Bedrock;
using Groundcrew.Journal;

namespace Groundcrew.Deploys;

/// <summary>A deployment as others see it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Label">Its label, by which it is named.</param>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Why">Why it failed or was taken back.</param>
/// <param name="Settings">What it was asked to be.</param>
/// <param name="Manifest">The manifest it came from; null when it did not come from one.</param>
/// <param name="Service">The service of the manifest.</param>
/// <param name="CommitSha">The commit.</param>
/// <param name="CommitMessage">Its message.</param>
/// <param name="Actor">Who began it.</param>
/// <param name="Operation">The operation that brought it here.</param>
/// <param name="CreatedAt">When it was asked for.</param>
/// <param name="ActivatedAt">When traffic came to it, last.</param>
/// <param name="KeptUntil">Until when it stays running although superseded.</param>
public sealed record DeploymentInfo(
    Guid Id, string Label, string Org, string Project, string Environment, DeploymentStatus Status, string? Why, ServiceSettings Settings,
    string? Manifest, string? Service, string? CommitSha, string? CommitMessage, string Actor, Guid Operation, DateTimeOffset CreatedAt,
    DateTimeOffset? ActivatedAt, DateTimeOffset? KeptUntil);

/// <summary>What someone asks to deploy.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Settings">What it should be; judged already, but for what only the store knows.</param>
/// <param name="Manifest">The manifest it came from.</param>
/// <param name="Service">The service of the manifest.</param>
/// <param name="CommitSha">The commit.</param>
/// <param name="CommitMessage">Its message.</param>
public sealed record DeployRequest(
    string Org, string Project, string Environment, ServiceSettings Settings, string? Manifest, string? Service, string? CommitSha,
    string? CommitMessage);

/// <summary>How asking for a rollout ended.</summary>
public abstract record RolloutAnswer
{
    private RolloutAnswer()
    {
    }

    /// <summary>It runs.</summary>
    public sealed record Accepted(DeploymentInfo Deployment) : RolloutAnswer;

    /// <summary>The input has problems; nothing was begun.</summary>
    public sealed record Refused(IReadOnlyList<Problem> Problems) : RolloutAnswer;

    /// <summary>Another operation moves this environment.</summary>
    public sealed record Busy(OperationView Holder) : RolloutAnswer;

    /// <summary>There is no such project or deployment.</summary>
    public sealed record NotFound(string What) : RolloutAnswer;

    /// <summary>The same request was made before: its deployment.</summary>
    public sealed record Replayed(DeploymentInfo Deployment) : RolloutAnswer;

    /// <summary>The idempotency key belongs to another request.</summary>
    public sealed record KeyReused : RolloutAnswer;

    /// <summary>Nothing serves the environment.</summary>
    public sealed record NothingToStop(string Why) : RolloutAnswer;

    /// <summary>There is nothing to go back to.</summary>
    public sealed record NothingToRollBack(string Why) : RolloutAnswer;
}
