using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew routes</c> (ZW-66).</summary>
internal static class RouteVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var project = Args.MaybeProject();
        return new Verb("routes", "List hosts and what answers there.", "crew routes", "crew routes acme/web") { Group = Groups.Look }
            .With(project)
            .Does(root, async call =>
            {
                if (call.Value(project) is not { } of)
                    return List(call, await call.GetAsync<RouteView[]>("routes"));
                var routing = await call.GetAsync<RoutingView>($"{of.Path}/routing");
                return call.IsJson ? call.Show(routing, _ => { }) : List(call, routing.Routes);
            });
    }

    private static ExitCode List(Call call, IReadOnlyList<RouteView> routes) =>
        call.List([.. routes.OrderBy(r => r.Host, StringComparer.Ordinal)], "No routes yet. A deploy makes them: crew deploy DIR", list =>
        {
            var table = new Listing(new("HOST", Least: 24), new("KIND"), new("DEPLOYMENT", Least: 12), new("TARGETS", Least: 10));
            foreach (var r in list)
                table.Add(r.Host, r.Kind, r.Deployment, r.Targets.Count == 0 ? new Cell("none ready", Tone.Warning) : string.Join(", ", r.Targets.Order(StringComparer.Ordinal)));
            return table;
        });
}
