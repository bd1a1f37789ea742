using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>What readers ask of the head; each answer is of one moment.</summary>
internal static class HeadSelection
{
    // Fewer are sorted by their labels, without the ranks of all.
    private const int FewSeries = 2_000;

    /// <summary>
    /// The series that fulfil all conditions and may have samples in a range, in the order of their labels.
    /// <paramref name="minValid"/> is <see cref="Head.MinValid"/> when the reader opened: what is older it has from blocks.
    /// <paramref name="moment"/> is when that was; null takes all there is.
    /// </summary>
    public static List<HeadSeriesView> Select(this Head head, ReaderMoment? moment, long minValid, long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation)
    {
        var views = new List<HeadSeriesView>();
        int[]? ranks = null;
        head.State.EnterReadLock();
        try
        {
            moment?.Refresh(head);
            var found = new List<HeadSeries>();
            foreach (var id in head.Postings.Select(matchers, cancellation))
            {
                var series = head.Table.Of(id)!;
                if (!head.MayHold(series, moment?.LastOf(series) ?? series.LastTime, Math.Max(from, minValid), to) && series.More?.HasLate(from, to) != true)
                    continue;
                views.Add(new(head, series, moment, minValid, from, to));
                found.Add(series);
            }
            if (views.Count > FewSeries)
                ranks = head.Ranks.Of(found);
        }
        finally
        {
            head.State.ExitReadLock();
        }
        if (ranks is null)
            views.Sort(static (a, b) => LabelOrder.Compare(a.Labels, b.Labels));
        else
            MemoryExtensions.Sort(ranks.AsSpan(), CollectionsMarshal.AsSpan(views));
        return views;
    }

    /// <summary>Whether a series may have samples in order in a range: a chunk begins before its end, and the newest sample is not before it.</summary>
    private static bool MayHold(this Head head, HeadSeries series, long last, long from, long to)
    {
        if (from > to || last < from || last == HeadSeries.Never)
            return false;
        if (series.More is { } more)
            foreach (var chunk in more.Histograms)
                if (chunk.FirstTime <= to && chunk.LastTime >= from)
                    return true;
        for (var slot = series.Slot; slot != 0; slot = head.Slots.Before(slot))
            if (head.Slots.FirstTime(slot) <= to)
                return true;
        return false;
    }

    /// <summary>Adds the names of labels, or the values of one name, of the series that fulfil all conditions.</summary>
    public static void AddTexts(SeriesIndex index, string? name, IReadOnlyList<LabelMatcher> matchers, HashSet<string> into, CancellationToken cancellation)
    {
        var utf8 = name is null ? null : Encoding.UTF8.GetBytes(name);
        var at = utf8 is null ? 0 : index.FindName(utf8);
        if (at < 0)
            return;
        if (matchers.Count > 0)
        {
            foreach (var series in index.Select(matchers, cancellation))
                AddOf(index.LabelsOf(series), utf8, into);
            return;
        }
        for (var i = 0; i < (utf8 is null ? index.NameCount : index.ValueCount(at)); i++)
            into.Add(Encoding.UTF8.GetString(utf8 is null ? index.NameAt(i) : index.ValueAt(at, i)));
    }

    private static void AddOf(Labels labels, byte[]? name, HashSet<string> into)
    {
        if (name is null)
        {
            foreach (var label in labels)
                into.Add(label.Name);
        }
        else if (labels.TryGet(name, out var value))
            into.Add(Encoding.UTF8.GetString(value));
    }
}
