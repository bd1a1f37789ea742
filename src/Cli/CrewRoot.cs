using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Groundcrew.Cli.Calling;

namespace Groundcrew.Cli;

/// <summary>
/// The command <c>crew</c> with the options that every verb has. Whoever adds a verb of its own reads them with
/// <see cref="DataFolder"/>. Not thread-safe; one for each run.
/// </summary>
#pragma warning disable CA1010 // The library's command is enumerable for collection initializers only.
public sealed class CrewRoot : RootCommand
#pragma warning restore CA1010
{
    internal CrewRoot(TimeProvider clock, CrewEnvironment environment, CrewConsole console)
        : base("Groundcrew runs production: it ships versions without dropping a request, routes traffic and keeps it running.")
    {
        HelpName = "crew";
        (Clock, Environment, Terminal) = (clock, environment, console);
        foreach (var option in Shared.All)
            Add(option);
    }

    internal TimeProvider Clock { get; }

    internal CrewEnvironment Environment { get; }

    internal CrewConsole Terminal { get; }

    internal SharedOptions Shared { get; } = new();

    /// <summary>The data folder that the command line, the surroundings or the default name, as a full path.</summary>
    public string DataFolder(ParseResult parsed) =>
        Path.GetFullPath(parsed.GetValue(Shared.Data) ?? Environment.Data ?? Contract.PlatformFile.DefaultFolder);

    /// <summary>Whether colours are unwanted.</summary>
    public bool IsWithoutColor(ParseResult parsed) => Environment.NoColor || parsed.GetValue(Shared.NoColor);

    /// <summary>Whether stdout is to hold JSON only.</summary>
    public bool IsJson(ParseResult parsed) => parsed.GetValue(Shared.Json);

    internal void ShowExamplesInHelp()
    {
        foreach (var option in Options.OfType<HelpOption>())
            if (option.Action is HelpAction help)
                option.Action = new HelpWithExamples(help, Terminal);
    }

    private sealed class HelpWithExamples(HelpAction help, CrewConsole terminal) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var output = parseResult.InvocationConfiguration.Output;
            if (terminal.OutIsTerminal)
                help.MaxWidth = terminal.Width;
            help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is Verb { Examples.Count: > 0 } verb)
            {
                output.WriteLine("Examples:");
                foreach (var example in verb.Examples)
                    output.WriteLine("  " + example);
                output.WriteLine();
            }
            return 0;
        }
    }
}
