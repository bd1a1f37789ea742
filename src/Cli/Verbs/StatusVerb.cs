using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew status</c>: the platform at a glance, also when it is away.</summary>
internal static class StatusVerb
{
    public static Verb Of(CrewRoot root) =>
        new Verb("status", "Show the platform at a glance. Its store, nodes, operations, and loops that fail.", "crew status", "crew status --json | jq .nodes") { Group = Groups.Look }
            .Does(root, async call =>
            {
                try
                {
                    return call.Show(await call.GetAsync<StatusView>("status"), status => Write(call, status));
                }
                catch (CrewUnreachableException)
                {
                    TellWhatIsKnown(call);
                    throw;
                }
            });

    private static void Write(Call call, StatusView status)
    {
        var screen = call.Out;
        screen.Line($"{screen.Ink.Of(Tone.Good, "✓")} Groundcrew {status.Version} runs");
        screen.Field("hosts", status.EdgePort == 80 ? $"http://*.{status.BaseDomain}" : $"http://*.{status.BaseDomain}:{status.EdgePort}");
        screen.Field("store", status.Store);
        screen.Field("projects", status.Projects.ToString());
        screen.Field("operations", status.RunningOperations == 0 ? "none in progress" : $"{status.RunningOperations} in progress: crew operations");
        screen.Field("routes", $"generation {status.RouteGeneration}");
        screen.Line();
        if (status.Nodes.Count == 0)
            screen.Line("No nodes yet. 'crew up' starts one on this machine.");
        else
            NodeVerbs.Table(status.Nodes, call.Now).Write(screen);
        var failing = status.Loops.Where(l => l.Failures > 0).OrderBy(l => l.Name, StringComparer.Ordinal).ToList();
        if (failing.Count == 0)
            return;
        screen.Line();
        screen.Line($"{screen.Ink.Of(Tone.Warning, "!")} Loops that fail:");
        foreach (var loop in failing)
            screen.Line($"  {loop.Name}, {Text.Count(loop.Failures, "time")} in a row: {Text.FirstLine(loop.Result ?? "no reason was given")}");
    }

    private static void TellWhatIsKnown(Call call)
    {
        var folder = call.Root.DataFolder(call.Parsed);
        if (PlatformFile.Read(folder) is not { } platform)
            return;
        var words = call.Words;
        words.Line($"What {folder} says of the platform:");
        words.Field("  control", $"http://127.0.0.1:{platform.ControlPort} (does not answer)", Tone.Warning);
        words.Field("  edge", $"http://*.{platform.BaseDomain}:{platform.EdgePort} (serves on without the control plane, if it runs)");
        words.Field("  region", platform.Region);
        words.Field("  token", File.Exists(PlatformFile.AdminTokenOf(folder)) ? PlatformFile.AdminTokenOf(folder) : "none yet");
        words.Field("  start it", folder == Path.GetFullPath(PlatformFile.DefaultFolder) ? "crew up" : $"crew up --data {folder}");
    }
}
