using System.Runtime.InteropServices;
using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>Counts series by what makes them many. Not thread-safe.</summary>
internal sealed class SeriesCounts
{
    public long Series { get; private set; }

    /// <summary>Series of each metric.</summary>
    public Dictionary<string, long> Metrics { get; } = new(StringComparer.Ordinal);

    /// <summary>Series of each label with its value.</summary>
    public Dictionary<(string Name, string Value), long> Pairs { get; } = [];

    public void Add(Labels labels)
    {
        Series++;
        foreach (var label in labels)
        {
            var (name, value) = (label.Name, label.Value);
            CollectionsMarshal.GetValueRefOrAddDefault(Pairs, (name, value), out _)++;
            if (name == Labels.MetricName)
                CollectionsMarshal.GetValueRefOrAddDefault(Metrics, value, out _)++;
        }
    }

    /// <summary>Different values of each label.</summary>
    public IEnumerable<KeyValuePair<string, long>> ValuesOfLabels() => Pairs.Keys.CountBy(p => p.Name).Select(p => KeyValuePair.Create(p.Key, (long)p.Value));

    /// <summary>Bytes of the different values of each label.</summary>
    public IEnumerable<KeyValuePair<string, long>> BytesOfLabels() =>
        Pairs.Keys.GroupBy(p => p.Name).Select(g => KeyValuePair.Create(g.Key, g.Sum(p => (long)Encoding.UTF8.GetByteCount(p.Value))));
}
