using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge breakers</c> and <c>limits</c>: what only the edges know (AZ-48).</summary>
internal static class EdgeLiveVerbs
{
    public static IEnumerable<Verb> Of(CrewRoot root) => [Breakers(root), Limits(root), EdgeRouteVerb.Of(root)];

    /// <summary>Names the edges whose part is missing.</summary>
    public static void TellUnanswered(Call call, IReadOnlyList<UnansweredView> unanswered)
    {
        foreach (var edge in unanswered)
            call.Words.Line($"{call.Words.Ink.Of(Tone.Warning, "!")} edge {Text.Clean(edge.Edge)} is missing here: {Text.Clean(edge.Why)}");
    }

    /// <summary>What a call is asked of, as its query.</summary>
    public static string Query(ProjectName? project) =>
        project is null ? "" : $"?org={Args.Escape(project.Org)}&project={Args.Escape(project.Project)}";

    private static Verb Breakers(CrewRoot root)
    {
        var (project, open) = (Args.MaybeProject(), new Option<bool>("--open") { Description = "Only those that are not closed." });
        return new Verb("breakers", "Show the circuit breakers of services and instances, as each edge has them.", "crew edge breakers", "crew edge breakers acme/web --open")
            .With(project, open)
            .Does(root, async call =>
            {
                var all = await call.GetAsync<EdgeBreakersView>($"edge/breakers{Query(call.Value(project))}");
                var view = call.Value(open) ? all with { Breakers = [.. all.Breakers.Where(b => b.State != "closed")] } : all;
                return call.Show(view, v =>
                {
                    if (v.Breakers.Count > 0)
                        Table(v.Breakers, call.Now).Write(call.Out);
                    else
                        call.Words.Line(all.Breakers.Count > 0 ? "Every breaker is closed: nothing is left out." : "No edge routes to anything here yet. See: crew edge");
                    TellUnanswered(call, v.Unanswered);
                });
            });
    }

    private static Listing Table(IReadOnlyList<BreakerView> breakers, DateTimeOffset now)
    {
        var table = new Listing(
            new("SERVICE", Least: 12), new("EDGE", Least: 6), new("INSTANCE"), new("STATE"), new("IN A ROW", IsNumber: true), new("FAILED", IsNumber: true), new("TRIED AGAIN"));
        foreach (var b in breakers)
            table.Add(
                $"{b.Org}/{b.Project} {b.Environment}", b.Edge, b.Instance is { } id ? Text.Short(id) : "all", new Cell(b.State, ToneOf(b.State)), b.FailuresInARow,
                b.Requests == 0 ? "-" : $"{b.FailurePercent} % of {b.Requests}", b.OpenUntil is { } until ? (until > now ? Text.Ago(until, now) : "now") : "-");
        return table;
    }

    /// <summary>A breaker is well when it is closed, as opposed to traffic.</summary>
    private static Tone ToneOf(string state) => state switch
    {
        "closed" => Tone.Good,
        "open" => Tone.Bad,
        _ => Tone.Warning,
    };

    private static Verb Limits(CrewRoot root)
    {
        var project = Args.MaybeProject();
        return new Verb("limits", "Show what limits and holds hold back, as each edge counts it.", "crew edge limits", "crew edge limits acme/web --json")
            .With(project)
            .Does(root, async call => call.Show(await call.GetAsync<EdgeLimitsView>($"edge/limits{Query(call.Value(project))}"), view =>
            {
                var (rated, bound) = (view.Limits.Where(l => l.Rates.Count > 0).ToList(), view.Limits.Where(l => l.InFlightAtMost is not null || l.State != "open" || l.Held > 0).ToList());
                if (rated.Count > 0)
                    Rates(rated).Write(call.Out);
                if (rated.Count > 0 && bound.Count > 0)
                    call.Out.Line();
                if (bound.Count > 0)
                    Bounds(bound).Write(call.Out);
                if (rated.Count + bound.Count == 0)
                    call.Words.Line("Nothing is limited or held. Limits stand in the manifest, under edge: limits and concurrency.");
                TellUnanswered(call, view.Unanswered);
            }));
    }

    private static Listing Rates(IReadOnlyList<LimitsView> services)
    {
        var table = new Listing(
            new("SERVICE", Least: 12), new("EDGE", Least: 6), new("LIMIT", Least: 6), new("BY"), new("ALLOWED"), new("KEYS", IsNumber: true), new("TURNED AWAY", IsNumber: true));
        foreach (var l in services)
            foreach (var r in l.Rates)
                table.Add(
                    Name(l), l.Edge, r.Name, r.By, $"{r.Requests} per {r.Per}{(r.Burst == r.Requests ? "" : $", {r.Burst} at once")}", r.Keys,
                    new Cell($"{r.Refused}", r.Refused > 0 ? Tone.Warning : Tone.Plain));
        return table;
    }

    private static Listing Bounds(IReadOnlyList<LimitsView> services)
    {
        var table = new Listing(
            new("SERVICE", Least: 12), new("EDGE", Least: 6), new("TRAFFIC"), new("HELD", IsNumber: true), new("IN FLIGHT", IsNumber: true), new("WAITING", IsNumber: true), new("SHED", IsNumber: true));
        foreach (var l in services)
            table.Add(
                Name(l), l.Edge, Cell.State(l.State), l.Held, l.InFlightAtMost is { } most ? $"{l.InFlight} of {most}" : "-", l.Waiting is { } waiting ? $"{waiting}" : "-",
                new Cell(l.Shed is { } shed ? $"{shed}" : "-", l.Shed > 0 ? Tone.Warning : Tone.Plain));
        return table;
    }

    private static string Name(LimitsView l) => $"{l.Org}/{l.Project} {l.Environment}";
}
