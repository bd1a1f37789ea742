using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Of a deployment, what decides how long its artifact is kept.</summary>
internal sealed record KeptVersion(
    string Label, Guid ProjectId, string Environment, string Artifact, DeploymentStatus Status, DateTimeOffset CreatedAt, DateTimeOffset? ActivatedAt);

/// <summary>Which artifacts nobody needs any more (T-31): pure.</summary>
internal static class ArtifactRetention
{
    /// <summary>Whoever uploads an artifact deploys it within this time.</summary>
    public static readonly TimeSpan ForDeploying = TimeSpan.FromHours(1);

    /// <summary>One that never served is forgotten after this.</summary>
    public static readonly TimeSpan NeverServed = TimeSpan.FromDays(7);

    /// <summary>
    /// Kept are those of deployments that run, move or are in <paramref name="used"/>, and in each environment those of
    /// the newest deployments that served before, as many as it wants.
    /// </summary>
    /// <param name="artifacts">All that are stored.</param>
    /// <param name="versions">Every deployment of an artifact.</param>
    /// <param name="used">Labels that an environment points at, or that have instances.</param>
    /// <param name="keep">How many superseded versions an environment wants.</param>
    /// <param name="now">The time.</param>
    public static IReadOnlyList<string> Unneeded(
        IReadOnlyList<ArtifactInfo> artifacts, IReadOnlyList<KeptVersion> versions, IReadOnlySet<string> used,
        Func<Guid, string, int> keep, DateTimeOffset now)
    {
        var needed = versions.Where(v => used.Contains(v.Label) || v.Status is DeploymentStatus.Deploying or DeploymentStatus.Active or DeploymentStatus.Inactive)
            .Select(v => v.Artifact).ToHashSet(StringComparer.Ordinal);
        var served = versions.Where(v => v.ActivatedAt is not null).ToList();
        foreach (var environment in served.Where(v => v.Status == DeploymentStatus.Stopped).GroupBy(v => (v.ProjectId, v.Environment)))
            needed.UnionWith(environment.OrderByDescending(v => v.ActivatedAt).Select(v => v.Artifact).Distinct(StringComparer.Ordinal)
                .Take(keep(environment.Key.ProjectId, environment.Key.Environment)));
        var superseded = served.Select(v => v.Artifact).ToHashSet(StringComparer.Ordinal);
        return
        [
            .. artifacts.Where(a => !needed.Contains(a.Digest) && a.CreatedAt < now - (superseded.Contains(a.Digest) ? ForDeploying : NeverServed))
                .Select(a => a.Digest),
        ];
    }
}

/// <summary>
/// Forgets what would otherwise grow for ever: artifacts of versions that nobody goes back to, instances that are gone for
/// long, and old requests.
/// </summary>
internal sealed class PruneLoop(Store store, Instances instances, Artifacts artifacts, TimeProvider clock) : ILoop
{
    /// <summary>How long instances that are gone are kept, for those who look at what happened.</summary>
    public static readonly TimeSpan GoneFor = TimeSpan.FromDays(7);

    /// <summary>How many instances of a deployment are kept however long they are gone.</summary>
    public const int GoneKept = 50;

    /// <summary>How long the answer to a request with a key is known.</summary>
    public static readonly TimeSpan RequestsFor = TimeSpan.FromHours(24);

    public string Name => "prune";

    public TimeSpan Every => TimeSpan.FromMinutes(15);

    public Nudge Wake { get; } = new();

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var forgotten = await artifacts.ForgetAsync((db, cancel) => UnneededAsync(db, now, cancel), cancellation);
        var gone = await store.WriteAsync((db, cancel) => instances.ForgetGoneAsync(db, now - GoneFor, GoneKept, cancel), cancellation);
        var before = now - RequestsFor;
        var requests = await store.WriteAsync((db, cancel) => db.Set<RolloutRequestRow>().Where(r => r.CreatedAt < before).ExecuteDeleteAsync(cancel), cancellation);
        return $"{forgotten} artifacts, {gone} instances and {requests} requests were forgotten";
    }

    private async Task<IReadOnlyList<string>> UnneededAsync(StoreContext db, DateTimeOffset now, CancellationToken cancellation)
    {
        var stored = await db.Set<ArtifactRow>().AsNoTracking().Select(a => new ArtifactInfo(a.Digest, a.Size, a.CreatedAt)).ToListAsync(cancellation);
        var versions = await db.Set<DeploymentRow>().AsNoTracking().Where(d => d.Artifact != null)
            .Select(d => new KeptVersion(d.Label, d.ProjectId, d.Environment, d.Artifact!, d.Status, d.CreatedAt, d.ActivatedAt)).ToListAsync(cancellation);
        var used = (await instances.ListAsync(db, null, cancellation)).Select(i => i.Deployment).ToHashSet(StringComparer.Ordinal);
        var wanted = new Dictionary<(Guid, string), int>();
        foreach (var environment in await db.Set<EnvironmentRow>().AsNoTracking().Where(e => e.Current != null).ToListAsync(cancellation))
        {
            used.Add(environment.Current!);
            var settings = await db.Set<DeploymentRow>().Where(d => d.Label == environment.Current).Select(d => d.Settings).SingleAsync(cancellation);
            wanted[(environment.ProjectId, environment.Name)] = JsonSerializer.Deserialize<ServiceSettings>(settings, Json.Options)!.KeepVersions;
        }
        // An environment that points nowhere any more says nothing, and keeps what the defaults keep.
        return ArtifactRetention.Unneeded(stored, versions, used, (project, name) => wanted.GetValueOrDefault((project, name), new ServiceSettings().KeepVersions), now);
    }
}
