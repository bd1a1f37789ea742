namespace Groundcrew.Journal;

/// <summary>The journal's own housekeeping, to be added to <see cref="Loops"/>.</summary>
public static class JournalLoops
{
    /// <summary>Saves when tokens were last used each minute, and forgets old request keys each quarter of an hour.</summary>
    public static IReadOnlyList<ILoop> Make(Access access, RequestKeys keys) =>
    [
        new Loop("save-token-use", TimeSpan.FromMinutes(1), async cancellation => $"{await access.SaveLastUsedAsync(cancellation)} tokens were used."),
        new Loop("prune-request-keys", TimeSpan.FromMinutes(15), async cancellation => $"{await keys.PruneAsync(cancellation)} keys were forgotten."),
    ];
}
