using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// Labels while they are put together, in buffers that are used again and again: what parsers and decoders fill, what
/// relabelling changes, and what is packed in the end. Allocates nothing once it has grown; not thread-safe.
/// </summary>
internal sealed class LabelDraft
{
    private readonly Comparison<Entry> _byName;
    private byte[] _text = new byte[1024];
    private byte[] _packed = new byte[1024];
    private Entry[] _entries = new Entry[32];
    private int _length;

    public LabelDraft() => _byName = (a, b) => NameOf(a).SequenceCompareTo(NameOf(b));

    public int Count { get; private set; }

    public ReadOnlySpan<byte> NameAt(int index) => NameOf(_entries[index]);

    public ReadOnlySpan<byte> ValueAt(int index) => ValueOf(_entries[index]);

    public void Clear() => (Count, _length) = (0, 0);

    /// <summary>Begins again with the labels of a set.</summary>
    public void Load(ReadOnlySpan<byte> packed)
    {
        Clear();
        while (!packed.IsEmpty)
        {
            var name = LabelText.TakeCounted(ref packed);
            Add(name, LabelText.TakeCounted(ref packed));
        }
    }

    /// <summary>Adds a label without looking whether there is one of its name; an empty value stays until it is packed.</summary>
    public void Add(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (Count == _entries.Length)
            Array.Resize(ref _entries, Count * 2);
        _entries[Count++] = new(Keep(name), name.Length, Keep(value), value.Length);
    }

    /// <summary>Adds a label whose name and value carry the escapes of the exposition formats.</summary>
    public void AddEscaped(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Add(name, value);
        ref var entry = ref _entries[Count - 1];
        entry = entry with { NameLength = Unescape(_text.AsSpan(entry.Name, entry.NameLength)), ValueLength = Unescape(_text.AsSpan(entry.Value, entry.ValueLength)) };
    }

    /// <summary>Where a name stands, or -1.</summary>
    public int Find(ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < Count; i++)
            if (name.SequenceEqual(NameAt(i)))
                return i;
        return -1;
    }

    /// <summary>The value of a label; empty when it is absent.</summary>
    public ReadOnlySpan<byte> Get(ReadOnlySpan<byte> name) => Find(name) is >= 0 and var index ? ValueAt(index) : default;

    public string Get(string name) => Encoding.UTF8.GetString(Get(Encoding.UTF8.GetBytes(name)));

    /// <summary>Sets a label; an empty value removes it.</summary>
    public void Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var index = Find(name);
        if (value.IsEmpty)
        {
            if (index >= 0)
                RemoveAt(index);
        }
        else if (index < 0)
        {
            Add(name, value);
        }
        else
        {
            _entries[index] = _entries[index] with { Value = Keep(value), ValueLength = value.Length };
        }
    }

    public void Set(string name, string value) => Set(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(value));

    /// <summary>Removes a label; the others keep their order.</summary>
    public void RemoveAt(int index)
    {
        Count--;
        Array.Copy(_entries, index + 1, _entries, index, Count - index);
    }

    /// <summary>
    /// The labels as they are stored: in order and without empty values. Good until the draft is used again. Tells where a
    /// name stands twice, or -1.
    /// </summary>
    public ReadOnlySpan<byte> Pack(out int repeated)
    {
        repeated = -1;
        var entries = _entries.AsSpan(0, Count);
        Sort(entries);
        var needed = 0;
        foreach (var entry in entries)
            needed += LabelText.CountedLength(entry.NameLength) + LabelText.CountedLength(entry.ValueLength);
        if (_packed.Length < needed)
            _packed = new byte[Math.Max(needed, _packed.Length * 2)];
        var at = 0;
        for (var i = 0; i < entries.Length; i++)
        {
            if (i > 0 && NameAt(i).SequenceEqual(NameAt(i - 1)))
                repeated = i;
            if (entries[i].ValueLength == 0)
                continue;
            at += LabelText.WriteCounted(_packed.AsSpan(at), NameAt(i));
            at += LabelText.WriteCounted(_packed.AsSpan(at), ValueAt(i));
        }
        return _packed.AsSpan(0, at);
    }

    public ReadOnlySpan<byte> Pack() => Pack(out _);

    public Labels ToLabels() => Labels.FromPacked(Pack());

    /// <summary>Replaces <c>\\</c>, <c>\"</c> and <c>\n</c> in place; gives the length that is left.</summary>
    public static int Unescape(Span<byte> text)
    {
        var from = text.IndexOf((byte)'\\');
        if (from < 0)
            return text.Length;
        var to = from;
        for (; from < text.Length; from++)
        {
            var here = text[from];
            if (here == '\\' && from + 1 < text.Length && text[from + 1] is (byte)'\\' or (byte)'"' or (byte)'n')
                here = text[++from] == 'n' ? (byte)'\n' : text[from];
            text[to++] = here;
        }
        return to;
    }

    // Most sets come in order already, and small ones are sorted fastest by insertion.
    private void Sort(Span<Entry> entries)
    {
        if (entries.Length > 24)
        {
            entries.Sort(_byName);
            return;
        }
        for (var i = 1; i < entries.Length; i++)
            for (var j = i; j > 0 && NameOf(entries[j]).SequenceCompareTo(NameOf(entries[j - 1])) < 0; j--)
                (entries[j], entries[j - 1]) = (entries[j - 1], entries[j]);
    }

    private int Keep(ReadOnlySpan<byte> piece)
    {
        var at = _length;
        if (_text.Length < at + piece.Length)
        {
            // The piece may lie in the old buffer, which stays alive while it is copied.
            var grown = new byte[Math.Max(at + piece.Length, _text.Length * 2)];
            _text.AsSpan(0, at).CopyTo(grown);
            _text = grown;
        }
        piece.CopyTo(_text.AsSpan(at));
        _length += piece.Length;
        return at;
    }

    private ReadOnlySpan<byte> NameOf(Entry entry) => _text.AsSpan(entry.Name, entry.NameLength);

    private ReadOnlySpan<byte> ValueOf(Entry entry) => _text.AsSpan(entry.Value, entry.ValueLength);

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(int Name, int NameLength, int Value, int ValueLength);
}
