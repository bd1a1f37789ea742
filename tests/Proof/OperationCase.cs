using Groundcrew.Journal;

namespace Groundcrew.Tests.Proof;

/// <summary>
/// One fresh world in which an operation can be run once: an open store of its own and whatever the steps work on.
/// Disposed after the run, together with its store.
/// </summary>
public sealed class OperationCase<TPlan>
    where TPlan : class
{
    /// <summary>The definition under proof.</summary>
    public required OperationDefinition<TPlan> Definition { get; init; }

    /// <summary>Its plan: the same in every world, as far as <see cref="ReadState"/> can tell.</summary>
    public required TPlan Plan { get; init; }

    /// <summary>The store of this world.</summary>
    public required Store Store { get; init; }

    /// <summary>
    /// Everything that the operation changes, as text that is equal in two worlds when they are in the same state: no
    /// times, no random ids, no generations.
    /// </summary>
    public required Func<Task<string>> ReadState { get; init; }

    /// <summary>The clock of the engine.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The leases that it is begun with.</summary>
    public IReadOnlyList<string> Leases { get; init; } = ["proof"];

    /// <summary>
    /// Steps whose effect may stay although the operation failed there or later, because their undo is "none". Named
    /// one by one, so that no other step can hide behind them.
    /// </summary>
    public IReadOnlySet<string> MayStay { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Takes the world down, without the store.</summary>
    public Func<ValueTask> Cleanup { get; init; } = () => ValueTask.CompletedTask;
}

/// <summary>The operation does not hold what every operation must; the message says where.</summary>
public sealed class ProofFailedException(string message) : Exception(message);

/// <summary>Stands for the end of the program at one moment.</summary>
internal sealed class ProgramKilledException() : Exception("The program was killed here.");
