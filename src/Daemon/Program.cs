using System.CommandLine;
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

    private static Task<int> Main(string[] args) => CrewCommands.RunAsync(Verbs(EnvironmentVariables.Read()), args, CancellationToken.None);

    /// <summary>Every verb of the program.</summary>
    internal static CrewRoot Verbs(CrewEnvironment environment)
    {
        var root = CrewCommands.Build(TimeProvider.System, environment);
        var platform = new PlatformVerbs(root.DataFolder);
        root.Subcommands.Add(platform.Up());
        root.Subcommands.Add(platform.Down());
        root.Subcommands.Add(platform.Serve());
        EdgeOf(root).Subcommands.Add(new EdgeRestart(root).Verb());
        return root;
    }

    /// <summary>The verb that others stand below: of the CLI when it has one, for what it asks the API.</summary>
    private static Command EdgeOf(CrewRoot root)
    {
        if (root.Subcommands.FirstOrDefault(c => c.Name == "edge") is { } known)
            return known;
        var edge = new Command("edge", "The edge of this machine.");
        root.Subcommands.Add(edge);
        return edge;
    }
}
