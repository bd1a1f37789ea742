using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>Writes ranges of the head to blocks. One at a time; commits and readers go on meanwhile.</summary>
internal sealed class HeadCutter(Head head, BlockSet blocks, Committer committer, string folder, DurableFiles files, TimeProvider clock, Action<string> damaged)
{
    // Samples out of order that are in blocks, and still in the head for readers that opened before.
    private readonly List<(Labels Labels, LateSamples Samples)> _written = [];

    /// <summary>Whether samples out of order wait for a block.</summary>
    public bool HasLate(long atLeast) => _written.Count == 0 && head.LateSamples >= atLeast;

    /// <summary>The oldest range that is complete; null when there is none.</summary>
    public (long From, long To)? NextRange(long range)
    {
        head.State.EnterReadLock();
        try
        {
            if (head.MinTime == long.MaxValue || head.MaxTime == long.MinValue)
                return null;
            var to = Begin(head.MinTime, range) + range;
            // Half a range stays open behind the newest sample: the head takes samples that far back.
            return head.MaxTime - to >= range / 2 ? (to - range, to) : null;
        }
        finally
        {
            head.State.ExitReadLock();
        }
    }

    /// <summary>Writes a range to a block, from which it is read from then on.</summary>
    public void Cut(long from, long to)
    {
        lock (committer.Gate)
            head.AppendFloor = Math.Max(head.AppendFloor, to);
        var (views, pin) = Take(from, to - 1);
        try
        {
            var block = Write(views, from, to, to, static (view, from, to, samples) => ReadOrdered(view, from, to, samples));
            head.State.EnterWriteLock();
            // Where nothing was, the next range begins with what there is, as far as that is complete.
            head.SetMinValidLocked(block is not null ? to : Math.Max(to, Math.Min(head.OldestLocked(), Begin(head.MaxTime - ((to - from) / 2), to - from))));
            if (block is not null)
                blocks.Swap([], [block]);
            head.State.ExitWriteLock();
        }
        finally
        {
            head.Unpin(pin);
        }
    }

    /// <summary>Writes the samples that came out of order to blocks of their own; false when there were none.</summary>
    public bool WriteLate(long range)
    {
        var (views, pin) = Take(long.MinValue, long.MaxValue);
        try
        {
            views.RemoveAll(v => v.Late is null);
            if (views.Count == 0)
                return false;
            var written = new List<Block>();
            var last = views.Max(v => v.Late!.Times[^1]);
            for (var from = Begin(views.Min(v => v.Late!.Times[0]), range); from <= last; from += range)
                if (Write(views, from, from + range, long.MinValue, ReadLate) is { } block)
                    written.Add(block);
            head.State.EnterWriteLock();
            blocks.Swap([], written);
            head.SetMinValidLocked(head.MinValid);
            head.State.ExitWriteLock();
            foreach (var view in views)
                _written.Add((view.Labels, view.Late!));
            return true;
        }
        finally
        {
            head.Unpin(pin);
        }
    }

    private static long Begin(long time, long range) => time - (((time % range) + range) % range);

    private static void ReadOrdered(HeadSeriesView view, long from, long to, SampleBuffer samples)
    {
        if (view.Deleted is not { } deleted)
        {
            view.ReadOrdered(from, to, samples);
            return;
        }
        var read = new SampleBuffer();
        view.ReadOrdered(from, to, read);
        SampleMerge.CopyKept(read, deleted, samples);
    }

    private static void ReadLate(HeadSeriesView view, long from, long to, SampleBuffer samples)
    {
        var late = view.Late!;
        for (var i = 0; i < late.Times.Length; i++)
            if (late.Times[i] >= from && late.Times[i] <= to && view.Deleted?.Contains(late.Times[i]) != true)
                late.AddTo(samples, i);
    }

    private (List<HeadSeriesView> Views, long Pin) Take(long from, long to)
    {
        head.State.EnterReadLock();
        var pin = head.PinLocked();
        head.State.ExitReadLock();
        return (head.Select(null, head.MinValid, from, to, [], CancellationToken.None), pin);
    }

    private Block? Write(List<HeadSeriesView> views, long from, long to, long headCut, Action<HeadSeriesView, long, long, SampleBuffer> read)
    {
        using var writer = new BlockWriter(folder, Ids.New(clock).ToString(), from, files);
        var samples = new SampleBuffer();
        foreach (var view in views)
        {
            samples.Clear();
            read(view, from, to - 1, samples);
            if (samples.Count > 0)
                writer.Add(view.Labels, samples);
        }
        if (writer.Samples == 0)
            return null;
        writer.Commit(to, level: 1, headCut, []);
        return Block.Open(writer.Folder, damaged);
    }

    /// <summary>
    /// Frees what is in blocks, unless a reader that opened before those blocks may still look for it here; says whether it
    /// was done, and how many series left.
    /// </summary>
    public bool TryTruncate(out int gone)
    {
        gone = 0;
        lock (committer.Gate)
        {
            head.State.EnterWriteLock();
            try
            {
                if (!head.CanTruncateLocked())
                    return false;
                foreach (var (labels, late) in _written)
                    if (head.Table.Find(labels.Packed, labels.Hash)?.More is { } more)
                    {
                        head.LateSamples -= more.LateCount;
                        more.DropLate(late);
                        head.LateSamples += more.LateCount;
                    }
                _written.Clear();
                gone = head.TruncateLocked();
                return true;
            }
            finally
            {
                head.State.ExitWriteLock();
            }
        }
    }
}
