using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;

namespace Groundcrew.Daemon.Doors;

/// <summary>Regions, nodes and the route table (ZW-43..52).</summary>
internal static class FleetDoor
{
    public static void MapFleet(this RouteGroupBuilder api)
    {
        var fleet = api.MapGroup("").WithTags("fleet");
        fleet.MapGet("/regions", RegionsAsync).Needs(Role.Viewer).Produces<RegionView[]>();
        fleet.MapPost("/regions", AddRegionAsync).Needs(Role.Admin).Accepts<CreateRegion>("application/json").Produces<RegionView>(201);
        fleet.MapGet("/nodes", NodesAsync).Needs(Role.Viewer).Produces<NodeView[]>();
        fleet.MapGet("/nodes/{id:guid}", NodeAsync).Needs(Role.Viewer).Produces<NodeView>();
        fleet.MapPost("/nodes/{id:guid}/drain", DrainAsync).Needs(Role.OnCall).Produces<NodeView>(202);
        fleet.MapPost("/nodes/{id:guid}/enable", EnableAsync).Needs(Role.OnCall).Produces<NodeView>();
        fleet.MapDelete("/nodes/{id:guid}", RemoveAsync).Needs(Role.Admin).Produces(204);
        fleet.MapGet("/routes", RoutesAsync).NeedsInAnyOrg(Role.Viewer).Produces<RouteView[]>();
    }

    private static async Task<IResult> RegionsAsync(Nodes nodes, CancellationToken cancellation) =>
        Answers.View((await nodes.RegionsAsync(cancellation)).Select(r => Of(r.Region, r.Workers)).ToArray());

    private static async Task<IResult> AddRegionAsync(HttpContext http, Nodes nodes, Store store, Audit audit, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new CreateRegion(null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var problems = new ProblemList();
        problems.RequireSlug("code", request.Code);
        if (string.IsNullOrWhiteSpace(request.Name))
            problems.Add("missing", "name", "The region has no name.", "Give it one, such as 'US West'.");
        if (!problems.IsEmpty)
            return Answers.BadInput(problems.Problems);
        var added = await store.WriteAsync(async (db, cancel) =>
        {
            var region = await nodes.AddRegionAsync(db, request.Code!, request.Name!.Trim(), request.Country, cancel);
            if (region is not null)
                audit.Write(db, http.Actor(), "region.create", region.Code, "done");
            return region;
        }, cancellation);
        return added is null
            ? Answers.Problem(409, ProblemCodes.Conflict, $"Region '{request.Code}' is there already.")
            : Answers.View(Of(added, 0), 201);
    }

    private static async Task<IResult> NodesAsync(Nodes nodes, Views views, string? role, CancellationToken cancellation)
    {
        if (role is not (null or "worker" or "edge" or "all"))
            return Answers.BadInput([new Problem("bad-role", "role", $"'{role}' is not a role of a node.", "Use worker, edge or all.")]);
        var all = await nodes.ListAsync(cancellation);
        return Answers.View(all.Where(n => role == "all" || Views.Word(n.Role) == (role ?? "worker")).Select(views.Of).ToArray());
    }

    private static async Task<IResult> NodeAsync(Guid id, Nodes nodes, Views views, CancellationToken cancellation) =>
        (await nodes.ListAsync(cancellation)).FirstOrDefault(n => n.Id == id) is { } node
            ? Answers.View(views.Of(node))
            : Answers.NotFound($"node {id}");

    private static Task<IResult> DrainAsync(HttpContext http, Guid id, Nodes nodes, Store store, Audit audit, Views views, CancellationToken cancellation) =>
        SetStateAsync(http, id, NodeState.Draining, 202, nodes, store, audit, views, cancellation);

    private static Task<IResult> EnableAsync(HttpContext http, Guid id, Nodes nodes, Store store, Audit audit, Views views, CancellationToken cancellation) =>
        SetStateAsync(http, id, NodeState.Ready, 200, nodes, store, audit, views, cancellation);

    private static async Task<IResult> SetStateAsync(
        HttpContext http, Guid id, NodeState state, int status, Nodes nodes, Store store, Audit audit, Views views, CancellationToken cancellation)
    {
        var found = await store.WriteAsync(async (db, cancel) =>
        {
            if (!await nodes.SetStateAsync(db, id, state, cancel))
                return false;
            audit.Write(db, http.Actor(), state == NodeState.Ready ? "node.enable" : "node.drain", id.ToString(), "done");
            return true;
        }, cancellation);
        return found
            ? Answers.View(views.Of((await nodes.ListAsync(cancellation)).Single(n => n.Id == id)), status)
            : Answers.NotFound($"node {id}");
    }

    private static async Task<IResult> RemoveAsync(HttpContext http, Guid id, Nodes nodes, Databases databases, Store store, Audit audit, CancellationToken cancellation)
    {
        if ((await databases.ListAsync(null, cancellation)).FirstOrDefault(d => d.Servers.Any(s => s.NodeId == id)) is { } held)
            return Answers.Problem(409, ProblemCodes.Conflict,
                $"Node {id} holds a server of the database {held.Subject}. Move it away first (crew db switchover, crew db standby remove), or remove it: crew db remove {held.Subject}");
        var removal = await store.WriteAsync(async (db, cancel) =>
        {
            var result = await nodes.RemoveAsync(db, id, cancel);
            if (result == NodeRemoval.Removed)
                audit.Write(db, http.Actor(), "node.remove", id.ToString(), "done");
            return result;
        }, cancellation);
        return removal switch
        {
            NodeRemoval.Removed => Results.NoContent(),
            NodeRemoval.HoldsInstances => Answers.Problem(409, ProblemCodes.Conflict, $"Node {id} still holds instances. Drain it first: POST /api/v1/nodes/{id}/drain"),
            _ => Answers.NotFound($"node {id}"),
        };
    }

    private static async Task<IResult> RoutesAsync(HttpContext http, Routes routes, Views views, CancellationToken cancellation) =>
        Answers.View((await routes.CurrentAsync(cancellation)).Routes.Where(r => http.Actor().Allows(Role.Viewer, r.Org)).Select(views.Of).ToArray());

    private static RegionView Of(RegionInfo region, int workers) => new(region.Id, region.Code, region.Name, region.Country, workers);
}
