using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// The edges, and what people lay over the traffic: holds and splits, and by doors of their own drains and maintenance.
/// A change is answered when the edges confirmed it, or with who did not.
/// </summary>
internal static class EdgeDoor
{
    public static void MapEdge(this RouteGroupBuilder api)
    {
        var edge = api.MapGroup("").WithTags("edge");
        edge.MapGet("/edge", StatusAsync).Needs(Role.Viewer).Produces<EdgesView>();
        edge.MapPost("/projects/{org}/{project}/pause", PauseAsync).Needs(Role.Deployer).Accepts<PauseRequest>(true, "application/json").Produces<HoldView>();
        edge.MapPost("/projects/{org}/{project}/close", CloseAsync).Needs(Role.Deployer).Accepts<CloseRequest>(true, "application/json").Produces<HoldView>();
        edge.MapPost("/projects/{org}/{project}/resume", ResumeAsync).Needs(Role.Deployer).Accepts<ResumeRequest>(true, "application/json").Produces<HoldView>();
        edge.MapGet("/projects/{org}/{project}/split", SplitAsync).Needs(Role.Viewer).Produces<SplitView>();
        edge.MapPut("/projects/{org}/{project}/split", SetSplitAsync).Needs(Role.Deployer).Accepts<SplitRequest>("application/json").Produces<SplitView>();
        edge.MapDelete("/projects/{org}/{project}/split", ClearSplitAsync).Needs(Role.Deployer).Produces<SplitView>();
        edge.MapDrains();
        edge.MapMaintenance();
        edge.MapEdgeLive();
    }

    private static async Task<IResult> StatusAsync(
        Routes routes, Holds holds, Splits splits, MaintenanceTimes maintenance, Drains drains, CancellationToken cancellation)
    {
        var edges = await routes.EdgesAsync(cancellation);
        return Answers.View(new EdgesView(
            (await routes.CurrentAsync(cancellation)).Generation,
            [.. edges.Select(TrafficViews.Of).OrderBy(e => e.Hostname, StringComparer.Ordinal)],
            [.. (await holds.ListAsync(null, cancellation)).Select(TrafficViews.Of)],
            [.. (await splits.ListAsync(cancellation)).Select(s => TrafficViews.Of(s, null))],
            [.. (await maintenance.ListAsync(null, cancellation)).Select(m => TrafficViews.Of(m, null))],
            [.. (await drains.ListAsync(cancellation)).Select(TrafficViews.Of)]));
    }

    private static async Task<IResult> PauseAsync(HttpContext http, string org, string project, Holds holds, Routes routes, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new PauseRequest(null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var problems = new ProblemList();
        var (wait, waiting) = (Duration(request.MaxWait, Holds.DefaultMaxWait, "maxWait", problems), request.MaxWaiting ?? Holds.DefaultMaxWaiting);
        problems.AddRange(Holds.JudgePause(null, wait, waiting));
        if (!problems.IsEmpty)
            return Answers.BadInput(problems.Problems);
        var where = Where(org, project, request.Environment);
        return await HeldAsync(where, await holds.PauseAsync(where, null, wait, waiting, http.Actor(), cancellation), holds, routes, cancellation);
    }

    private static async Task<IResult> CloseAsync(HttpContext http, string org, string project, Holds holds, Routes routes, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new CloseRequest(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var where = Where(org, project, request.Environment);
        return await HeldAsync(where, await holds.CloseAsync(where, request.Message, http.Actor(), cancellation), holds, routes, cancellation);
    }

    private static async Task<IResult> ResumeAsync(HttpContext http, string org, string project, Holds holds, Routes routes, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new ResumeRequest(null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var where = Where(org, project, request.Environment);
        return await HeldAsync(where, await holds.ResumeAsync(where, http.Actor(), cancellation), holds, routes, cancellation);
    }

    private static async Task<IResult> HeldAsync(EnvironmentKey where, TrafficChange change, Holds holds, Routes routes, CancellationToken cancellation)
    {
        if (change is not TrafficChange.Done done)
            return Refusal(change);
        // What stands now, read before the edges are waited for: it is what was done.
        var now = (await holds.ListAsync(where.Org, cancellation)).SingleOrDefault(h => h.Project == where.Project && h.Environment == where.Environment);
        return Answers.View(TrafficViews.Of(where, now, TrafficViews.Of(await routes.AnswerAsync(done.Generation, cancellation))));
    }

    private static async Task<IResult> SplitAsync(string org, string project, string? environment, Splits splits, CancellationToken cancellation)
    {
        var where = Where(org, project, environment);
        return await splits.FindAsync(where, cancellation) is { } found ? Answers.View(TrafficViews.Of(found, null)) : Answers.NotFound($"{where}");
    }

    private static async Task<IResult> SetSplitAsync(HttpContext http, string org, string project, Splits splits, Routes routes, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new SplitRequest(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var where = Where(org, project, request.Environment);
        return await IsSplitAsync(
            where, await splits.SetAsync(where, request.Shares ?? new Dictionary<string, int>(), http.Actor(), cancellation), splits, routes, cancellation);
    }

    private static async Task<IResult> ClearSplitAsync(
        HttpContext http, string org, string project, string? environment, Splits splits, Routes routes, CancellationToken cancellation)
    {
        var where = Where(org, project, environment);
        return await IsSplitAsync(where, await splits.ClearAsync(where, http.Actor(), cancellation), splits, routes, cancellation);
    }

    private static async Task<IResult> IsSplitAsync(EnvironmentKey where, TrafficChange change, Splits splits, Routes routes, CancellationToken cancellation)
    {
        if (change is not TrafficChange.Done done)
            return Refusal(change);
        var now = await splits.FindAsync(where, cancellation);
        return now is null ? Answers.NotFound($"{where}")
            : Answers.View(TrafficViews.Of(now, TrafficViews.Of(await routes.AnswerAsync(done.Generation, cancellation))));
    }

    private static EnvironmentKey Where(string org, string project, string? environment) => new(org, project, environment ?? ProjectInfo.Production);

    /// <summary>A time with its unit; a problem when it is none.</summary>
    internal static TimeSpan Duration(string? text, TimeSpan otherwise, string path, ProblemList problems)
    {
        if (text is null)
            return otherwise;
        if (Quantity.ParseDuration(text) is { } parsed && parsed > TimeSpan.Zero)
            return parsed;
        problems.Add("bad-duration", path, $"'{text}' is not a time to wait.", "Use a number with its unit, such as 30s or 5m.");
        return otherwise;
    }

    /// <summary>The answer to a change that was not made.</summary>
    internal static IResult Refusal(TrafficChange change) => change switch
    {
        TrafficChange.Refused refused => Answers.BadInput(refused.Problems),
        TrafficChange.NotFound missing => Answers.NotFound(missing.What),
        TrafficChange.Busy busy => Answers.Problem(409, ProblemCodes.OperationInProgress,
            $"This environment is being moved (operation {busy.Operation}). Wait for its end: crew operations {busy.Operation}."),
        TrafficChange.InTheWay conflict => Answers.Problem(409, ProblemCodes.Conflict, conflict.Why),
        TrafficChange.LastTargets last => Answers.Problem(409, ProblemCodes.LastTargets, last.Why),
        _ => throw new InvalidOperationException($"{change} is no refusal."),
    };
}
