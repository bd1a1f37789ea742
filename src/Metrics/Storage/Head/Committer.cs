using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// The one way of samples into the head: a batch is judged, written to the log as one record, and only then applied, under
/// one hold of the head's lock. Batches go one after the other.
/// </summary>
internal sealed class Committer(Head head, WriteLog log, StoreOptions options, TimeProvider clock, StoreMetrics metrics)
{
    private readonly LogRecordWriter _record = new();
    private readonly List<HeadSeries> _begun = [];
    private Accepted[] _accepted = new Accepted[1024];
    private int _count;
    private Refusals _refusals;
    private string? _problem;
    private long _minValid, _oldestLate, _newest;

    /// <summary>Held by whoever changes what the head and the log hold.</summary>
    public Lock Gate { get; } = new();

    /// <summary>See <see cref="ISampleSink.Commit"/>.</summary>
    public CommitResult Commit(SampleBatch batch)
    {
        lock (Gate)
        {
            Begin();
            var taken = 0;
            foreach (ref readonly var entry in batch.Entries)
                if (Judge(in entry) is var why && why == SampleRefusal.None)
                    taken++;
                else
                    _refusals.Add(why, entry.Series.Labels, entry.Time);
            metrics.Count(_refusals);
            try
            {
                if (_count > 0)
                    log.Append(Encode(), _count);
            }
            catch (IOException e)
            {
                TakeBack();
                metrics.LogWriteFailures.Add();
                return new(0, 0, null, null, $"The write log takes nothing: {e.Message}");
            }
            if (_count > 0)
                Apply();
            metrics.Appended(_count);
            if (_begun.Count > 0)
                metrics.SeriesCreated.Add(_begun.Count);
            return new(taken, _begun.Count, _refusals.Counts, _refusals.First, null) { HistogramProblem = _problem };
        }
    }

    private void Begin()
    {
        _count = 0;
        _begun.Clear();
        (_refusals, _problem) = (default, null);
        var range = (long)options.BlockRange.TotalMilliseconds;
        var isEmpty = head.MaxTime == long.MinValue;
        _minValid = Math.Max(head.AppendFloor, Math.Max(head.MinValid, isEmpty ? long.MinValue : head.MaxTime - range / 2));
        _oldestLate = isEmpty || options.OutOfOrderWindow <= TimeSpan.Zero ? long.MaxValue : head.MaxTime - (long)options.OutOfOrderWindow.TotalMilliseconds;
        _newest = (clock.GetUtcNow() + options.MaxAhead).ToUnixTimeMilliseconds();
    }

    private SampleRefusal Judge(in SampleBatch.Entry entry)
    {
        var (handle, time, histogram) = ((HeadSeries)entry.Series, entry.Time, entry.Histogram);
        var value = BitConverter.DoubleToInt64Bits(entry.Value);
        if (time > _newest)
            return SampleRefusal.TooNew;
        if (histogram?.Validate() is { } problem)
        {
            _problem ??= problem;
            return SampleRefusal.InvalidHistogram;
        }
        var series = handle.Id != 0 ? handle : InHead(handle);
        var late = false;
        if (time < _minValid || (series is not null && time <= LastTimeOf(series)))
        {
            if (series is not null && time == LastTimeOf(series) && time >= _minValid)
                return IsRepeated(series, value, histogram) ? SampleRefusal.None : SampleRefusal.Duplicate;
            if (options.OutOfOrderWindow <= TimeSpan.Zero)
                return time < _minValid ? SampleRefusal.OutOfBounds : SampleRefusal.OutOfOrder;
            if (time < _oldestLate)
                return SampleRefusal.TooOld;
            if (series?.More is { } more && more.HasLate(time, value, histogram, out var isSame))
                return isSame ? SampleRefusal.None : SampleRefusal.Duplicate;
            late = true;
        }
        if (series is null && (series = Register(handle)) is null)
            return SampleRefusal.SeriesLimit;
        Accept(series, time, value, histogram, late);
        return SampleRefusal.None;
    }

    /// <summary>The series of a handle that is in the head under another object, because that one came first.</summary>
    private HeadSeries? InHead(HeadSeries handle)
    {
        if (handle.StandIn is { Id: not 0 } standIn)
            return standIn;
        handle.StandIn = head.Table.Find(handle.Labels.Packed, handle.Labels.Hash);
        return handle.StandIn;
    }

    private HeadSeries? Register(HeadSeries series)
    {
        if (head.Table.Count >= options.MaxSeries)
            return null;
        head.State.EnterWriteLock();
        head.Table.Add(series);
        head.State.ExitWriteLock();
        _begun.Add(series);
        return series;
    }

    private long LastTimeOf(HeadSeries series) => LastOf(series) is >= 0 and var at ? _accepted[at].Time : series.LastTime;

    /// <summary>Where the last sample in order of a series is in this batch, or -1.</summary>
    private int LastOf(HeadSeries series) => series.Scratch < _count && ReferenceEquals(_accepted[series.Scratch].Series, series) ? series.Scratch : -1;

    private bool IsRepeated(HeadSeries series, long value, FloatHistogram? histogram)
    {
        var at = LastOf(series);
        var (lastValue, last) = at >= 0 ? (_accepted[at].Value, _accepted[at].Histogram) : (series.Open.Value, series.More?.LastHistogram);
        return histogram is null ? last is null && lastValue == value : last is not null && HistogramLayout.SameSample(last, histogram);
    }

    private void Accept(HeadSeries series, long time, long value, FloatHistogram? histogram, bool late)
    {
        if (_count == _accepted.Length)
            Array.Resize(ref _accepted, _count * 2);
        _accepted[_count] = new(series, time, value, histogram, late);
        if (!late)
            series.Scratch = _count;
        _count++;
    }

    private ReadOnlySpan<byte> Encode()
    {
        _record.Begin();
        foreach (var series in _begun)
            _record.Series(series.Id, series.Labels.Packed);
        foreach (ref readonly var sample in _accepted.AsSpan(0, _count))
            if (sample.Histogram is { } histogram)
                _record.Histogram(sample.Series.Id, sample.Time, histogram, sample.Late);
            else
                _record.Float(sample.Series.Id, sample.Time, sample.Value, sample.Late);
        return _record.End();
    }

    private void Apply()
    {
        head.State.EnterWriteLock();
        try
        {
            foreach (var series in _begun)
                head.Postings.Add(series);
            var isRead = head.Later.BeginLocked(_count);
            foreach (ref readonly var sample in _accepted.AsSpan(0, _count))
            {
                if (sample.Late)
                {
                    if (head.AppendLateLocked(sample.Series, sample.Time, sample.Value, sample.Histogram) && isRead)
                        head.Later.NoteLateLocked(sample.Series, sample.Time);
                    continue;
                }
                if (isRead)
                    head.Later.NoteLocked(sample.Series);
                if (sample.Histogram is { } histogram)
                    head.AppendLocked(sample.Series, sample.Time, histogram);
                else
                    head.AppendLocked(sample.Series, sample.Time, sample.Value);
            }
        }
        finally
        {
            head.State.ExitWriteLock();
        }
    }

    /// <summary>Nothing of the batch was stored, so no series began.</summary>
    private void TakeBack()
    {
        head.State.EnterWriteLock();
        foreach (var series in _begun)
            head.Table.Remove(series);
        head.State.ExitWriteLock();
        _count = 0;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Accepted(HeadSeries Series, long Time, long Value, FloatHistogram? Histogram, bool Late);
}

/// <summary>What was refused of a batch.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct Refusals
{
    /// <summary>How many there are of each kind; null when none was refused.</summary>
    public int[]? Counts { get; private set; }

    /// <summary>The first.</summary>
    public (SampleRefusal Why, Labels Series, long Time)? First { get; private set; }

    /// <summary>Counts one.</summary>
    public void Add(SampleRefusal why, Labels series, long time)
    {
        Counts ??= new int[(int)SampleRefusal.SeriesLimit + 1];
        Counts[(int)why]++;
        First ??= (why, series, time);
    }
}
