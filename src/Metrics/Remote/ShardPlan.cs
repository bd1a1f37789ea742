namespace Groundcrew.Metrics;

/// <summary>How many requests should go on at once, from how fast samples come and go. Pure.</summary>
internal static class ShardPlan
{
    /// <summary>
    /// As many as the sending of what comes takes, and of a twentieth of what waits each second; the number stays as it is while it is
    /// within 30 percent of that.
    /// </summary>
    /// <param name="now">How many there are.</param>
    /// <param name="inRate">Samples that come, each second.</param>
    /// <param name="outRate">Samples that went out, each second.</param>
    /// <param name="sendingRate">Seconds of sending in each second, over all shards.</param>
    /// <param name="waiting">Samples that wait.</param>
    /// <param name="queue">The bounds.</param>
    public static int Desired(int now, double inRate, double outRate, double sendingRate, double waiting, QueueConfig queue)
    {
        if (outRate <= 0)
            return now;
        var wanted = sendingRate / outRate * (inRate + (0.05 * waiting));
        if (wanted >= now * 0.7 && wanted <= now * 1.3)
            return now;
        return (int)Math.Clamp(Math.Ceiling(wanted), queue.MinShards, Math.Max(queue.MinShards, queue.MaxShards));
    }
}
