namespace Groundcrew.Metrics;

/// <summary>What a relabelling rule does.</summary>
public enum RelabelAction
{
    /// <summary>Sets the target label to the replacement when the source matches.</summary>
    Replace,

    /// <summary>Drops what does not match.</summary>
    Keep,

    /// <summary>Drops what matches.</summary>
    Drop,

    /// <summary>Drops what does not have the source's value in the target label.</summary>
    KeepEqual,

    /// <summary>Drops what has the source's value in the target label.</summary>
    DropEqual,

    /// <summary>Sets the target label to the modulus of a hash of the source.</summary>
    HashMod,

    /// <summary>Copies labels whose names match to the name that the replacement makes.</summary>
    LabelMap,

    /// <summary>Removes labels whose names match.</summary>
    LabelDrop,

    /// <summary>Removes labels whose names do not match.</summary>
    LabelKeep,

    /// <summary>Sets the target label to the source in lower case.</summary>
    Lowercase,

    /// <summary>Sets the target label to the source in upper case.</summary>
    Uppercase,
}

/// <summary>One rule of <c>relabel_configs</c>, with the defaults of Prometheus. Immutable.</summary>
public sealed record RelabelRule
{
    /// <summary>The labels whose values, joined by <see cref="Separator"/>, are the source.</summary>
    public IReadOnlyList<string> SourceLabels { get; init; } = [];

    /// <summary>Between the values of the source labels.</summary>
    public string Separator { get; init; } = ";";

    /// <summary>What the source (or a label's name) must match as a whole, in RE2's syntax.</summary>
    public string Regex { get; init; } = "(.*)";

    /// <summary>For <see cref="RelabelAction.HashMod"/>.</summary>
    public ulong Modulus { get; init; }

    /// <summary>The label that is set or compared; may name groups of the regular expression.</summary>
    public string TargetLabel { get; init; } = "";

    /// <summary>The new value, which may name groups of the regular expression.</summary>
    public string Replacement { get; init; } = "$1";

    /// <summary>What it does.</summary>
    public RelabelAction Action { get; init; } = RelabelAction.Replace;
}
