using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Contract.Manifest;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.Net.Http.Headers;

namespace Groundcrew.Daemon.Doors;

/// <summary>Projects, their routing and health (ZW-53..60, ZW-66, ZW-82).</summary>
internal static class ProjectsDoor
{
    public static void MapProjects(this RouteGroupBuilder api)
    {
        var projects = api.MapGroup("/projects").WithTags("projects");
        projects.MapPost("", CreateAsync).NeedsInAnyOrg(Role.Deployer).Accepts<CreateProject>("application/json").Produces<ProjectView>(201);
        projects.MapGet("", ListAsync).NeedsInAnyOrg(Role.Viewer).Produces<ProjectView[]>();
        projects.MapGet("{org}/{project}", FindAsync).Needs(Role.Viewer).Produces<ProjectView>();
        projects.MapPatch("{org}/{project}", PatchAsync).Needs(Role.Deployer).Accepts<PatchProject>("application/json").Produces<ProjectView>();
        projects.MapGet("{org}/{project}/routing", RoutingAsync).Needs(Role.Viewer).Produces<RoutingView>();
        projects.MapGet("{org}/{project}/health", HealthAsync).Needs(Role.Viewer).Produces<ProjectHealthView>();
    }

    private static async Task<IResult> CreateAsync(HttpContext http, Projects projects, Store store, Audit audit, Views views, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync<CreateProject>(http);
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var actor = http.Actor();
        if (!actor.Allows(Role.Deployer, request.Org))
            return Answers.Problem(403, ProblemCodes.Forbidden, $"'{actor.Name}' may only act in {actor.Org}.");
        var problems = new ProblemList();
        var settings = SettingsOf(request.GithubRepo, request.Branch, request.AutoDeploy, request.Resources, problems);
        problems.RequireSlug("name", request.Name);
        problems.RequireSlug("org", request.Org);
        if (!problems.IsEmpty)
            return Answers.BadInput(problems.Problems);
        var created = await store.WriteAsync(async (db, cancel) =>
        {
            var judged = await projects.CreateAsync(db, request.Org!, request.Name!, settings, cancel);
            if (judged.Value is not null)
                audit.Write(db, actor, "project.create", $"{request.Org}/{request.Name}", "done");
            return judged;
        }, cancellation);
        if (created.Value is not { } project)
            return created.Problems.Any(p => p.Code == "taken")
                ? Answers.Problem(409, ProblemCodes.Conflict, created.Problems[0].ToString(), created.Problems)
                : Answers.BadInput(created.Problems);
        http.Response.Headers.Location = $"/api/v1/projects/{project.Org}/{project.Name}";
        return Answers.View(views.Of(project), 201);
    }

    private static async Task<IResult> ListAsync(HttpContext http, Projects projects, Views views, int? limit, string? cursor, CancellationToken cancellation)
    {
        var size = Paging.SizeOf(limit);
        var all = await projects.ListAsync(size + 1, cursor, cancellation, http.Actor().Org);
        return Answers.View(Paging.Cut(http, all, size, p => $"{p.Org}/{p.Name}").Select(views.Of).ToArray());
    }

    private static async Task<IResult> FindAsync(HttpContext http, string org, string project, Projects projects, Views views, CancellationToken cancellation)
    {
        if (await projects.FindAsync(org, project, cancellation) is not { } found)
            return Answers.NotFound($"project {org}/{project}");
        http.Response.Headers.ETag = $"\"{found.Version}\"";
        return Answers.View(views.Of(found));
    }

    private static async Task<IResult> PatchAsync(
        HttpContext http, string org, string project, Projects projects, Store store, Audit audit, Views views, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync<PatchProject>(http);
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var problems = new ProblemList();
        var settings = SettingsOf(request.GithubRepo, request.Branch, request.AutoDeploy, request.Resources, problems);
        if (!problems.IsEmpty)
            return Answers.BadInput(problems.Problems);
        var match = http.Request.GetTypedHeaders().IfMatch;
        var (changed, patched) = await store.WriteAsync(async (db, cancel) =>
        {
            if (match.Count > 0 && await projects.FindAsync(db, org, project, cancel) is { } now && !match.Any(m => IsMet(m, now)))
                return (true, null);
            var result = await projects.PatchAsync(db, org, project, settings, cancel);
            if (result is not null)
                audit.Write(db, http.Actor(), "project.patch", $"{org}/{project}", "done");
            return (false, result);
        }, cancellation);
        if (changed)
            return Answers.Problem(412, ProblemCodes.Changed, $"The settings of {org}/{project} changed since you read them. Read them again and repeat the change.");
        if (patched is null)
            return Answers.NotFound($"project {org}/{project}");
        http.Response.Headers.ETag = $"\"{patched.Version}\"";
        return Answers.View(views.Of(patched));
    }

    /// <summary>RFC 9110, section 13.1.1: '*' is any, and a weak tag is none.</summary>
    private static bool IsMet(EntityTagHeaderValue condition, ProjectInfo now) =>
        condition.Tag == "*" || (!condition.IsWeak && condition.Tag == $"\"{now.Version}\"");

    private static async Task<IResult> RoutingAsync(string org, string project, Projects projects, Routes routes, Views views, CancellationToken cancellation)
    {
        if (await projects.FindAsync(org, project, cancellation) is not { } found)
            return Answers.NotFound($"project {org}/{project}");
        var table = await routes.CurrentAsync(cancellation);
        return Answers.View(new RoutingView(
            org, project, found.Current, table.Generation, [.. table.Routes.Where(r => r.Org == org && r.Project == project).Select(views.Of)]));
    }

    private static async Task<IResult> HealthAsync(
        string org, string project, Projects projects, Deployments deployments, Instances instances, CancellationToken cancellation)
    {
        if (await projects.FindAsync(org, project, cancellation) is not { } found)
            return Answers.NotFound($"project {org}/{project}");
        var running = (await instances.ListAsync(null, cancellation)).Where(i => i.Org == org && i.Project == project && i.Phase == InstancePhase.Serving)
            .ToLookup(i => i.Deployment);
        var known = await deployments.ListAsync(org, project, null, 200, null, cancellation);
        var views = new List<DeploymentHealthView>();
        foreach (var deployment in known.Where(d => running.Contains(d.Label)))
        {
            var mine = running[deployment.Label].ToList();
            var ready = mine.Count(i => i.TakesTraffic);
            views.Add(new DeploymentHealthView(
                deployment.Label, deployment.Environment, deployment.Status == DeploymentStatus.Active, HealthWord(ready, mine.Count), ready, mine.Count,
                [.. mine.Where(i => !i.TakesTraffic && i.Status.Reason is not null).Select(i => i.Status.Reason!)]));
        }
        var current = views.Where(v => v.Current).ToList();
        return Answers.View(new ProjectHealthView(
            org, project, current.Count == 0 ? "idle" : HealthWord(current.Sum(v => v.Ready), current.Sum(v => v.Instances)), views));
    }

    private static ProjectSettings SettingsOf(string? repo, string? branch, bool? autoDeploy, ResourcesView? resources, ProblemList problems)
    {
        if (repo?.Length > 200)
            problems.Add("too-long", "github_repo", "The repository's name is too long.", "Use owner/name, of at most 200 characters.");
        if (branch?.Length > 255)
            problems.Add("too-long", "branch", "The branch's name is too long.", "Use at most 255 characters.");
        if (resources?.Vcpu is < 0.001m or > 1000)
            problems.Add("bad-quantity", "resources.vcpu", $"{resources.Vcpu} is not a number of processors.", "Use 0.001 to 1000.");
        if (resources?.Memory is <= 0 or > 16L * 1024 * 1024)
            problems.Add("bad-quantity", "resources.memory", $"{resources.Memory} is not an amount of memory.", "Use megabytes: more than 0, at most 16 TB.");
        return new ProjectSettings(
            repo, branch, autoDeploy, resources?.Vcpu is { } vcpu and > 0 and <= 1000 ? (int)(vcpu * 1000) : null, resources?.Memory * ResourcesManifest.BareMemoryUnit);
    }

    private static string HealthWord(int ready, int all) => ready == 0 ? "unhealthy" : ready < all ? "degraded" : "healthy";
}

/// <summary>Bare arrays with <c>limit</c>, <c>cursor</c> and a <c>Link</c> header to the next page (RFC 8288).</summary>
internal static class Paging
{
    private const int Default = 200;
    private const int Most = 1000;

    public static int SizeOf(int? limit) => Math.Clamp(limit ?? Default, 1, Most);

    /// <summary>What is wrong with a cursor of the journal's lists; null when nothing is.</summary>
    public static IResult? Judge(string? cursor) => cursor is null || PageCursor.Parse(cursor) is not null ? null
        : Answers.BadInput([new Problem("bad-cursor", "cursor", $"'{cursor}' is not a place in this list.", "Use the address in the Link header of the page before.")]);

    /// <summary>Cuts a list that was read one longer than the page, and says where the next page begins.</summary>
    public static IReadOnlyList<T> Cut<T>(HttpContext http, IReadOnlyList<T> read, int size, Func<T, string> cursorOf)
    {
        if (read.Count <= size)
            return read;
        Next(http, cursorOf(read[size - 1]));
        return [.. read.Take(size)];
    }

    public static void Next(HttpContext http, string cursor)
    {
        var query = QueryString.Create(http.Request.Query.Where(q => q.Key != "cursor").Append(new("cursor", cursor)));
        http.Response.Headers.Link = $"<{http.Request.Path}{query}>; rel=\"next\"";
    }
}
