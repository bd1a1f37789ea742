using System.Buffers;
using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// The series of one target, found by the text that the target writes for them; and which of them are alive. Targets write the same
/// series in the same order, so the next one is guessed and one comparison confirms it; only a wrong guess costs a lookup. A series
/// costs its text and a few words beside its handle, and no object. One thread at a time.
/// </summary>
internal sealed class SeriesCache
{
    private readonly TextIndex _byText = new();
    private readonly TextIndex _byLabels = new();
    private byte[] _text = [];
    private ExpositionFormat? _format;
    private int _textLength;
    private Entry[] _entries = [];
    private int _count;
    private int _texts;
    private int _series;
    private int _next;
    private int _pass;
    private int _lastGood;
    private int _aliveBefore;
    private int _aliveAgain;
    private int _touched;
    private int _hits;

    /// <summary>Series that this scrape brought and the one before did not.</summary>
    public int Added { get; private set; }

    /// <summary>How many texts are known.</summary>
    public int Count => _texts;

    /// <summary>The text that comes next if nothing changed; empty when there is no guess.</summary>
    public ReadOnlySpan<byte> Expected => _next < _count ? TextOf(_entries[_next]) : default;

    /// <summary>Whether there are far more texts than series: the target writes the same ones in ever new ways.</summary>
    public bool IsOvergrown => _texts > (2 * _hits) + 1000;

    /// <summary>Says in which format the next texts are; those of another one mean nothing any more.</summary>
    public void Speak(ExpositionFormat format)
    {
        if (_format is { } before && before != format)
            ForgetTexts();
        _format = format;
    }

    public void Begin()
    {
        _pass++;
        (_next, _aliveAgain, _touched, _hits, Added) = (0, 0, 0, 0, 0);
    }

    /// <summary>What <see cref="Expected"/> stands for, once it came.</summary>
    public int TakeExpected() => _next++;

    /// <summary>What a text stands for; false when it is not known.</summary>
    public bool TryGet(ReadOnlySpan<byte> text, out int entry)
    {
        entry = -1;
        for (var probe = _byText.Probe(Labels.HashOf(text)); probe.Next(out var at);)
            if (text.SequenceEqual(TextOf(_entries[at])))
            {
                (entry, _next) = (at, at + 1);
                return true;
            }
        return false;
    }

    /// <summary>Where the samples of an entry go; null when relabelling drops it.</summary>
    public SeriesHandle? HandleOf(int entry) => _entries[_entries[entry].Same].Handle;

    /// <summary>Remembers a text that relabelling drops.</summary>
    public int Drop(ReadOnlySpan<byte> text)
    {
        var at = Append(null, _count);
        Name(at, text);
        return at;
    }

    /// <summary>Remembers a text and the series that it stands for, which other texts may stand for too.</summary>
    public int Add(ReadOnlySpan<byte> text, ReadOnlySpan<byte> packed, ISampleSink sink)
    {
        var hash = Labels.HashOf(packed);
        for (var probe = _byLabels.Probe(hash); probe.Next(out var known);)
            if (packed.SequenceEqual(_entries[known].Handle!.Labels.Packed))
            {
                // A series whose text was forgotten gets this one; otherwise it has several.
                var at = _entries[known].TextLength == 0 ? known : Append(null, known);
                Name(at, text);
                return at;
            }
        var added = Append(sink.Resolve(packed), _count);
        _byLabels.Add(hash, added, HashLabels);
        _series++;
        Name(added, text);
        return added;
    }

    /// <summary>Notes that this scrape brought an entry. Tracked ones become stale when they vanish: their samples have the time of the scrape.</summary>
    public void Touch(int entry, bool tracked)
    {
        ref var series = ref _entries[_entries[entry].Same];
        series.IsTracked = tracked;
        _hits++;
        if (series.Seen == _pass)
            return;
        (series.Before, series.Seen) = (series.Seen, _pass);
        if (series.Handle is null)
            return;
        _touched++;
        if (_lastGood != 0 && series.Before == _lastGood)
            _aliveAgain++;
        else
            Added++;
    }

    /// <summary>Ends a scrape that is stored: what the one before brought and this one did not, gets a stale marker.</summary>
    public void Keep(SampleBatch batch, long time)
    {
        if (_aliveAgain < _aliveBefore)
            foreach (ref var series in _entries.AsSpan(0, _count))
                if (series.Handle is not null && series.Seen == _lastGood && series.IsTracked)
                    batch.Add(series.Handle, time, StaleMarker.Value);
        // A few of the dead may stay a while: then a target whose series come and go does not make us build all anew each time.
        if (_texts - _hits > 16 + (_hits / 8) || _series - _touched > 16 + (_touched / 8))
            Retain(_pass, withTexts: true);
        (_lastGood, _aliveBefore) = (_pass, _touched);
    }

    /// <summary>Ends a scrape that failed, or the target: all that the last one brought gets a stale marker.</summary>
    public void Fail(SampleBatch batch, long time)
    {
        if (_lastGood != 0)
            foreach (ref var series in _entries.AsSpan(0, _count))
                if (series.Handle is not null && (series.Seen == _lastGood || series.Before == _lastGood) && series.IsTracked)
                    batch.Add(series.Handle, time, StaleMarker.Value);
        // A scrape that fails again and again with ever new series must not grow the cache.
        if (_series > (2 * _aliveBefore) + 1000)
            ForgetTexts();
        (_lastGood, _aliveBefore) = (0, 0);
    }

    /// <summary>Ends a scrape that was broken off: as if it had not begun.</summary>
    public void Abandon()
    {
        foreach (ref var series in _entries.AsSpan(0, _count))
            if (series.Seen == _pass && _pass != _lastGood)
                series.Seen = series.Before;
    }

    /// <summary>Forgets what texts stand for, because relabelling changed; what is alive stays known.</summary>
    public void ForgetTexts() => Retain(_lastGood == 0 ? -1 : _lastGood, withTexts: false);

    private ReadOnlySpan<byte> TextOf(in Entry entry) => _text.AsSpan(entry.TextAt, entry.TextLength);

    private ulong HashText(int entry) => Labels.HashOf(TextOf(_entries[entry]));

    private ulong HashLabels(int entry) => _entries[entry].Handle!.Labels.Hash;

    private int Append(SeriesHandle? handle, int same)
    {
        if (_count == _entries.Length)
            Array.Resize(ref _entries, _count + (_count / 4) + 16);
        _entries[_count] = new() { Handle = handle, Same = same };
        return _count++;
    }

    private void Name(int entry, ReadOnlySpan<byte> text)
    {
        if (_textLength + text.Length > _text.Length)
            Array.Resize(ref _text, checked(_textLength + text.Length + (_text.Length / 4) + 256));
        text.CopyTo(_text.AsSpan(_textLength));
        (_entries[entry].TextAt, _entries[entry].TextLength) = (_textLength, text.Length);
        _textLength += text.Length;
        _texts++;
        _byText.Add(Labels.HashOf(text), entry, HashText);
        _next = entry + 1;
    }

    // Keeps the series that a pass brought, and their texts or none. A text that stands for the series of another entry comes after it.
    private void Retain(int seen, bool withTexts)
    {
        var moved = ArrayPool<int>.Shared.Rent(_count);
        var texts = ArrayPool<byte>.Shared.Rent(_textLength);
        _text.AsSpan(0, _textLength).CopyTo(texts);
        var before = _count;
        (_count, _texts, _series, _textLength, _next) = (0, 0, 0, 0, 0);
        for (var i = 0; i < before; i++)
        {
            var entry = _entries[i];
            var isSeries = entry.Same == i;
            moved[i] = -1;
            if (!(isSeries ? entry.Seen == seen && (withTexts || entry.Handle is not null) : withTexts && moved[entry.Same] >= 0))
                continue;
            moved[i] = _count;
            entry.Same = moved[entry.Same];
            _series += isSeries && entry.Handle is not null ? 1 : 0;
            entry.TextLength = withTexts ? entry.TextLength : 0;
            texts.AsSpan(entry.TextAt, entry.TextLength).CopyTo(_text.AsSpan(_textLength));
            entry.TextAt = _textLength;
            _textLength += entry.TextLength;
            _texts += entry.TextLength > 0 ? 1 : 0;
            _entries[_count++] = entry;
        }
        _entries.AsSpan(_count, before - _count).Clear();
        ArrayPool<int>.Shared.Return(moved);
        ArrayPool<byte>.Shared.Return(texts);
        Shrink();
        Index();
    }

    // A target that became much smaller gives the memory back.
    private void Shrink()
    {
        if (_entries.Length > (2 * _count) + 64)
            Array.Resize(ref _entries, _count);
        if (_text.Length > (2 * _textLength) + 4096)
            Array.Resize(ref _text, _textLength);
    }

    private void Index()
    {
        _byText.Clear(_texts);
        _byLabels.Clear(_series);
        for (var i = 0; i < _count; i++)
        {
            if (_entries[i].TextLength > 0)
                _byText.Add(HashText(i), i, HashText);
            if (_entries[i].Handle is not null)
                _byLabels.Add(HashLabels(i), i, HashLabels);
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Entry
    {
        /// <summary>Where samples go; null when they are dropped, or when <see cref="Same"/> names the entry that knows.</summary>
        public SeriesHandle? Handle;
        public int TextAt;
        public int TextLength;

        /// <summary>The entry of the series: this one, or an earlier one that another text stands for.</summary>
        public int Same;

        /// <summary>The scrape that brought the series last, and the one before that.</summary>
        public int Seen;
        public int Before;
        public bool IsTracked;
    }
}
