using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>A project as others see it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Org">The organization.</param>
/// <param name="Name">Its name.</param>
/// <param name="GithubRepo">The repository.</param>
/// <param name="Branch">The branch that goes to production.</param>
/// <param name="AutoDeploy">Whether a push deploys by itself.</param>
/// <param name="Millicores">What an instance is promised where the manifest says nothing.</param>
/// <param name="MemoryBytes">What an instance is promised where the manifest says nothing.</param>
/// <param name="CreatedAt">When it was registered.</param>
/// <param name="Version">Counts the changes of its settings.</param>
/// <param name="Current">The label that production points at.</param>
/// <param name="Domains">The custom domains that lead to production.</param>
public sealed record ProjectInfo(
    Guid Id, string Org, string Name, string? GithubRepo, string? Branch, bool AutoDeploy, int? Millicores, long? MemoryBytes,
    DateTimeOffset CreatedAt, long Version, string? Current, IReadOnlyList<string> Domains)
{
    /// <summary>The environment that is meant when none is named.</summary>
    public const string Production = "production";
}

/// <summary>What may be set on a project; null leaves it as it is.</summary>
/// <param name="GithubRepo">The repository.</param>
/// <param name="Branch">The branch.</param>
/// <param name="AutoDeploy">Whether a push deploys by itself.</param>
/// <param name="Millicores">Promised to each instance.</param>
/// <param name="MemoryBytes">Promised to each instance.</param>
public sealed record ProjectSettings(string? GithubRepo, string? Branch, bool? AutoDeploy, int? Millicores, long? MemoryBytes);

/// <summary>Projects and their environments (U-05, U-08). Thread-safe; changes happen in the caller's transaction.</summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="clock">The time.</param>
public sealed class Projects(Store store, TimeProvider clock)
{
    /// <summary>Registers a project; problems when a name is bad, or it or its host is taken.</summary>
    public async Task<Judged<ProjectInfo>> CreateAsync(
        StoreContext db, string org, string name, ProjectSettings settings, CancellationToken cancellation)
    {
        var problems = new ProblemList();
        problems.RequireSlug("org", org);
        problems.RequireSlug("name", name);
        RequireLabel(problems, $"{name}-{new string('x', Ids.NanoLength)}-{org}", "name");
        if (problems.IsEmpty && await db.Set<ProjectRow>().AnyAsync(p => p.Org == org && p.Name == name, cancellation))
            problems.Add("taken", "name", $"Project {org}/{name} is there already.", "Use it, or choose another name.");
        if (!problems.IsEmpty)
            return Judged<ProjectInfo>.Bad(problems.Problems);
        var row = new ProjectRow
        {
            Id = Ids.New(clock), Org = org, Name = name, AutoDeploy = false, CreatedAt = clock.GetUtcNow(), Version = 1,
        };
        Apply(row, settings);
        db.Add(row);
        var judged = await EnvironmentAsync(db, row, ProjectInfo.Production, cancellation);
        if (judged.Value is not null)
            return Judged<ProjectInfo>.Good(Info(row, null, []));
        // The caller's write may go on and commit; a project without its host must not be in it.
        db.Entry(row).State = EntityState.Detached;
        return Judged<ProjectInfo>.Bad([.. judged.Problems.Select(p => p with { Path = "name" })]);
    }

    /// <summary>Changes settings; null when there is no such project.</summary>
    public async Task<ProjectInfo?> PatchAsync(StoreContext db, string org, string name, ProjectSettings settings, CancellationToken cancellation)
    {
        var row = await db.Set<ProjectRow>().AsTracking().SingleOrDefaultAsync(p => p.Org == org && p.Name == name, cancellation);
        if (row is null)
            return null;
        Apply(row, settings);
        row.Version++;
        return await InfoAsync(db, row, cancellation);
    }

    /// <summary>One project; null when there is none.</summary>
    public Task<ProjectInfo?> FindAsync(string org, string name, CancellationToken cancellation) =>
        store.ReadAsync((db, cancel) => FindAsync(db, org, name, cancel), cancellation);

    /// <summary>One project, inside a transaction.</summary>
    public async Task<ProjectInfo?> FindAsync(StoreContext db, string org, string name, CancellationToken cancellation)
    {
        var row = await db.Set<ProjectRow>().SingleOrDefaultAsync(p => p.Org == org && p.Name == name, cancellation);
        return row is null ? null : await InfoAsync(db, row, cancellation);
    }

    /// <summary>
    /// All projects or those of one organization, by <c>org/name</c>; from behind <paramref name="cursor"/>, which is such a
    /// pair, where it is given.
    /// </summary>
    public Task<IReadOnlyList<ProjectInfo>> ListAsync(int limit, string? cursor, CancellationToken cancellation, string? org = null) =>
        store.ReadAsync<IReadOnlyList<ProjectInfo>>(async (db, cancel) =>
        {
            // Ordered by what the cursor compares: by organization and then name, pages would lose some of acme-b behind acme.
            var rows = await db.Set<ProjectRow>().Where(p => org == null || p.Org == org).OrderBy(p => p.Org + "/" + p.Name)
                .Where(p => cursor == null || string.Compare(p.Org + "/" + p.Name, cursor) > 0).Take(limit).ToListAsync(cancel);
            var ids = rows.Select(r => r.Id).ToList();
            var currents = await db.Set<EnvironmentRow>().Where(e => ids.Contains(e.ProjectId) && e.Name == ProjectInfo.Production)
                .ToDictionaryAsync(e => e.ProjectId, e => e.Current, cancel);
            var domains = (await db.Set<DomainRow>().Where(d => ids.Contains(d.ProjectId) && d.Environment == ProjectInfo.Production && (d.State == DomainState.Verified || d.State == DomainState.Astray))
                .OrderBy(d => d.Host).ToListAsync(cancel)).ToLookup(d => d.ProjectId, d => d.Host);
            return [.. rows.Select(r => Info(r, currents.GetValueOrDefault(r.Id), [.. domains[r.Id]]))];
        }, cancellation);

    /// <summary>Finds an environment of a project or makes it; a problem when its host is taken (T-40).</summary>
    internal async Task<Judged<EnvironmentRow>> EnvironmentAsync(StoreContext db, ProjectRow project, string name, CancellationToken cancellation)
    {
        var row = await db.Set<EnvironmentRow>().AsTracking().SingleOrDefaultAsync(e => e.ProjectId == project.Id && e.Name == name, cancellation);
        if (row is not null)
            return Judged<EnvironmentRow>.Good(row);
        var problems = new ProblemList();
        problems.RequireSlug("environment", name);
        var label = HostLabels.OfEnvironment(project.Org, project.Name, name);
        RequireLabel(problems, label, "environment");
        if (await db.Set<HostRow>().AnyAsync(h => h.Label == label, cancellation))
            problems.Add("taken", "environment", $"The host '{label}' belongs to another project or deployment.", "Choose another name.");
        if (!problems.IsEmpty)
            return Judged<EnvironmentRow>.Bad(problems.Problems);
        db.Add(new HostRow { Label = label, ProjectId = project.Id });
        row = new EnvironmentRow { ProjectId = project.Id, Name = name, HostLabel = label, Generation = 0 };
        db.Add(row);
        await db.SaveChangesAsync(cancellation);
        return Judged<EnvironmentRow>.Good(row);
    }

    internal static void RequireLabel(ProblemList problems, string label, string path)
    {
        if (label.Length > Slug.MaxLabelLength)
            problems.Add("label-too-long", path,
                $"The host label '{label}' has {label.Length} characters; DNS allows {Slug.MaxLabelLength}.",
                $"Shorten organization, project or environment by {label.Length - Slug.MaxLabelLength}.");
    }

    private static async Task<ProjectInfo> InfoAsync(StoreContext db, ProjectRow row, CancellationToken cancellation)
    {
        var current = await db.Set<EnvironmentRow>().Where(e => e.ProjectId == row.Id && e.Name == ProjectInfo.Production)
            .Select(e => e.Current).SingleOrDefaultAsync(cancellation);
        var domains = await db.Set<DomainRow>().Where(d => d.ProjectId == row.Id && d.Environment == ProjectInfo.Production && (d.State == DomainState.Verified || d.State == DomainState.Astray))
            .OrderBy(d => d.Host).Select(d => d.Host).ToListAsync(cancellation);
        return Info(row, current, domains);
    }

    private static void Apply(ProjectRow row, ProjectSettings settings)
    {
        row.GithubRepo = settings.GithubRepo ?? row.GithubRepo;
        row.Branch = settings.Branch ?? row.Branch;
        row.AutoDeploy = settings.AutoDeploy ?? row.AutoDeploy;
        row.Millicores = settings.Millicores ?? row.Millicores;
        row.MemoryBytes = settings.MemoryBytes ?? row.MemoryBytes;
    }

    private static ProjectInfo Info(ProjectRow r, string? current, IReadOnlyList<string> domains) => new(
        r.Id, r.Org, r.Name, r.GithubRepo, r.Branch, r.AutoDeploy, r.Millicores, r.MemoryBytes, r.CreatedAt, r.Version, current, domains);
}
