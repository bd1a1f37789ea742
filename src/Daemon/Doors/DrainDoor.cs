using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// Drains: of a deployment, of one instance, of a node. A call is answered when no request is in flight any more, or its
/// deadline passed; upgraded connections are counted apart, and waited for as long as the caller says.
/// </summary>
internal static class DrainDoor
{
    private static readonly TimeSpan DefaultDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestDeadline = TimeSpan.FromMinutes(10);

    public static void MapDrains(this RouteGroupBuilder api)
    {
        api.MapPost("/deployments/{label}/drain", DrainAsync).NeedsInAnyOrg(Role.Deployer).Accepts<DrainRequest>(true, "application/json").Produces<DrainView>();
        api.MapPost("/deployments/{label}/undrain", UndrainAsync).NeedsInAnyOrg(Role.Deployer).Accepts<UndrainRequest>(true, "application/json").Produces<DrainView>();
        api.MapPost("/edge/nodes/{id:guid}/drain", DrainNodeAsync).Needs(Role.OnCall).Accepts<DrainNodeRequest>(true, "application/json").Produces<DrainView>();
        api.MapPost("/edge/nodes/{id:guid}/undrain", UndrainNodeAsync).Needs(Role.OnCall).Produces<DrainView>();
    }

    private static async Task<IResult> DrainAsync(
        HttpContext http, string label, Deployments deployments, Drains drains, Routes routes, TimeProvider clock, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new DrainRequest(null, null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var times = TimesOf(request.Deadline, request.WebSocketGrace, clock);
        if (times.Value is not { } wait)
            return Answers.BadInput(times.Problems);
        if (await DeploymentsDoor.VisibleAsync(http, label, deployments, cancellation) is null)
            return Answers.NotFound($"deployment {label}");
        var change = await drains.DrainAsync(label, request.Instance, request.Force ?? false, http.Actor(), cancellation);
        if (change is not TrafficChange.Done done)
            return EdgeDoor.Refusal(change);
        var end = await drains.WaitAsync(done.Generation, label, request.Instance, wait.Deadline, cancellation, wait.ClosedBy);
        return await DrainedAsync(new DrainView(label, request.Instance, null, "", 0, 0, clock.StoreNow(), http.Actor().Name, null), end, done.Generation, wait, routes, cancellation);
    }

    private static async Task<IResult> UndrainAsync(
        HttpContext http, string label, Deployments deployments, Drains drains, Routes routes, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new UndrainRequest(null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        if (await DeploymentsDoor.VisibleAsync(http, label, deployments, cancellation) is null)
            return Answers.NotFound($"deployment {label}");
        var change = await drains.UndrainAsync(label, request.Instance, http.Actor(), cancellation);
        return await GivenBackAsync(new DrainView(label, request.Instance, null, "serving", 0, 0, null, null, null), change, routes, cancellation);
    }

    private static async Task<IResult> DrainNodeAsync(
        HttpContext http, Guid id, Nodes nodes, Drains drains, Routes routes, TimeProvider clock, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new DrainNodeRequest(null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var times = TimesOf(request.Deadline, request.WebSocketGrace, clock);
        if (times.Value is not { } wait)
            return Answers.BadInput(times.Problems);
        var change = await drains.DrainNodeAsync(id, request.Force ?? false, http.Actor(), cancellation);
        if (change is not TrafficChange.Done done)
            return EdgeDoor.Refusal(change);
        var name = await NameOfAsync(nodes, id, cancellation);
        var end = await drains.WaitNodeAsync(done.Generation, id, wait.Deadline, cancellation, wait.ClosedBy);
        return await DrainedAsync(new DrainView(null, null, name, "", 0, 0, clock.StoreNow(), http.Actor().Name, null), end, done.Generation, wait, routes, cancellation);
    }

    private static async Task<IResult> UndrainNodeAsync(HttpContext http, Guid id, Nodes nodes, Drains drains, Routes routes, CancellationToken cancellation)
    {
        var change = await drains.UndrainNodeAsync(id, http.Actor(), cancellation);
        return await GivenBackAsync(new DrainView(null, null, await NameOfAsync(nodes, id, cancellation), "serving", 0, 0, null, null, null), change, routes, cancellation);
    }

    private static async Task<IResult> DrainedAsync(
        DrainView view, DrainEnd end, long generation, Wait wait, Routes routes, CancellationToken cancellation) =>
        Answers.View(view with
        {
            State = end.IsDrained ? "drained" : "draining",
            InFlight = end.InFlight,
            Upgraded = end.Upgraded,
            Confirmation = TrafficViews.Of(await routes.AnswerAsync(generation, cancellation, wait.Deadline)),
        });

    private static async Task<IResult> GivenBackAsync(DrainView view, TrafficChange change, Routes routes, CancellationToken cancellation) =>
        change is TrafficChange.Done done
            ? Answers.View(view with { Confirmation = TrafficViews.Of(await routes.AnswerAsync(done.Generation, cancellation)) })
            : EdgeDoor.Refusal(change);

    private static async Task<string> NameOfAsync(Nodes nodes, Guid id, CancellationToken cancellation) =>
        (await nodes.ListAsync(cancellation)).FirstOrDefault(n => n.Id == id)?.Hostname ?? id.ToString();

    private static Judged<Wait> TimesOf(string? deadline, string? grace, TimeProvider clock)
    {
        var (problems, now) = (new ProblemList(), clock.GetUtcNow());
        DateTimeOffset At(string? text, TimeSpan otherwise, string path)
        {
            var time = EdgeDoor.Duration(text, otherwise, path, problems);
            if (time > LongestDeadline)
                problems.Add("bad-duration", path, $"'{text}' is too long to wait for an answer.", $"Use at most {Quantity.Format(LongestDeadline)}; the drain goes on after it.");
            return now + (time < LongestDeadline ? time : LongestDeadline);
        }
        var wait = new Wait(At(deadline, DefaultDeadline, "deadline"), grace is null ? null : At(grace, DefaultDeadline, "webSocketGrace"));
        return problems.IsEmpty ? Judged<Wait>.Good(wait) : Judged<Wait>.Bad(problems.Problems);
    }

    /// <summary>How long a drain is waited for.</summary>
    /// <param name="Deadline">Until when for requests in flight.</param>
    /// <param name="ClosedBy">Until when for upgraded connections; null for not at all.</param>
    private sealed record Wait(DateTimeOffset Deadline, DateTimeOffset? ClosedBy);
}
