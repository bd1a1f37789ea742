using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge routes</c>: each edge's own table, with what is in flight.</summary>
internal static class EdgeRouteVerb
{
    public static Verb Of(CrewRoot root)
    {
        var of = new Argument<string?>("HOST|ORG/PROJECT") { Description = "Only of this host or project.", Arity = ArgumentArity.ZeroOrOne };
        return new Verb("routes", "Show the routes as each edge has them, with what is in flight to each instance.",
            "crew edge routes", "crew edge routes acme/web", "crew edge routes web-acme.localhost")
            .With(of)
            .Does(root, async call => call.Show(await call.GetAsync<EdgeRoutesView>($"edge/routes{Query(call.Parsed.GetValue(of))}"), view =>
            {
                if (view.Edges.Any(e => e.Routes.Count > 0))
                    Routes(view.Edges).Write(call.Out);
                else
                    call.Words.Line("No edge routes to anything here. See: crew routes, which shows what they should have.");
                if (view.Edges.Any(e => e.Draining.Count > 0))
                {
                    call.Out.Line();
                    Draining(view.Edges).Write(call.Out);
                }
                if (view.Differ)
                    call.Words.Line($"{call.Words.Ink.Of(Tone.Warning, "!")} the edges do not route alike: {string.Join(", ", view.Edges.Select(e => $"{Text.Clean(e.Edge)} has table {e.Generation}"))}. See: crew edge");
                EdgeLiveVerbs.TellUnanswered(call, view.Unanswered);
            }));
    }

    private static string Query(string? of) => of is null ? ""
        : ProjectName.Parse(of) is { } project ? EdgeLiveVerbs.Query(project)
        : $"?host={Args.Escape(of)}";

    private static Listing Routes(IReadOnlyList<EdgeTableView> edges)
    {
        var table = new Listing(
            new("HOST", Least: 14), new("DEPLOYMENT", Least: 12), new("SHARE", IsNumber: true), new("TARGET", Least: 8), new("STATE"), new("IN FLIGHT", IsNumber: true), new("EDGE", Least: 5));
        foreach (var (edge, route) in edges.SelectMany(e => e.Routes.Select(r => (e.Edge, Route: r))).OrderBy(r => r.Route.Host, StringComparer.Ordinal).ThenBy(r => r.Route.Path, StringComparer.Ordinal))
            foreach (var deployment in route.Deployments)
            {
                var (place, share) = ($"{route.Host}{(route.Path == "/" ? "" : route.Path)}{(route.Match is { } match ? $" ({match})" : "")}", $"{deployment.Percent} %");
                foreach (var t in deployment.Targets)
                    table.Add(place, deployment.Deployment, share, t.Address, Cell.State(t.State), InFlight(t.InFlight, t.Upgraded), edge);
                if (deployment.Targets.Count == 0)
                    table.Add(place, deployment.Deployment, share, "-", new Cell("none ready", Tone.Warning), "-", edge);
            }
        return table;
    }

    private static Listing Draining(IReadOnlyList<EdgeTableView> edges)
    {
        var table = new Listing(new("LEFT THE TABLE", Least: 14), new("TARGET", Least: 8), new("STATE"), new("IN FLIGHT", IsNumber: true), new("EDGE", Least: 5));
        foreach (var edge in edges)
            foreach (var d in edge.Draining)
                table.Add($"instance {Text.Short(d.Instance)}", d.Address, Cell.State("draining"), InFlight(d.InFlight, d.Upgraded), edge.Edge);
        return table;
    }

    private static string InFlight(int all, int upgraded) => upgraded == 0 ? $"{all}" : $"{all - upgraded} + {upgraded} ws";
}
