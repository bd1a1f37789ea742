using System.CommandLine;

namespace Groundcrew.Cli.Calling;

/// <summary>A verb, with what help and overview say of it.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Where the overview lists it; null for one below another.</summary>
    public string? Group { get; init; }

    public IReadOnlyList<string> Examples { get; } = examples;

    public Verb Does(CrewRoot root, Func<Call, Task<ExitCode>> action)
    {
        SetAction(async (parsed, cancellation) =>
        {
            using var call = new Call(parsed, root, cancellation);
            return (int)await action(call);
        });
        return this;
    }

    /// <summary>Adds arguments, options and verbs below it.</summary>
    public Verb With(params Symbol[] symbols)
    {
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                Add(argument);
            else if (symbol is Option option)
                Add(option);
            else if (symbol is Command command)
                Add(command);
        }
        return this;
    }

    /// <summary>The words that name a command, from <c>crew</c> on.</summary>
    public static string PathOf(Command command)
    {
        var names = new List<string>();
        for (Command? at = command; at is not null && at is not RootCommand; at = at.Parents.OfType<Command>().FirstOrDefault())
            names.Insert(0, at.Name);
        return string.Join(' ', names.Prepend("crew"));
    }
}
