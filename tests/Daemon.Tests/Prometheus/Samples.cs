using Groundcrew.Daemon.Wiring;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Tests;

/// <summary>Puts samples into the store of a control plane, the newest of them at the moment when this was made.</summary>
internal sealed class Samples(ControlHost host)
{
    /// <summary>The moment of the last sample, in milliseconds; whole seconds, so that it stands in a query as a number.</summary>
    public long Now => Seconds * 1000;

    /// <summary>The same in seconds.</summary>
    public long Seconds { get; } = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Samples of one series, 15 s apart, the last one at <see cref="Now"/>.</summary>
    public void Add(Labels labels, params ReadOnlySpan<double> values)
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
