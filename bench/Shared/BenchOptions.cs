using System.Globalization;

namespace Groundcrew.Bench;

/// <summary>What every driver may be told, and how its words are read.</summary>
internal abstract class BenchOptions(string crew, int rounds)
{
    private readonly List<string> _figures = [];

    /// <summary>The program that is measured.</summary>
    public string Crew { get; } = crew;

    /// <summary>The figures that were named; none for all.</summary>
    public IReadOnlyList<string> Figures => _figures;

    public string? Out { get; private set; }

    public int Rounds { get; private set; } = rounds;

    public bool Keep { get; private set; }

    public bool Wants(string figure) => Figures.Count == 0 || Figures.Contains(figure, StringComparer.Ordinal);

    /// <summary>Takes names of figures and options with their values.</summary>
    /// <exception cref="ArgumentException">A word is not known, or a value is none.</exception>
    protected void Read(ReadOnlySpan<string> words, IReadOnlyList<string> figures, Dictionary<string, Action<string>> options)
    {
        options["--rounds"] = v => Rounds = Number(v);
        options["--out"] = v => Out = v;
        for (var i = 0; i < words.Length; i++)
        {
            if (words[i] == "--keep")
                Keep = true;
            else if (figures.Contains(words[i], StringComparer.Ordinal))
                _figures.Add(words[i]);
            else if (!options.TryGetValue(words[i], out var take))
                throw new ArgumentException($"""
                    '{words[i]}' is not known.
                    Figures: {string.Join(' ', figures)}.
                    Options: {string.Join(' ', options.Keys)} --keep
                    """, nameof(words));
            else if (i + 1 == words.Length)
                throw new ArgumentException($"{words[i]} needs a value.", nameof(words));
            else
                take(words[++i]);
        }
    }

    protected static int Number(string text, int atLeast = 1) =>
        int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= atLeast ? number : throw new ArgumentException($"'{text}' is no number of at least {atLeast}.", nameof(text));

    /// <summary>Some of the sides, with commas.</summary>
    protected static string[] SidesOf(string text, string[] all) =>
        text.Split(',') is var sides && sides.All(s => all.Contains(s, StringComparer.Ordinal)) ? sides : throw new ArgumentException($"--sides takes of {string.Join(',', all)}, with commas.", nameof(text));
}
