using System.Runtime.InteropServices;
using System.Text;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>Counts series by what makes them many. Not thread-safe.</summary>
internal sealed class SeriesCounts
{
    private long _series;

    private readonly Dictionary<string, long> _metrics = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Name, string Value), long> _pairs = [];

    public void Add(Labels labels)
    {
        _series++;
        foreach (var label in labels)
        {
            var (name, value) = (label.Name, label.Value);
            CollectionsMarshal.GetValueRefOrAddDefault(_pairs, (name, value), out _)++;
            if (name == Labels.MetricName)
                CollectionsMarshal.GetValueRefOrAddDefault(_metrics, value, out _)++;
        }
    }

    /// <summary>What was counted, with lists of at most <paramref name="most"/> entries, the largest first.</summary>
    public StoreStatus ToStatus(long from, long to, int most) => new(
        _series, _pairs.Count, 0, from, to, 0, 0,
        Top(_metrics, most), Top(_pairs.Keys.CountBy(p => p.Name).Select(p => KeyValuePair.Create(p.Key, (long)p.Value)), most),
        Top(_pairs.Keys.GroupBy(p => p.Name).Select(g => KeyValuePair.Create(g.Key, g.Sum(p => (long)Encoding.UTF8.GetByteCount(p.Value)))), most),
        Top(_pairs.Select(p => KeyValuePair.Create($"{p.Key.Name}={p.Key.Value}", p.Value)), most));

    private static List<StoreCount> Top(IEnumerable<KeyValuePair<string, long>> counts, int most) =>
        [.. counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Take(most).Select(c => new StoreCount(c.Key, c.Value))];
}
