namespace Groundcrew.Fleet.OnNode;

/// <summary>Exponential waits with jitter between a shortest and a longest. Not thread-safe: one for each loop.</summary>
internal sealed class Backoff(TimeSpan shortest, TimeSpan longest)
{
    private int _failures;

    /// <summary>The longest wait of the link.</summary>
    public static Backoff OfLink() => new(TimeSpan.FromSeconds(0.2), TimeSpan.FromSeconds(5));

    /// <summary>After a success the next wait is the shortest again.</summary>
    public void Reset() => _failures = 0;

    /// <summary>The next wait: doubled each time, then taken between half and whole at random, so that nodes do not come in step.</summary>
    public TimeSpan Next()
    {
        var whole = Math.Min(shortest.TotalSeconds * Math.Pow(2, Math.Min(_failures++, 30)), longest.TotalSeconds);
        return TimeSpan.FromSeconds(Math.Max(shortest.TotalSeconds, whole * (0.5 + (Random.Shared.NextDouble() / 2))));
    }
}
