namespace Groundcrew.Contract.Manifest;

/// <summary>Words for messages.</summary>
internal static class Words
{
    /// <summary>A text of the input, short enough for a message and on one line.</summary>
    public static string Show(string text, int length = 60)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c));
        return line.Length <= length ? line : $"{line[..length]}…";
    }

    /// <summary><c>a, b and c</c>.</summary>
    public static string And(IReadOnlyList<string> words) =>
        words.Count < 2 ? string.Concat(words) : $"{string.Join(", ", words.Take(words.Count - 1))} and {words[^1]}";

    /// <summary>The known word that was probably meant; null when none is near.</summary>
    public static string? Nearest(string word, IEnumerable<string> known)
    {
        if (word.Length is 0 or > 40)
            return null;
        var best = known.Select(candidate => (candidate, Steps: Distance(Bare(word), Bare(candidate)))).MinBy(pair => pair.Steps);
        return best.candidate is not null && best.Steps <= Math.Max(1, Math.Min(word.Length, best.candidate.Length) / 3) ? best.candidate : null;
    }

    // Spelling habits are not spelling mistakes: rollback_window is rollbackWindow.
    private static string Bare(string word) => word.Replace("_", "").Replace("-", "").ToLowerInvariant();

    /// <summary>How many letters to add, drop, change or swap (optimal string alignment).</summary>
    private static int Distance(string from, string to)
    {
        var steps = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
            steps[i, 0] = i;
        for (var j = 0; j <= to.Length; j++)
            steps[0, j] = j;
        for (var i = 1; i <= from.Length; i++)
        {
            for (var j = 1; j <= to.Length; j++)
            {
                var change = steps[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                steps[i, j] = Math.Min(change, Math.Min(steps[i - 1, j], steps[i, j - 1]) + 1);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                    steps[i, j] = Math.Min(steps[i, j], steps[i - 2, j - 2] + 1);
            }
        }
        return steps[from.Length, to.Length];
    }
}
