using YamlDotNet.Core;

namespace Groundcrew.Contract.Manifest;

/// <summary>Says why a text is no YAML.</summary>
internal static class SyntaxProblems
{
    /// <summary>How many lines with tabs are named; a file that is indented with tabs throughout needs no more.</summary>
    private const int MaxTabs = 20;

    public static void Refuse(string yaml, YamlException refusal, Judgement judgement)
    {
        // The parser stumbles over a tab with words about tokens; the tab is what its author can see.
        var tabs = TabbedLines(yaml).Take(MaxTabs).ToList();
        foreach (var line in tabs)
            judgement.Refuse(ProblemKinds.TabIndent, "", "The line is indented with a tab.", line: line);
        if (tabs.Count == 0)
            judgement.Refuse(ProblemKinds.YamlSyntax, "", $"The text is no YAML here: {Sentence(refusal.Message)}.", line: (int)refusal.Start.Line);
    }

    private static IEnumerable<int> TabbedLines(string yaml) =>
        yaml.Split('\n')
            .Select((text, index) => (Indent: text[..^text.TrimStart(' ', '\t').Length], Line: index + 1))
            .Where(line => line.Indent.Contains('\t'))
            .Select(line => line.Line);

    private static string Sentence(string message)
    {
        var text = Words.Show(message.TrimEnd('.', ' '), 160);
        return text.Length > 1 && !char.IsUpper(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;
    }
}
