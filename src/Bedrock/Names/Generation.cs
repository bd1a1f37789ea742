namespace Groundcrew.Bedrock;

/// <summary>
/// The counter that whatever is applied to a node or the edge carries. A receiver keeps the highest it has seen and
/// refuses older ones, so that a delayed command cannot undo a newer one.
/// </summary>
/// <param name="Value">Starts at 0 ("nothing yet") and only grows.</param>
public readonly record struct Generation(long Value) : IComparable<Generation>
{
    /// <summary>Before anything was applied.</summary>
    public static Generation None => default;

    /// <summary>The one after this.</summary>
    public Generation Next() => new(Value + 1);

    /// <inheritdoc/>
    public int CompareTo(Generation other) => Value.CompareTo(other.Value);

    /// <summary>Older than.</summary>
    public static bool operator <(Generation left, Generation right) => left.Value < right.Value;

    /// <summary>Newer than.</summary>
    public static bool operator >(Generation left, Generation right) => left.Value > right.Value;

    /// <summary>Not newer than.</summary>
    public static bool operator <=(Generation left, Generation right) => left.Value <= right.Value;

    /// <summary>Not older than.</summary>
    public static bool operator >=(Generation left, Generation right) => left.Value >= right.Value;

    /// <inheritdoc/>
    public override string ToString() => Value.ToString();
}
