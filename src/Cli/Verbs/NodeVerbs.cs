using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew nodes</c> (ZW-43..52).</summary>
internal static class NodeVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var (yes, wait) = (Args.Yes(), new Option<bool>("--wait") { Description = "Wait until it holds no instances." });
        return new Verb("nodes", "List nodes; drain, enable or remove one.", "crew nodes", "crew nodes drain worker-3 --wait", "crew nodes enable worker-3", "crew nodes remove worker-3 --yes") { Group = Groups.Operate }
            .With(
                new Verb("list", "List agents and edges.").Does(root, ListAsync),
                One(root, "drain", "Move a node's instances elsewhere and give it no new ones.", (call, node) => DrainAsync(call, node, call.Value(wait))).With(wait),
                One(root, "enable", "Give a node new instances again.", EnableAsync),
                One(root, "remove", "Forget a node that holds no instances any more.", (call, node) => RemoveAsync(call, node, call.Value(yes))).With(yes))
            .Does(root, ListAsync);
    }

    public static Listing Table(IEnumerable<NodeView> nodes, DateTimeOffset now)
    {
        var table = new Listing(new("NODE", Least: 10), new("ROLE"), new("REGION", Least: 6), new("STATE"), new("INSTANCES", IsNumber: true), new("CPU", IsNumber: true), new("MEMORY", IsNumber: true), new("VERSION"), new("SEEN"));
        foreach (var n in nodes.OrderBy(n => n.Role == "edge").ThenBy(n => n.Hostname, StringComparer.Ordinal).ThenBy(n => n.Id))
            table.Add(n.Hostname, n.Role, n.Region, Cell.State(n.State), n.Instances, $"{n.Millicores / 1000m:0.##}", Text.Bytes(n.MemoryBytes), n.Version, Text.Ago(n.LastSeen, now));
        return table;
    }

    private static Verb One(CrewRoot root, string name, string description, Func<Call, NodeView, Task<ExitCode>> action)
    {
        var node = Args.Word("NODE", "The node's hostname or id.");
        return new Verb(name, description).With(node).Does(root, async call => await action(call, await FindAsync(call, call.Value(node))));
    }

    private static async Task<ExitCode> ListAsync(Call call) => call.List(
        await call.GetAsync<NodeView[]>("nodes?role=all"), "No nodes yet. 'crew up' starts one on this machine.", nodes => Table(nodes, call.Now));

    private static async Task<ExitCode> DrainAsync(Call call, NodeView node, bool wait)
    {
        var now = await call.Client.PostAsync<NodeView>($"nodes/{node.Id}/drain", null, call.Cancellation);
        call.IsPatient = true;
        var told = -1;
        while (wait && now.State == "draining")
        {
            if (told != now.Instances)
                call.Words.Line($"  {now.Hostname}: {Text.Count(told = now.Instances, "instance")} to move");
            await Task.Delay(PatientHandler.Pause, call.Clock, call.Cancellation);
            now = await call.GetAsync<NodeView>($"nodes/{node.Id}");
        }
        call.Show(now, n => call.Out.Line(n.State == "drained"
            ? $"{call.Out.Ink.Of(Tone.Good, "✓")} {n.Hostname} is drained. It may be stopped; back: crew nodes enable {n.Hostname}"
            : $"{n.Hostname} is {n.State}, {Text.Count(n.Instances, "instance")} left. See: crew nodes"));
        return !wait || now.State == "drained" ? ExitCode.Ok : ExitCode.Failed;
    }

    private static async Task<ExitCode> EnableAsync(Call call, NodeView node) => call.Show(
        await call.Client.PostAsync<NodeView>($"nodes/{node.Id}/enable", null, call.Cancellation), n => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {n.Hostname} takes new instances"));

    private static async Task<ExitCode> RemoveAsync(Call call, NodeView node, bool yes)
    {
        call.Confirm(yes, $"Node {node.Hostname} ({node.Role} in {node.Region}) is forgotten.", node.Hostname);
        await call.Client.DeleteAsync($"nodes/{node.Id}", call.Cancellation);
        call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {node.Hostname} is removed");
        return ExitCode.Ok;
    }

    /// <summary>The node of a hostname or an id.</summary>
    public static async Task<NodeView> FindAsync(Call call, string name)
    {
        var all = await call.GetAsync<NodeView[]>("nodes?role=all");
        var found = all.Where(n => n.Hostname == name || n.Id.ToString() == name).ToList();
        // A machine may be a worker and an edge; a worker is what is drained.
        if (found.Count > 1 && found.Count(n => n.Role == "worker") == 1)
            found.RemoveAll(n => n.Role != "worker");
        return found.Count switch
        {
            1 => found[0],
            0 => throw new CrewFailedException(ExitCode.NotFound, $"There is no node '{name}'. 'crew nodes' lists them."),
            _ => throw new CrewFailedException(ExitCode.Conflict, $"{found.Count} nodes are named '{name}'. Use an id: {string.Join(", ", found.Select(n => n.Id))}"),
        };
    }
}
