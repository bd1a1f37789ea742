namespace Groundcrew.Postgres.OnNode;

/// <summary>Removes what an agent that was ended left of one kind of scratch work, once, before the first work of this one. Thread-safe.</summary>
internal sealed class ScratchClearing(string above, string kind, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private Task? _cleared;

    /// <summary>Does it, or waits until it is done.</summary>
    public Task OnceAsync(PgBinaries binaries)
    {
        lock (_gate)
        {
            if (_cleared is null or { IsFaulted: true })
                _cleared = ScratchFolder.ClearAsync(above, kind, binaries, clock, CancellationToken.None);
            return _cleared;
        }
    }
}
