using System.Globalization;

namespace Groundcrew.Metrics;

/// <summary>Reads relabelling rules and judges that each has what its action needs, and nothing else.</summary>
internal static class RelabelForms
{
    public static IReadOnlyList<RelabelRule> Read(ConfigSection map, string key) => [.. map.Sections(key).Select(Rule)];

    private static RelabelRule Rule(ConfigSection map)
    {
        var initial = new RelabelRule();
        var rule = new RelabelRule
        {
            SourceLabels = map.Texts("source_labels") ?? [],
            Separator = map.Text("separator") ?? initial.Separator,
            Modulus = (ulong)(map.Count("modulus") ?? 0),
            TargetLabel = map.Text("target_label") ?? "",
            Replacement = map.Text("replacement") ?? initial.Replacement,
            Regex = Regex(map) ?? initial.Regex,
            Action = Action(map),
        };
        Judge(map, rule, initial);
        map.Close();
        return rule;
    }

    private static string? Regex(ConfigSection map)
    {
        var line = map.LineOf("regex");
        if (map.Text("regex") is not { } regex)
            return null;
        if (RegexpPattern.ProblemOf(regex) is not { } problem)
            return regex;
        map.Refuse("bad-regex", "regex", $"'{regex}' is no regular expression: {problem.TrimEnd('.')}.", "Write it in RE2's syntax.", line);
        return null;
    }

    private static RelabelAction Action(ConfigSection map)
    {
        var line = map.LineOf("action");
        if (map.Text("action") is not { } word)
            return RelabelAction.Replace;
        if (char.IsAsciiLetter(word.FirstOrDefault()) && Enum.TryParse<RelabelAction>(word, ignoreCase: true, out var action))
            return action;
        map.Refuse("unknown-choice", "action", $"unknown relabel action \"{word}\".", "Write replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase or uppercase.", line);
        return RelabelAction.Replace;
    }

    private static void Judge(ConfigSection map, RelabelRule rule, RelabelRule initial)
    {
        var name = rule.Action.ToString().ToLower(CultureInfo.InvariantCulture);
        void Refuse(string message, string fix) => map.Refuse("bad-rule", "action", message, fix, map.Line);
        if (rule.Action == RelabelAction.HashMod && rule.Modulus == 0)
            Refuse("relabel configuration for hashmod requires non-zero modulus.", "Set modulus.");
        if (rule.Action is RelabelAction.Replace or RelabelAction.HashMod or RelabelAction.Lowercase or RelabelAction.Uppercase or RelabelAction.KeepEqual or RelabelAction.DropEqual && rule.TargetLabel.Length == 0)
            Refuse($"relabel configuration for {name} action requires 'target_label' value.", "Set target_label.");
        if (rule.Action is RelabelAction.Lowercase or RelabelAction.Uppercase && rule.Replacement != initial.Replacement)
            Refuse($"'replacement' can not be set for {name} action.", "Remove replacement.");
        var bare = rule.Modulus == 0 && rule.Separator == initial.Separator && rule.Replacement == initial.Replacement;
        if (rule.Action is RelabelAction.LabelDrop or RelabelAction.LabelKeep && !(bare && rule.SourceLabels.Count == 0 && rule.TargetLabel.Length == 0))
            Refuse($"{name} action requires only 'regex', and no other fields.", "Remove the other keys.");
        if (rule.Action is RelabelAction.KeepEqual or RelabelAction.DropEqual && !(bare && rule.Regex == initial.Regex))
            Refuse($"{name} action requires only 'source_labels' and `target_label`, and no other fields.", "Remove the other keys.");
    }
}
