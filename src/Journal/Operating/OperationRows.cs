namespace Groundcrew.Journal;

/// <summary>One operation as the journal keeps it.</summary>
internal sealed class OperationRow
{
    public required Guid Id { get; init; }

    public required string Kind { get; init; }

    public required string Subject { get; init; }

    public required string Summary { get; init; }

    public required string ActorId { get; init; }

    public required string Actor { get; init; }

    public required string Plan { get; init; }

    public required OperationState State { get; set; }

    /// <summary>Whether it moves backwards; kept apart from the state, for a stuck one needs to know.</summary>
    public bool Undoing { get; set; }

    public string? Why { get; set; }

    public string? Conclusion { get; set; }

    public OutcomeKind? Outcome { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? EndedAt { get; set; }

    public string? RequestKey { get; init; }

    public string? RequestHash { get; init; }

    public long LinesDropped { get; set; }
}

/// <summary>One step of an operation.</summary>
internal sealed class StepRow
{
    public required Guid OperationId { get; init; }

    public required int Position { get; init; }

    public required string Name { get; init; }

    public required StepState State { get; set; }

    public int Attempt { get; set; }

    public DateTimeOffset? StartedAt { get; set; }

    public DateTimeOffset? EndedAt { get; set; }

    public string? Words { get; set; }
}

/// <summary>One line that a step said.</summary>
internal sealed class LineRow
{
    public required Guid OperationId { get; init; }

    public required int Number { get; init; }

    public required DateTimeOffset At { get; init; }

    public required string Step { get; init; }

    public required string Text { get; init; }
}

/// <summary>Who moves something. The row stays when the lease is free, so that the generation only grows.</summary>
internal sealed class LeaseRow
{
    public required string Key { get; init; }

    public Guid? OperationId { get; set; }

    public required long Generation { get; set; }

    /// <summary>Its place among the leases of the operation; the first gives the generation that steps stamp commands with.</summary>
    public required int Position { get; set; }

    public required DateTimeOffset AcquiredAt { get; set; }
}
