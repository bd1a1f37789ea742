using Groundcrew.Daemon.Wiring;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Tests;

/// <summary>Puts samples into the store of a control plane.</summary>
internal static class Samples
{
    /// <summary>The moment of the last sample, in milliseconds; whole seconds, so that it stands in a query as a number.</summary>
    public static readonly long Now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() * 1000;

    /// <summary>The same in seconds.</summary>
    public static long Seconds => Now / 1000;

    /// <summary>Samples of one series, 15 s apart, the last one at <see cref="Now"/>.</summary>
    public static void Add(this ControlHost host, Labels labels, params ReadOnlySpan<double> values)
    {
        var store = host.Get<Monitoring>().Store;
        var (series, batch) = (store.Resolve(labels.Packed), new SampleBatch());
        for (var i = 0; i < values.Length; i++)
            batch.Add(series, Now - ((values.Length - 1 - i) * 15_000L), values[i]);
        var done = store.Commit(batch);
        if (done.Stored != values.Length)
            throw new InvalidOperationException($"Stored {done.Stored} of {values.Length}: {done.FirstRefused} {done.Failure}");
    }
}
