using System.CommandLine;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Cli.Verbs;

namespace Groundcrew.Cli;

/// <summary>The command line <c>crew</c>: the requests of the contract, typed (style point 18).</summary>
public static class CrewCommands
{
    /// <summary>
    /// Builds the tree of verbs. The daemon adds its own (<c>up</c>, <c>down</c>, <c>serve</c>) before
    /// <see cref="RunAsync"/>.
    /// </summary>
    /// <param name="clock">The clock of relative times and of waiting.</param>
    /// <param name="environment">What the surroundings say; nothing when left out.</param>
    /// <param name="console">Where to read and write; the process's own when left out.</param>
    public static CrewRoot Build(TimeProvider clock, CrewEnvironment? environment = null, CrewConsole? console = null)
    {
        var root = new CrewRoot(clock, environment ?? new CrewEnvironment(), console ?? CrewConsole.OfProcess());
        foreach (var verb in AllVerbs.Of(root))
            root.Add(verb);
        root.SetAction(parsed =>
        {
            Overview.Write(root, new Screen(root.Terminal.Out, root.Terminal.OutIsTerminal, root.IsWithoutColor(parsed), root.Terminal.Width));
            return (int)ExitCode.Ok;
        });
        root.ShowExamplesInHelp();
        return root;
    }

    /// <summary>
    /// Runs one command line. SIGINT and SIGTERM cancel it once; a second one ends the process at once. Expected failures
    /// become words on stderr and a code of <see cref="ExitCode"/>; faults of ours are thrown.
    /// </summary>
    public static async Task<int> RunAsync(CrewRoot root, IReadOnlyList<string> args, CancellationToken cancellation)
    {
        var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        var words = new Screen(root.Terminal.Error, root.Terminal.ErrorIsTerminal, root.IsWithoutColor(parsed), root.Terminal.Width);
        var invocation = new InvocationConfiguration
        {
            Output = root.Terminal.Out,
            Error = root.Terminal.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        if (parsed.Action is ParseErrorAction)
            return (int)RefuseLine(parsed, words);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => End(signal, ended));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => End(signal, ended));
        try
        {
            return await parsed.InvokeAsync(invocation, ended.Token);
        }
        catch (Exception e) when (Failure.Of(e, ended.IsCancellationRequested) is { } failure)
        {
            failure.Tell(words);
            if (root.IsJson(parsed) && failure.Problem is { } problem)
                JsonOut.Write(root.Terminal.Out, problem);
            return (int)failure.Code;
        }
    }

    private static ExitCode RefuseLine(ParseResult parsed, Screen words)
    {
        foreach (var error in parsed.Errors.Select(e => e.Message).Distinct())
            words.Line($"{words.Ink.Of(Tone.Bad, "✗")} {Text.Clean(error)}");
        var command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens is [var typed, ..] && Nearest.To(typed, command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)) is { Count: > 0 } nearest)
            words.Line($"  Did you mean: {string.Join(", ", nearest)}?");
        words.Line($"  See: {Verb.PathOf(command)} --help");
        return ExitCode.Usage;
    }

    private static void End(PosixSignalContext signal, CancellationTokenSource ended)
    {
        if (ended.IsCancellationRequested)
            return;
        signal.Cancel = true;
        ended.Cancel();
    }
}
