using System.CommandLine;
using System.CommandLine.Help;
using System.Text;
using Groundcrew.Cli.Calling;

namespace Groundcrew.Cli;

/// <summary>Makes the reference page of the command line from its tree and its exit codes. Pure.</summary>
public static class CrewReference
{
    /// <summary>The page, as Markdown; the same for the same tree.</summary>
    public static string Generate(CrewRoot root)
    {
        var page = new StringBuilder("""
            # The command line `crew`

            This page is made from the verbs themselves (`src/Cli`, and `src/Daemon` for the platform's own); a test fails when it differs.

            stdout holds results: tables for people, or with `--json` the views of the API and nothing else. Words about what
            happens go to stderr. Colours and moving lines are for terminals only. A refusal with `--json` writes the
            problem (RFC 9457) to stdout, too. Lists are JSON arrays; `crew deploy` gives an array of the deployments that it made.

            ## Exit codes

            | code | name | what happened | what to do |
            |---|---|---|---|

            """);
        foreach (var (code, means, next) in ExitCodes.All)
            page.Append($"| {(int)code} | {code} | {means} | {next} |\n");
        page.Append("\n## Options of every verb\n\n");
        WriteOptions(root.Shared.All, page);
        page.Append("\n## Verbs\n");
        foreach (var verb in root.Subcommands.Where(c => !c.Hidden).OrderBy(c => c.Name, StringComparer.Ordinal))
            WriteVerb(verb, page);
        return page.ToString();
    }

    private static void WriteVerb(Command verb, StringBuilder page)
    {
        page.Append($"\n{(verb.Parents.OfType<RootCommand>().Any() ? "###" : "####")} `{Verb.PathOf(verb)}`\n\n{verb.Description}\n\n");
        page.Append($"    {Usage(verb)}\n");
        if (verb.Arguments.Count > 0 || OptionsOf(verb).Any())
            page.Append('\n');
        foreach (var argument in verb.Arguments)
            page.Append($"- `{argument.Name}`: {Sentence(argument.Description)}\n");
        WriteOptions(OptionsOf(verb), page);
        if (verb is Verb { Examples.Count: > 0 } told)
            page.Append($"\n```sh\n{string.Join('\n', told.Examples)}\n```\n");
        foreach (var below in verb.Subcommands.Where(c => !c.Hidden))
            WriteVerb(below, page);
    }

    private static IEnumerable<Option> OptionsOf(Command verb) => verb.Options.Where(o => o is not HelpOption && !o.Hidden);

    private static void WriteOptions(IEnumerable<Option> options, StringBuilder page)
    {
        foreach (var option in options)
            page.Append($"- `{string.Join("`, `", option.Aliases.Prepend(option.Name))}{(ValueOf(option) is { } value ? " " + value : "")}`: {Sentence(option.Description)}{(option.Required ? " Required." : "")}\n");
    }

    private static string? ValueOf(Option option) => option.HelpName ?? (option.ValueType == typeof(bool) ? null : "VALUE");

    private static string Sentence(string? text) => text is null || text.EndsWith('.') ? text ?? "" : text + ".";

    private static string Usage(Command verb)
    {
        var words = new List<string>();
        for (Command? at = verb; at is not null && at is not RootCommand; at = at.Parents.OfType<Command>().FirstOrDefault())
            words.InsertRange(0, at.Arguments.Where(a => at == verb || a.Arity.MinimumNumberOfValues > 0).Select(a => a.Arity.MinimumNumberOfValues == 0 ? $"[{a.Name}]" : a.Name).Prepend(at.Name));
        return $"crew {string.Join(' ', words)}{(OptionsOf(verb).Any() ? " [options]" : "")}";
    }
}
