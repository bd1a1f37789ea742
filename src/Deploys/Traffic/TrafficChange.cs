using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>How asking for a change of what is laid over the traffic ended.</summary>
public abstract record TrafficChange
{
    private TrafficChange()
    {
    }

    /// <summary>It is stored, and given to the edges as this generation of the route table.</summary>
    public sealed record Done(long Generation) : TrafficChange;

    /// <summary>The input has problems; nothing changed.</summary>
    public sealed record Refused(IReadOnlyList<Problem> Problems) : TrafficChange;

    /// <summary>There is no such environment, deployment or instance.</summary>
    public sealed record NotFound(string What) : TrafficChange;

    /// <summary>An operation moves this environment.</summary>
    public sealed record Busy(Guid Operation) : TrafficChange;

    /// <summary>What stands now does not allow it.</summary>
    public sealed record InTheWay(string Why) : TrafficChange;

    /// <summary>It would leave an environment without any target; only by force.</summary>
    public sealed record LastTargets(string Why) : TrafficChange;
}

/// <summary>An environment as people name it.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
public sealed record EnvironmentKey(string Org, string Project, string Environment)
{
    /// <summary>In words.</summary>
    public override string ToString() => $"environment {Environment} of project {Org}/{Project}";

    internal async Task<EnvironmentRow?> FindAsync(StoreContext db, CancellationToken cancellation) =>
        await db.Set<ProjectRow>().AsNoTracking().SingleOrDefaultAsync(p => p.Org == Org && p.Name == Project, cancellation) is { } project
            ? await db.Set<EnvironmentRow>().AsNoTracking().SingleOrDefaultAsync(e => e.ProjectId == project.Id && e.Name == Environment, cancellation)
            : null;
}
