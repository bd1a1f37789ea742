using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge drain</c> and <c>undrain</c>: of a deployment, one of its instances, or a node.</summary>
internal static class DrainVerbs
{
    public static IEnumerable<Verb> Of(CrewRoot root) => [Drain(root), Undrain(root)];

    /// <summary>What is in flight, with upgraded connections counted apart.</summary>
    public static string InFlight(DrainView drain) =>
        $"{Text.Count(drain.InFlight - drain.Upgraded, "request")} in flight{(drain.Upgraded == 0 ? "" : $", {Text.Count(drain.Upgraded, "WebSocket")} open")}";

    /// <summary>Whose instances they are.</summary>
    public static string Name(DrainView drain) => drain.Node is { } node ? $"node {node}"
        : drain.Instance is { } id ? $"instance {Text.Short(id)} of {drain.Deployment}" : drain.Deployment ?? "";

    private static Verb Drain(CrewRoot root)
    {
        var (label, instance, node, deadline) = (Label(), Instance(), Node(), Args.Text("--deadline", "TIME", "How long requests in flight are waited for. Default: 30s"));
        var grace = Args.Text("--websocket-grace", "TIME", "How long WebSockets and other upgraded connections are waited for, too. Default: not at all");
        var force = new Option<bool>("--force") { Description = "Also when an environment is left without any instance that takes its traffic." };
        return new Verb("drain", "Give instances no new requests and wait until none is in flight. They run on.",
            "crew edge drain web-k3x9a2b-acme", "crew edge drain web-k3x9a2b-acme --instance 9f3c21aa --deadline 2m", "crew edge drain --node worker-3 --websocket-grace 5m")
            .With(label, instance, node, deadline, grace, force)
            .Does(root, async call =>
            {
                var (path, id) = await FindAsync(call, call.Parsed.GetValue(label), call.Value(instance), call.Value(node));
                object body = call.Value(node) is null
                    ? new DrainRequest(id, call.Value(deadline), call.Value(force), call.Value(grace))
                    : new DrainNodeRequest(call.Value(deadline), call.Value(force), call.Value(grace));
                var ended = await call.Client.PostAsync<DrainView>($"{path}/drain", body, call.Cancellation);
                call.Show(ended, d => Tell(call, d));
                var taken = EdgeVerbs.Ends(call, ended.Confirmation);
                return ended.State == "drained" ? taken : ExitCode.Failed;
            });
    }

    private static Verb Undrain(CrewRoot root)
    {
        var (label, instance, node) = (Label(), Instance(), Node());
        return new Verb("undrain", "Give instances requests again.", "crew edge undrain web-k3x9a2b-acme", "crew edge undrain --node worker-3").With(label, instance, node).Does(root, async call =>
        {
            var (path, id) = await FindAsync(call, call.Parsed.GetValue(label), call.Value(instance), call.Value(node));
            var back = await call.Client.PostAsync<DrainView>($"{path}/undrain", call.Value(node) is null ? new UndrainRequest(id) : null, call.Cancellation);
            call.Show(back, d => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {Name(d)} takes requests again"));
            return EdgeVerbs.Ends(call, back.Confirmation);
        });
    }

    private static void Tell(Call call, DrainView drain)
    {
        var back = drain.Node is { } node ? $"--node {node}" : $"{drain.Deployment}{(drain.Instance is { } id ? $" --instance {Text.Short(id)}" : "")}";
        call.Out.Line(drain.State == "drained"
            ? $"{call.Out.Ink.Of(Tone.Good, "✓")} {Name(drain)} is drained: no request is in flight. Back: crew edge undrain {back}"
            : $"{call.Out.Ink.Of(Tone.Warning, "!")} {Name(drain)} still drains: {InFlight(drain)}. It gets no new ones; see: crew edge");
        if (drain is { State: "drained", Upgraded: > 0 })
            call.Words.Line($"{call.Words.Ink.Of(Tone.Warning, "!")} {Text.Count(drain.Upgraded, "WebSocket")} still open there: what stops the instances cuts them. --websocket-grace waits for them");
    }

    private static Argument<string?> Label() => new("LABEL") { Description = "The deployment; not with --node.", Arity = ArgumentArity.ZeroOrOne };

    private static Option<string?> Instance() => Args.Text("--instance", "ID", "Only this instance: its id, or the end of it");

    private static Option<string?> Node() => Args.Text("--node", "NODE", "All that runs on this node, by its hostname or id, instead of a deployment");

    /// <summary>The path that drains are below, and the one instance.</summary>
    private static async Task<(string Path, Guid? Instance)> FindAsync(Call call, string? label, string? instance, string? node)
    {
        if ((label is null) == (node is null) || (node is not null && instance is not null))
            throw new CrewFailedException(ExitCode.Usage, "Name a deployment, with or without --instance, or a node with --node.");
        if (node is not null)
            return ($"edge/nodes/{(await NodeVerbs.FindAsync(call, node)).Id}", null);
        var path = $"deployments/{Args.Escape(label!)}";
        if (instance is null)
            return (path, null);
        var found = (await call.GetAsync<InstanceView[]>($"{path}/instances"))
            .Where(i => i.Id.ToString() == instance || (instance.Length >= 4 && i.Id.ToString().EndsWith(instance, StringComparison.OrdinalIgnoreCase))).ToList();
        return found.Count switch
        {
            1 => (path, found[0].Id),
            0 => throw new CrewFailedException(ExitCode.NotFound, $"{label} has no instance '{instance}'. 'crew instances' lists them."),
            _ => throw new CrewFailedException(ExitCode.Conflict, $"{found.Count} instances answer to '{instance}'. Use one of their ids: {string.Join(", ", found.Select(i => i.Id))}"),
        };
    }
}
