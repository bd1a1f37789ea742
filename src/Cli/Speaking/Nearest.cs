namespace Groundcrew.Cli.Speaking;

/// <summary>Finds the words that a typo may have meant. Pure.</summary>
internal static class Nearest
{
    private const int Most = 3;

    /// <summary>The nearest words, the nearest first; none when all are far.</summary>
    public static IReadOnlyList<string> To(string typed, IEnumerable<string> words) =>
    [
        .. words.Select(word => (Word: word, Distance: Distance(typed, word)))
            .Where(w => w.Distance <= Math.Max(1, typed.Length / 3) || (typed.Length >= 3 && w.Word.StartsWith(typed, StringComparison.Ordinal)))
            .OrderBy(w => w.Distance).ThenBy(w => w.Word, StringComparer.Ordinal).Take(Most).Select(w => w.Word),
    ];

    // How many characters are put in, left out or replaced (Levenshtein).
    private static int Distance(string from, string to)
    {
        var above = Enumerable.Range(0, to.Length + 1).ToArray();
        for (var i = 1; i <= from.Length; i++)
        {
            var row = new int[to.Length + 1];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
                row[j] = Math.Min(Math.Min(row[j - 1], above[j]) + 1, above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1));
            above = row;
        }
        return above[^1];
    }
}
