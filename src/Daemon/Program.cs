using Groundcrew.Cli;
using Groundcrew.Daemon.Settings;

namespace Groundcrew.Daemon;

/// <summary>The one program: the platform's own verbs, and the verbs that speak to a control plane.</summary>
internal static class Program
{
    /// <summary>How this very program is started again.</summary>
    public static IReadOnlyList<string> Self { get; } = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) != "dotnet"
        ? [path]
        : [Environment.ProcessPath ?? "dotnet", typeof(Program).Assembly.Location];

    private static Task<int> Main(string[] args)
    {
        // Threads that look around for more work before they sleep spare the edge a wake-up for each request. What does something
        // only now and then, as everything else here, would spend a third of its processor time on looking around.
        if (!args.Contains("edge", StringComparer.Ordinal))
            AppContext.SetData("System.Threading.ThreadPool.UnfairSemaphoreSpinLimit", 0);
        return CrewCommands.RunAsync(Verbs(EnvironmentVariables.Read()), args, CancellationToken.None);
    }

    /// <summary>Every verb of the program.</summary>
    internal static CrewRoot Verbs(CrewEnvironment environment)
    {
        var root = CrewCommands.Build(TimeProvider.System, environment);
        var platform = new PlatformVerbs(root.DataFolder);
        root.Subcommands.Add(platform.Up());
        root.Subcommands.Add(platform.Down());
        root.Subcommands.Add(platform.Serve());
        root.Subcommands.Add(new PromQLVerbs(root, Console.Out, Console.Error).Verb());
        // It works on processes and not on the API, yet people look for it beside the other words about the edge.
        root.Subcommands.Single(c => c.Name == "edge").Subcommands.Add(new EdgeRestart(root).Verb());
        return root;
    }
}
