using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge</c>: the edges, and what is laid over the traffic.</summary>
internal static class EdgeVerbs
{
    public static Verb Of(CrewRoot root) =>
        new Verb("edge", "Show the edges and look inside; pause, close, split or drain traffic, announce maintenance, keep certificates.",
            "crew edge", "crew edge pause acme/web", "crew edge resume acme/web", "crew edge split acme/web web-k3x9a2b-acme=10",
            "crew edge maintenance on --org acme --for 30m", "crew edge drain web-k3x9a2b-acme", "crew edge breakers --open", "crew edge certs")
        { Group = Groups.Operate }
            .With([Status(root), .. EdgeLiveVerbs.Of(root), .. HoldVerbs.Of(root), SplitVerb.Of(root), MaintenanceVerbs.Of(root), .. DrainVerbs.Of(root), CertificateVerbs.Of(root)])
            .Does(root, ShowAsync);

    /// <summary>Says how the edges took a change; one that is there and does not serve it is a failure.</summary>
    public static ExitCode Ends(Call call, ConfirmationView? confirmation)
    {
        foreach (var edge in confirmation?.Silent ?? [])
            call.Words.Line($"{call.Words.Ink.Of(Tone.Warning, "!")} edge {Text.Clean(edge)} is silent: it takes this when it is back; cut off, it still routes as before");
        if (confirmation is null or { Confirmed: true })
            return ExitCode.Ok;
        call.Words.Line($"{call.Words.Ink.Of(Tone.Bad, "✗")} {Text.Clean(confirmation.Problem ?? "an edge did not confirm it")}. It is stored, and the edges take it when they can. See: crew edge");
        return ExitCode.Failed;
    }

    private static Verb Status(CrewRoot root) =>
        new Verb("status", "Show every edge, what it serves and drains, and what is laid over the traffic.", "crew edge status", "crew edge status --json").Does(root, ShowAsync);

    private static async Task<ExitCode> ShowAsync(Call call) => call.Show(await call.GetAsync<EdgesView>("edge"), view =>
    {
        if (view.Edges.Count == 0)
            call.Words.Line("No edges yet. 'crew up' starts one on this machine.");
        else
            Edges(call, view).Write(call.Out);
        if (view.Holds.Count + view.Splits.Count + view.Maintenance.Count + view.Drains.Count + view.Edges.Count(e => e.Problem is not null) == 0)
            return;
        call.Out.Line();
        Levels(call, view).Write(call.Out);
    });

    private static Listing Edges(Call call, EdgesView view)
    {
        var table = new Listing(new("EDGE", Least: 10), new("REGION", Least: 6), new("STATE"), new("TABLE", IsNumber: true), new("DRAINING", IsNumber: true), new("IN FLIGHT", IsNumber: true), new("UPGRADED", IsNumber: true), new("SEEN"));
        foreach (var e in view.Edges)
            table.Add(e.Hostname, e.Region, Cell.State(e.State), e.Serving == e.Expected ? $"{e.Serving}" : $"{e.Serving}/{e.Expected}", e.Draining.Count,
                e.Draining.Sum(d => d.InFlight), e.Draining.Sum(d => d.Upgraded), Text.Ago(e.LastSeen, call.Now));
        return table;
    }

    private static Listing Levels(Call call, EdgesView view)
    {
        var table = new Listing(new("LEVEL"), new("WHERE", Least: 16), new("WHAT", Least: 20));
        foreach (var e in view.Edges.Where(e => e.Problem is not null))
            table.Add(Cell.State("refused"), e.Hostname, e.Problem);
        foreach (var h in view.Holds)
            table.Add(Cell.State(h.State), $"{h.Org}/{h.Project} {h.Environment}", $"by {h.Actor} {Text.Ago(h.Since ?? call.Now, call.Now)}{(h.State == "paused" ? $", up to {h.MaxWait}" : h.Message is { } said ? $": {said}" : "")}");
        foreach (var s in view.Splits)
            table.Add("split", $"{s.Org}/{s.Project} {s.Environment}", SplitVerb.Words(s));
        foreach (var m in view.Maintenance)
            table.Add(new Cell("maintenance", Tone.Warning), m.Org ?? "all organizations", $"{MaintenanceVerbs.Ends(m, call.Now)}, by {m.Actor}");
        foreach (var d in view.Drains)
            table.Add(Cell.State(d.State), DrainVerbs.Name(d), $"{DrainVerbs.InFlight(d)}, by {d.Actor}");
        return table;
    }
}
