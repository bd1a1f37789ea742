using System.Globalization;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;

namespace Groundcrew.Daemon.Doors;

/// <summary>Deployments, rollback and promote, instances and their output (ZW-59..63, ZW-84, ZW-85).</summary>
internal static class DeploymentsDoor
{
    private static readonly TimeSpan NodeAnswersWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestAgo = TimeSpan.FromDays(36_500);

    public static void MapDeployments(this RouteGroupBuilder api)
    {
        var tagged = api.MapGroup("").WithTags("deployments");
        tagged.MapGet("/deployments", ListAsync).NeedsInAnyOrg(Role.Viewer).Produces<DeploymentView[]>();
        tagged.MapPost("/deployments", CreateAsync).NeedsInAnyOrg(Role.Deployer).Accepts<CreateDeployment>("application/json").Produces<DeploymentView>(202);
        tagged.MapGet("/deployments/{label}", FindAsync).NeedsInAnyOrg(Role.Viewer).Produces<DeploymentView>();
        tagged.MapGet("/deployments/{label}/instances", InstancesAsync).NeedsInAnyOrg(Role.Viewer).Produces<InstanceView[]>();
        tagged.MapGet("/deployments/{label}/logs", LogsAsync).NeedsInAnyOrg(Role.Viewer).Produces<string>(200, "application/x-ndjson", "text/plain");
        tagged.MapGet("/projects/{org}/{project}/deployments", OfProjectAsync).Needs(Role.Viewer).Produces<DeploymentView[]>();
        tagged.MapGet("/projects/{org}/{project}/deployments/current", CurrentAsync).Needs(Role.Viewer).Produces<DeploymentView>();
        tagged.MapPost("/projects/{org}/{project}/rollback", RollbackAsync).Needs(Role.Deployer).Accepts<RollbackRequest>(true, "application/json").Produces<DeploymentView>(202);
        tagged.MapPost("/projects/{org}/{project}/promote", PromoteAsync).Needs(Role.Deployer).Accepts<PromoteRequest>("application/json").Produces<DeploymentView>(202);
        tagged.MapPost("/projects/{org}/{project}/restart", RestartAsync).Needs(Role.Deployer).Accepts<ServiceRequest>(true, "application/json").Produces<DeploymentView>(202);
        tagged.MapPost("/projects/{org}/{project}/stop", StopAsync).Needs(Role.Deployer).Accepts<ServiceRequest>(true, "application/json").Produces<DeploymentView>(202);
        tagged.MapGet("/deployments/{label}/metrics", DeploymentMetricsDoor.ShowAsync).NeedsInAnyOrg(Role.Viewer).Produces<DeploymentMetricsView>();
        tagged.MapGet("/instances", AllInstancesAsync).NeedsInAnyOrg(Role.Viewer).Produces<InstanceView[]>();
    }

    private static Task<IResult> ListAsync(
        HttpContext http, Deployments deployments, Instances instances, Views views, string? org, string? environment, int? limit,
        Guid? cursor, CancellationToken cancellation) =>
        PageAsync(http, deployments, instances, views, org ?? http.Actor().Org, null, environment, limit, cursor, cancellation);

    private static async Task<IResult> OfProjectAsync(
        HttpContext http, string org, string project, Projects projects, Deployments deployments, Instances instances, Views views, string? environment,
        int? limit, Guid? cursor, CancellationToken cancellation) =>
        await projects.FindAsync(org, project, cancellation) is null
            ? Answers.NotFound($"project {org}/{project}")
            : await PageAsync(http, deployments, instances, views, org, project, environment, limit, cursor, cancellation);

    private static async Task<IResult> PageAsync(
        HttpContext http, Deployments deployments, Instances instances, Views views, string? org, string? project, string? environment,
        int? limit, Guid? cursor, CancellationToken cancellation)
    {
        if (!http.Actor().Allows(Role.Viewer, org))
            return Answers.View(Array.Empty<DeploymentView>());
        var size = Paging.SizeOf(limit);
        var read = await deployments.ListAsync(org, project, environment, size + 1, cursor, cancellation);
        var page = Paging.Cut(http, read, size, d => d.Id.ToString());
        var all = await instances.ListAsync(null, cancellation);
        return Answers.View(page.Select(d => views.Of(d, all)).ToArray());
    }

    private static async Task<IResult> CreateAsync(
        HttpContext http, Deployments deployments, Databases databases, Instances instances, Views views, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync<CreateDeployment>(http);
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var judged = Requested.From(request);
        if (judged.Value is not { } wanted)
            return Answers.BadInput(judged.Problems);
        var actor = http.Actor();
        if (!actor.Allows(Role.Deployer, wanted.Org))
            return Answers.Problem(403, ProblemCodes.Forbidden, $"'{actor.Name}' may only act in {actor.Org}.");
        var missing = await RequestedDatabase.MissingAsync(wanted, databases, cancellation);
        if (missing.Count > 0)
            return Answers.BadInput(missing);
        return await AnswerAsync(http, await deployments.DeployAsync(wanted, actor, http.IdempotencyKey(), cancellation), instances, views, cancellation);
    }

    private static async Task<IResult> RollbackAsync(
        HttpContext http, string org, string project, Deployments deployments, Instances instances, Views views, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new RollbackRequest(null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var answer = await deployments.RollbackAsync(
            org, project, request.Environment ?? ProjectInfo.Production, request.To, request.Reason, http.Actor(), http.IdempotencyKey(), cancellation);
        return await AnswerAsync(http, answer, instances, views, cancellation);
    }

    private static async Task<IResult> PromoteAsync(
        HttpContext http, string org, string project, Projects projects, Deployments deployments, Instances instances, Views views, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new PromoteRequest(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var problems = new ProblemList();
        problems.RequireSlug("from", request.From);
        problems.RequireSlug("to", request.To);
        if (problems.IsEmpty && request.From == request.To)
            problems.Add("same-environment", "to", $"'{request.To}' is where it comes from.", "Name two environments.");
        if (!problems.IsEmpty)
            return Answers.BadInput(problems.Problems);
        var (source, missing) = await CurrentOfAsync(org, project, request.From!, projects, deployments, cancellation);
        if (source is null)
            return missing;
        var judged = Requested.Again(source, request.To!);
        if (judged.Value is not { } wanted)
            return Answers.BadInput(judged.Problems);
        return await AnswerAsync(
            http, await deployments.PromoteAsync(wanted, request.From!, http.Actor(), http.IdempotencyKey(), cancellation), instances, views, cancellation);
    }

    private static async Task<IResult> RestartAsync(
        HttpContext http, string org, string project, Projects projects, Deployments deployments, Instances instances, Views views, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new ServiceRequest(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var environment = request.Environment ?? ProjectInfo.Production;
        var (source, missing) = await CurrentOfAsync(org, project, environment, projects, deployments, cancellation);
        if (source is null)
            return missing;
        var judged = Requested.Again(source, environment);
        if (judged.Value is not { } wanted)
            return Answers.BadInput(judged.Problems);
        return await AnswerAsync(
            http, await deployments.RestartAsync(wanted, http.Actor(), http.IdempotencyKey(), cancellation), instances, views, cancellation);
    }

    private static async Task<IResult> StopAsync(
        HttpContext http, string org, string project, Deployments deployments, Instances instances, Views views, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new ServiceRequest(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var answer = await deployments.StopAsync(
            org, project, request.Environment ?? ProjectInfo.Production, request.Reason, http.Actor(), http.IdempotencyKey(), cancellation);
        return await AnswerAsync(http, answer, instances, views, cancellation);
    }

    private static async Task<IResult> AnswerAsync(
        HttpContext http, RolloutAnswer answer, Instances instances, Views views, CancellationToken cancellation)
    {
        var deployment = (answer as RolloutAnswer.Accepted)?.Deployment ?? (answer as RolloutAnswer.Replayed)?.Deployment;
        if (deployment is not null)
        {
            http.Response.Headers.Location = $"/api/v1/operations/{deployment.Operation}";
            if (answer is RolloutAnswer.Replayed)
                http.Response.Headers["Idempotency-Replayed"] = "true";
            return Answers.View(views.Of(deployment, await instances.ListAsync(deployment.Label, cancellation)), 202);
        }
        return answer switch
        {
            RolloutAnswer.Refused { Problems: var problems } when problems.Any(p => p.Code is "no-node" or "no-capacity") =>
                Answers.Problem(503, ProblemCodes.NoCapacity, problems[0].ToString(), problems),
            RolloutAnswer.Refused refused => Answers.BadInput(refused.Problems),
            RolloutAnswer.Busy { Holder: var holder } => Answers.Problem(409, ProblemCodes.OperationInProgress,
                $"{holder.Subject} is being moved: {holder.Summary} (operation {holder.Id}, by {holder.Actor}). Wait for its end: crew operations {holder.Id}."),
            RolloutAnswer.NothingToRollBack nothing => Answers.Problem(409, ProblemCodes.NothingToRollBack, nothing.Why),
            RolloutAnswer.NothingToStop nothing => Answers.Problem(409, ProblemCodes.Conflict, nothing.Why),
            RolloutAnswer.NotFound missing => Answers.NotFound(missing.What),
            _ => Answers.Problem(422, ProblemCodes.KeyReused, "This Idempotency-Key was used for another request. Send a new key with a new request."),
        };
    }

    private static async Task<IResult> FindAsync(HttpContext http, string label, Deployments deployments, Instances instances, Views views, CancellationToken cancellation) =>
        await VisibleAsync(http, label, deployments, cancellation) is { } found
            ? Answers.View(views.Of(found, await instances.ListAsync(label, cancellation)))
            : Answers.NotFound($"deployment {label}");

    private static async Task<IResult> CurrentAsync(
        string org, string project, Projects projects, Deployments deployments, Instances instances, Views views, string? environment, CancellationToken cancellation)
    {
        var (current, missing) = await CurrentOfAsync(org, project, environment ?? ProjectInfo.Production, projects, deployments, cancellation);
        return current is null ? missing : Answers.View(views.Of(current, await instances.ListAsync(current.Label, cancellation)));
    }

    private static async Task<IResult> InstancesAsync(
        HttpContext http, string label, Deployments deployments, Instances instances, Nodes nodes, CancellationToken cancellation)
    {
        if (await VisibleAsync(http, label, deployments, cancellation) is null)
            return Answers.NotFound($"deployment {label}");
        var hostnames = (await nodes.ListAsync(cancellation)).ToDictionary(n => n.Id, n => n.Hostname);
        return Answers.View((await instances.ListAsync(label, cancellation)).Select(i => Views.Of(i, hostnames)).ToArray());
    }

    private static async Task<IResult> AllInstancesAsync(HttpContext http, Instances instances, Nodes nodes, string? org, string? project, CancellationToken cancellation)
    {
        var hostnames = (await nodes.ListAsync(cancellation)).ToDictionary(n => n.Id, n => n.Hostname);
        var all = (await instances.ListAsync(null, cancellation))
            .Where(i => (org is null || i.Org == org) && (project is null || i.Project == project) && http.Actor().Allows(Role.Viewer, i.Org));
        return Answers.View(all.Select(i => Views.Of(i, hostnames)).ToArray());
    }

    /// <summary>The lines of all instances as they come: JSON lines, or plain text where that is asked for.</summary>
    private static async Task<IResult> LogsAsync(
        HttpContext http, string label, Deployments deployments, Instances instances, Link link, int? tail, string? since, bool? follow,
        TimeProvider clock, CancellationToken cancellation)
    {
        if (await VisibleAsync(http, label, deployments, cancellation) is null)
            return Answers.NotFound($"deployment {label}");
        DateTimeOffset? from = null;
        if (since is not null && (from = Since(since, clock)) is null)
            return Answers.BadInput([new Problem("bad-time", "since", $"'{since}' is not a time.", "Use a duration such as 10m, or a time such as 2026-01-31T12:00:00Z.")]);
        if (tail is < 0)
            return Answers.BadInput([new Problem("bad-number", "tail", $"{tail} is not a number of lines.", "Use 0 or more.")]);
        var plain = http.Request.Headers.Accept.ToString().Contains("text/plain", StringComparison.OrdinalIgnoreCase);
        var sources = await instances.HistoryAsync(label, 20, cancellation);
        http.Response.ContentType = plain ? "text/plain; charset=utf-8" : "application/x-ndjson";
        using var merged = new MergedLines(http.Response.Body, plain);
        await Task.WhenAll(sources.Select(async instance =>
        {
            var question = new LogsQuestion(instance.Id, tail, from, follow ?? false);
            using var stream = await link.OpenStreamAsync(instance.NodeId, LogsQuestion.Kind, question, NodeAnswersWithin, cancellation);
            if (stream is not null)
                await merged.CopyAsync(stream.Content, cancellation);
            else if (instance.Phase != InstancePhase.Gone)
                await merged.SayAsync(new LogLine(clock.GetUtcNow(), "crew", "the node does not answer: its lines are missing here", instance.Id), cancellation);
        }));
        return Results.Empty;
    }

    private static DateTimeOffset? Since(string text, TimeProvider clock) =>
        Quantity.ParseDuration(text) is { } ago ? (ago < LongestAgo ? clock.GetUtcNow() - ago : DateTimeOffset.UnixEpoch)
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at
        : null;

    /// <summary>What an environment points at; without one, the answer that says what is missing.</summary>
    private static async Task<(DeploymentInfo? Current, IResult Missing)> CurrentOfAsync(
        string org, string project, string environment, Projects projects, Deployments deployments, CancellationToken cancellation)
    {
        if (await projects.FindAsync(org, project, cancellation) is not { } found)
            return (null, Answers.NotFound($"project {org}/{project}"));
        var label = await deployments.CurrentAsync(found.Id, environment, cancellation);
        return (label is null ? null : await deployments.FindAsync(label, cancellation), Answers.NotFound($"current deployment in {environment} of {org}/{project}"));
    }

    internal static async Task<DeploymentInfo?> VisibleAsync(HttpContext http, string label, Deployments deployments, CancellationToken cancellation) =>
        await deployments.FindAsync(label, cancellation) is { } found && http.Actor().Allows(Role.Viewer, found.Org) ? found : null;

    /// <summary>Several streams of lines into one answer, a whole line at a time.</summary>
    private sealed class MergedLines(Stream output, bool plain) : IDisposable
    {
        private readonly SemaphoreSlim _turn = new(1, 1);

        public async Task CopyAsync(Stream lines, CancellationToken cancellation)
        {
            using var reader = new StreamReader(lines, Encoding.UTF8, false, 16 * 1024, leaveOpen: true);
            while (await reader.ReadLineAsync(cancellation) is { } line)
                await WriteAsync(plain ? Plain(JsonSerializer.Deserialize<LogLine>(line, Json.Options)!) : line, cancellation);
        }

        public Task SayAsync(LogLine line, CancellationToken cancellation) =>
            WriteAsync(plain ? Plain(line) : JsonSerializer.Serialize(line, Json.Options), cancellation);

        public void Dispose() => _turn.Dispose();

        private async Task WriteAsync(string line, CancellationToken cancellation)
        {
            await _turn.WaitAsync(cancellation);
            try
            {
                await output.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancellation);
                await output.FlushAsync(cancellation);
            }
            finally
            {
                _turn.Release();
            }
        }

        private static string Plain(LogLine line) => $"{line.At:yyyy-MM-ddTHH:mm:ss.fffZ} {line.InstanceId.ToString()[^6..]} {line.Stream} {line.Text}";
    }
}
