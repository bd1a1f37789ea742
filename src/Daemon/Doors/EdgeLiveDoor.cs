using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// What only the edges know, asked of all of them now: breakers (AZ-48), limits and routes. Who may see one organization
/// sees what is of it.
/// </summary>
internal static class EdgeLiveDoor
{
    public static void MapEdgeLive(this RouteGroupBuilder api)
    {
        api.MapGet("/edge/breakers", BreakersAsync).NeedsInAnyOrg(Role.Viewer).Produces<EdgeBreakersView>();
        api.MapGet("/edge/limits", LimitsAsync).NeedsInAnyOrg(Role.Viewer).Produces<EdgeLimitsView>();
        api.MapGet("/edge/routes", RoutesAsync).NeedsInAnyOrg(Role.Viewer).Produces<EdgeRoutesView>();
    }

    /// <summary>The breakers under the guide's own path (AZ-48).</summary>
    public static void MapBreakersOfTheGuide(this IEndpointRouteBuilder app) =>
        app.MapGet("/debug/circuit-breakers", BreakersAsync).NeedsInAnyOrg(Role.Viewer).WithTags("edge").Produces<EdgeBreakersView>();

    private static async Task<IResult> BreakersAsync(HttpContext http, AskedEdges edges, string? org, string? project, CancellationToken cancellation)
    {
        var said = await edges.AskAsync<IReadOnlyList<ServiceBreakers>>(EdgeAspect.Breakers, cancellation);
        var wanted = new Wanted(http.Actor(), org, project);
        return Answers.View(new EdgeBreakersView(
            [.. from s in said.Answers from b in s.Answer where wanted.Has(b.Service) orderby b.Service, s.Edge from view in Of(b, s.Edge) select view], said.Unanswered));
    }

    private static async Task<IResult> LimitsAsync(HttpContext http, AskedEdges edges, string? org, string? project, CancellationToken cancellation)
    {
        var said = await edges.AskAsync<IReadOnlyList<ServiceLimits>>(EdgeAspect.Limits, cancellation);
        var wanted = new Wanted(http.Actor(), org, project);
        return Answers.View(new EdgeLimitsView(
            [.. from s in said.Answers from l in s.Answer where wanted.Has(l.Service) orderby l.Service, s.Edge select Of(l, s.Edge)], said.Unanswered));
    }

    private static async Task<IResult> RoutesAsync(
        HttpContext http, AskedEdges edges, Instances instances, string? org, string? project, string? host, CancellationToken cancellation)
    {
        var said = await edges.AskAsync<LiveRoutes>(EdgeAspect.Routes, cancellation);
        var wanted = new Wanted(http.Actor(), org, project);
        bool IsWanted(LiveRoute route) => wanted.Has(route.Service) && (host is null || string.Equals(route.Host, host, StringComparison.OrdinalIgnoreCase));
        var projects = said.Answers.SelectMany(s => s.Answer.Routes).Where(IsWanted).Select(r => ProjectOf(r.Service)).ToHashSet(StringComparer.Ordinal);
        var owners = (await instances.ListAsync(null, cancellation)).ToDictionary(i => i.Id);
        // Of a host only what drains in its project; of a project, and of all, also what no route names any more.
        bool Drains(DrainingTarget target) => owners.TryGetValue(target.InstanceId, out var i)
            ? wanted.Has($"{i.Org}/{i.Project}/") && (host is null || projects.Contains($"{i.Org}/{i.Project}"))
            : wanted.IsAll && host is null;
        var tables = said.Answers.Select(s => new EdgeTableView(
            s.Edge, s.Answer.Generation, [.. s.Answer.Routes.Where(IsWanted).Select(Of).OrderBy(r => r.Host, StringComparer.Ordinal).ThenBy(r => r.Path, StringComparer.Ordinal)],
            [.. s.Answer.Draining.Where(Drains).OrderBy(t => t.InstanceId).Select(t => new DrainingView(t.InstanceId, t.Address, t.InFlight, t.Upgraded))])).ToList();
        return Answers.View(new EdgeRoutesView(tables.Select(Words).Distinct(StringComparer.Ordinal).Count() > 1, tables, said.Unanswered));
    }

    private static IEnumerable<BreakerView> Of(ServiceBreakers service, string edge)
    {
        yield return Of(service.Service, edge, null, null, service.Breaker);
        foreach (var target in service.Targets.OrderBy(t => t.Instance).ThenBy(t => t.Address, StringComparer.Ordinal))
            yield return Of(service.Service, edge, target.Instance, target.Address, target.Breaker);
    }

    private static BreakerView Of(string service, string edge, Guid? instance, string? address, BreakerStatus b)
    {
        var (org, project, environment) = PartsOf(service);
        return new BreakerView(
            org, project, environment, edge, instance, address, b.State == BreakerState.HalfOpen ? "half-open" : Views.Word(b.State),
            b.FailuresInARow, b.Requests, b.FailurePercent, b.OpenUntil, b.Opened);
    }

    private static LimitsView Of(ServiceLimits l, string edge)
    {
        var (org, project, environment) = PartsOf(l.Service);
        return new LimitsView(
            org, project, environment, edge, l.Hold?.Kind switch { null => "open", HoldKind.Paused => "paused", _ => "closed" }, l.Held,
            l.InFlight, l.InFlightAtMost, l.Waiting, l.Shed,
            [.. l.Rates.Select(r => new RateView(r.Limit.Name, Views.Word(r.Limit.By), r.Limit.Requests, Quantity.Format(r.Limit.Per), r.Limit.Burst ?? r.Limit.Requests, r.Keys, r.Refused))],
            l.RetriesRefused);
    }

    private static EdgeRouteView Of(LiveRoute route)
    {
        var (org, project, environment) = PartsOf(route.Service);
        return new EdgeRouteView(
            route.Host, route.Path, route.Match switch { null => null, { Header: { } h } m => $"header {h}={m.Value}", var m => $"cookie {m.Cookie}={m.Value}" },
            org, project, environment,
            [
                .. route.Backends.Select(b => new EdgeBackendView(b.Deployment, b.Percent, [
                    .. b.Targets.OrderBy(t => t.Instance).Select(t => new EdgeTargetView(t.Instance, t.Address, t.IsWell ? "ready" : "left-out", t.InFlight, t.Upgraded))])),
            ]);
    }

    /// <summary>What an edge routes by, without what changes with every request.</summary>
    private static string Words(EdgeTableView table) => string.Join('\n', table.Routes.Select(r =>
        $"{r.Host} {r.Path} {r.Match} {string.Join(' ', r.Deployments.Select(d => $"{d.Deployment} {d.Percent} {string.Join(' ', d.Targets.Select(t => $"{t.Instance} {t.Address}"))}"))}"));

    private static (string Org, string Project, string Environment) PartsOf(string service) =>
        service.Split('/') is [var org, var project, var environment] ? (org, project, environment) : (service, "", "");

    private static string ProjectOf(string service) => service[..service.LastIndexOf('/')];

    /// <summary>Whose an answer may be: what the caller asks for, of what it may see.</summary>
    private sealed record Wanted(Actor Actor, string? Org, string? Project)
    {
        public bool IsAll => Org is null && Project is null && Actor.Allows(Role.Viewer, null);

        public bool Has(string service)
        {
            var (org, project, _) = PartsOf(service);
            return (Org is null || Org == org) && (Project is null || Project == project) && Actor.Allows(Role.Viewer, org);
        }
    }
}
