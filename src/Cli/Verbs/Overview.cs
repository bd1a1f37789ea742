using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;

namespace Groundcrew.Cli.Verbs;

/// <summary>What <c>crew</c> alone says: every verb by task, on one screen.</summary>
internal static class Overview
{
    public static void Write(CrewRoot root, Screen screen)
    {
        screen.Line("crew: takes a system from a manifest to production and keeps it there.");
        foreach (var group in Groups.All)
        {
            // Verbs that the daemon adds run the platform.
            var verbs = root.Subcommands.Where(c => !c.Hidden && ((c as Verb)?.Group ?? Groups.Operate) == group).ToList();
            if (verbs.Count == 0)
                continue;
            screen.Line();
            screen.Line(screen.Ink.Of(Tone.Strong, group));
            foreach (var verb in verbs)
                screen.Line(Text.Cut($"  {verb.Name,-12} {FirstSentence(verb.Description)}", screen.IsTerminal ? screen.Width : int.MaxValue));
        }
        screen.Line();
        screen.Line("Begin: crew up, then crew deploy DIR. Of each verb: crew VERB --help");
    }

    private static string FirstSentence(string? text)
    {
        var end = text?.IndexOf(". ", StringComparison.Ordinal) ?? -1;
        return (end < 0 ? text ?? "" : text![..end]).TrimEnd('.');
    }
}
