using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>How applying a table ended. A closed set; after everything but <see cref="Applied"/> the old table serves on.</summary>
public abstract record ApplyOutcome
{
    private ApplyOutcome()
    {
    }

    /// <summary>The table is on disk and serves.</summary>
    /// <param name="Generation">Its generation.</param>
    public sealed record Applied(long Generation) : ApplyOutcome;

    /// <summary>This very table serves already; nothing was done.</summary>
    /// <param name="Generation">Its generation.</param>
    public sealed record SameAlready(long Generation) : ApplyOutcome;

    /// <summary>A newer table serves (invariant 5). The sender is behind.</summary>
    /// <param name="Current">The generation that serves.</param>
    public sealed record RefusedOlder(long Current) : ApplyOutcome;

    /// <summary>The edge belongs to another control plane; emptying its state folder would free it.</summary>
    /// <param name="Current">The platform it belongs to.</param>
    public sealed record RefusedOtherPlatform(Guid Current) : ApplyOutcome;

    /// <summary>The table is wrong; the sender mends it.</summary>
    /// <param name="Problems">Everything that is wrong with it.</param>
    public sealed record RefusedProblems(IReadOnlyList<Problem> Problems) : ApplyOutcome;

    /// <summary>
    /// The disk did not take it; apply it again. The file holds the old table or already the new one, never a mixture.
    /// </summary>
    /// <param name="Reason">What the disk said.</param>
    public sealed record NotKept(string Reason) : ApplyOutcome;
}
