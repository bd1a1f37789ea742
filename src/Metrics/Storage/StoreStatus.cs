using System.Text;

namespace Groundcrew.Metrics;

/// <summary>A name and how much of it there is.</summary>
/// <param name="Name">Of a metric, of a label, or <c>name=value</c>.</param>
/// <param name="Value">How much.</param>
public sealed record StoreCount(string Name, long Value);

/// <summary>How the head of a store looks, as Prometheus' <c>/api/v1/status/tsdb</c> tells it.</summary>
/// <param name="Series">Series in the head.</param>
/// <param name="LabelPairs">Different pairs of name and value.</param>
/// <param name="Chunks">Chunks in the head.</param>
/// <param name="MinTime">The oldest sample of the head in milliseconds; <see cref="long.MaxValue"/> when it is empty.</param>
/// <param name="MaxTime">The newest; <see cref="long.MinValue"/> when it is empty.</param>
/// <param name="Blocks">Blocks that are served.</param>
/// <param name="BlockBytes">Their size.</param>
/// <param name="SeriesByMetricName">The metrics with the most series.</param>
/// <param name="ValuesByLabelName">The labels with the most values.</param>
/// <param name="BytesByLabelName">The labels whose values take the most bytes, each as often as series have it.</param>
/// <param name="SeriesByLabelPair">The pairs that most series have.</param>
public sealed record StoreStatus(
    long Series, long LabelPairs, long Chunks, long MinTime, long MaxTime, int Blocks, long BlockBytes,
    IReadOnlyList<StoreCount> SeriesByMetricName, IReadOnlyList<StoreCount> ValuesByLabelName,
    IReadOnlyList<StoreCount> BytesByLabelName, IReadOnlyList<StoreCount> SeriesByLabelPair);

public sealed partial class MetricStore
{
    /// <summary>How the head looks at this moment, with lists of at most <paramref name="top"/> entries, the largest first.</summary>
    public StoreStatus Status(int top = 10)
    {
        var (byMetric, values, bytes, pairs) = (new Top(top), new Top(top), new Top(top), new Top(top));
        _head.State.EnterReadLock();
        try
        {
            var index = _head.Postings;
            for (var name = 0; name < index.NameCount; name++)
            {
                var (text, isMetric, size) = (Encoding.UTF8.GetString(index.NameAt(name)), index.NameAt(name).SequenceEqual(Labels.MetricNameUtf8), 0L);
                for (var value = 0; value < index.ValueCount(name); value++)
                {
                    var utf8 = index.ValueAt(name, value);
                    var count = index.PostingCount(name, value);
                    size += (long)utf8.Length * count;
                    if (isMetric && byMetric.Takes(count))
                        byMetric.Add(Encoding.UTF8.GetString(utf8), count);
                    if (pairs.Takes(count))
                        pairs.Add($"{text}={Encoding.UTF8.GetString(utf8)}", count);
                }
                values.Add(text, index.ValueCount(name));
                bytes.Add(text, size);
            }
            return new(_head.Table.Count, index.PairCount, _head.ChunkCount, _head.MinTime, _head.MaxTime, _blocks.Count, _blocks.Bytes, byMetric.List, values.List, bytes.List, pairs.List);
        }
        finally
        {
            _head.State.ExitReadLock();
        }
    }

    /// <summary>The largest of many.</summary>
    private sealed class Top(int most)
    {
        private readonly PriorityQueue<string, long> _kept = new();

        public IReadOnlyList<StoreCount> List => [.. _kept.UnorderedItems.Select(i => new StoreCount(i.Element, i.Priority)).OrderByDescending(c => c.Value).ThenBy(c => c.Name, StringComparer.Ordinal)];

        public bool Takes(long value) => _kept.Count < most || (_kept.TryPeek(out _, out var least) && value > least);

        public void Add(string name, long value)
        {
            if (_kept.Count < most)
                _kept.Enqueue(name, value);
            else if (Takes(value))
                _kept.EnqueueDequeue(name, value);
        }
    }
}
