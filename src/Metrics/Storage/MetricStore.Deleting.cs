namespace Groundcrew.Metrics;

/// <summary>How samples are deleted.</summary>
public sealed partial class MetricStore
{
    /// <summary>
    /// Deletes the samples from <paramref name="from"/> to <paramref name="to"/> (both included, milliseconds) of the series
    /// that fulfil all matchers. They are gone from answers at once, and from the disk when their blocks are merged or
    /// <see cref="CleanTombstones"/> is called. Samples that come later are not touched. Throws the
    /// <see cref="IOException"/>s of the file system.
    /// </summary>
    /// <returns>In how many places series were found: the head and each block count for themselves.</returns>
    public int Delete(IReadOnlyList<LabelMatcher> matchers, long from, long to)
    {
        lock (_maintenance)
        {
            var found = DeleteInHead(matchers, from, to);
            foreach (var block in _blocks.All.Where(b => b.Overlaps(from, to)))
            {
                var deleted = block.Deleted.ToDictionary();
                var series = block.Index.Select(matchers, CancellationToken.None);
                foreach (var number in series)
                    deleted[number] = TimeRanges.With(deleted.GetValueOrDefault(number), from, to);
                if (series.Count > 0)
                    block.Delete(deleted, _files);
                found += series.Count;
            }
            return found;
        }
    }

    /// <summary>Writes the blocks anew of which something was deleted; gives how many. Throws the <see cref="IOException"/>s of the file system.</summary>
    public int CleanTombstones()
    {
        lock (_maintenance)
        {
            var touched = _blocks.All.Where(b => b.Deleted.Count > 0).ToList();
            foreach (var block in touched)
                Merge([block]);
            return touched.Count;
        }
    }

    private int DeleteInHead(IReadOnlyList<LabelMatcher> matchers, long from, long to)
    {
        lock (_committer.Gate)
        {
            List<(int Id, long To)> found = [];
            _head.State.EnterReadLock();
            try
            {
                foreach (var id in _head.Postings.Select(matchers, CancellationToken.None))
                {
                    var series = _head.Table.Of(id)!;
                    var last = series.More is { LateCount: > 0 } more ? Math.Max(series.LastTime, more.LateTimes[^1]) : series.LastTime;
                    if (last >= from)
                        found.Add((id, Math.Min(to, last)));
                }
            }
            finally
            {
                _head.State.ExitReadLock();
            }
            if (found.Count == 0)
                return 0;
            var record = new LogRecordWriter();
            record.Begin();
            foreach (var (id, end) in found)
                record.Deleted(id, from, end);
            _log.Append(record.End(), 0);
            _head.State.EnterWriteLock();
            foreach (var (id, end) in found)
                _head.Deleted[id] = TimeRanges.With(_head.Deleted.GetValueOrDefault(id), from, end);
            _head.State.ExitWriteLock();
            return found.Count;
        }
    }
}
