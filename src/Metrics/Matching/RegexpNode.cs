namespace Groundcrew.Metrics;

/// <summary>A regular expression in RE2's syntax, as it was read.</summary>
internal abstract record RegexpNode
{
    /// <summary>Nothing at all.</summary>
    public sealed record Empty : RegexpNode;

    /// <summary>One character.</summary>
    public sealed record Literal(int Rune) : RegexpNode;

    /// <summary>One character of a set.</summary>
    public sealed record Class(RuneSet Set) : RegexpNode;

    /// <summary>Any character, or any but a line end.</summary>
    public sealed record Any(bool WithLineEnd) : RegexpNode;

    /// <summary>A place between characters, in the syntax of .NET.</summary>
    public sealed record Place(string Translated) : RegexpNode;

    /// <summary>A group that is remembered, by its number.</summary>
    public sealed record Capture(RegexpNode Inner) : RegexpNode;

    /// <summary>Something several times; <paramref name="Most"/> is -1 when there is no limit.</summary>
    public sealed record Repeat(RegexpNode Inner, int Least, int Most, bool Lazy) : RegexpNode;

    /// <summary>One after the other.</summary>
    public sealed record Sequence(IReadOnlyList<RegexpNode> Parts) : RegexpNode;

    /// <summary>One of several, the first that fits.</summary>
    public sealed record Choice(IReadOnlyList<RegexpNode> Options) : RegexpNode;
}
