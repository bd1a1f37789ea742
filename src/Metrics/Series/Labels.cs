using System.Buffers.Binary;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>
/// The labels of one series: names and values in UTF-8, in the order of names (by bytes, as Prometheus orders them),
/// no name twice, no value empty (an empty value means that the label is absent). Immutable and thread-safe.
/// </summary>
/// <remarks>
/// All of them lie in one array of bytes, for each label the length of its name (LEB128), the name, the length of its
/// value and the value. Equality, hash and the write log work on that array; nothing on the way of a sample makes strings.
/// </remarks>
#pragma warning disable CA1036, MA0097 // Sets are sorted, never asked which is greater.
public sealed class Labels : IEquatable<Labels>, IComparable<Labels>
#pragma warning restore CA1036, MA0097
{
    /// <summary>The label that carries the name of the metric.</summary>
    public const string MetricName = "__name__";

    private readonly byte[] _packed;

    private Labels(byte[] packed, ulong hash) => (_packed, Hash) = (packed, hash);

    /// <summary>No labels at all.</summary>
    public static Labels Empty { get; } = new([], HashOf([]));

    /// <summary><see cref="MetricName"/> in UTF-8.</summary>
    public static ReadOnlySpan<byte> MetricNameUtf8 => "__name__"u8;

    /// <summary>A hash of the whole set; the same for equal sets, within one version of the program on every machine.</summary>
    public ulong Hash { get; }

    /// <summary>The bytes described in the remarks of the class.</summary>
    public ReadOnlySpan<byte> Packed => _packed;

    /// <summary>How many labels there are; counts them.</summary>
    public int Count
    {
        get
        {
            var count = 0;
            foreach (var _ in this)
                count++;
            return count;
        }
    }

    /// <summary>The labels of pairs in any order; pairs with an empty value are left out, a later pair replaces an earlier one of its name.</summary>
    public static Labels Of(params ReadOnlySpan<(string Name, string Value)> pairs)
    {
        var builder = new LabelsBuilder();
        foreach (var (name, value) in pairs)
            builder.Set(name, value);
        return builder.ToLabels();
    }

    /// <summary>Takes over bytes that are packed, ordered and free of empty values already; copies them.</summary>
    public static Labels FromPacked(ReadOnlySpan<byte> packed) => packed.IsEmpty ? Empty : new(packed.ToArray(), HashOf(packed));

    /// <summary>The hash that <see cref="Hash"/> has for these packed bytes.</summary>
    public static ulong HashOf(ReadOnlySpan<byte> packed)
    {
        const ulong first = 0x9E3779B97F4A7C15, second = 0xD6E8FEB86659FD93;
        var hash = first ^ ((ulong)packed.Length * second);
        while (packed.Length >= 8)
        {
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(packed), second);
            packed = packed[8..];
        }
        ulong last = 0;
        for (var i = 0; i < packed.Length; i++)
            last |= (ulong)packed[i] << (8 * i);
        return Fold(hash ^ last, first);

        static ulong Fold(ulong a, ulong b)
        {
            var high = Math.BigMul(a, b, out var low);
            return high ^ low;
        }
    }

    /// <summary>The value of a label; empty when it is absent.</summary>
    public string Get(string name)
    {
        Span<byte> utf8 = stackalloc byte[256];
        var wanted = Encoding.UTF8.GetByteCount(name) <= utf8.Length ? utf8[..Encoding.UTF8.GetBytes(name, utf8)] : Encoding.UTF8.GetBytes(name);
        return TryGet(wanted, out var value) ? Encoding.UTF8.GetString(value) : "";
    }

    /// <summary>The value of a label in UTF-8; empty and false when it is absent.</summary>
    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (var label in this)
            if (label.NameUtf8.SequenceEqual(name))
            {
                value = label.ValueUtf8;
                return true;
            }
        value = default;
        return false;
    }

    /// <summary>Only the labels of these names.</summary>
    public Labels Keep(params ReadOnlySpan<string> names) => Filter(names, keep: true);

    /// <summary>All but the labels of these names.</summary>
    public Labels Without(params ReadOnlySpan<string> names) => Filter(names, keep: false);

    /// <summary>Goes through the labels in the order of their names, without allocating.</summary>
    public Enumerator GetEnumerator() => new(_packed);

    /// <inheritdoc/>
    public bool Equals(Labels? other) => other is not null && Hash == other.Hash && _packed.AsSpan().SequenceEqual(other._packed);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Labels);

    /// <inheritdoc/>
    public override int GetHashCode() => (int)(Hash ^ (Hash >> 32));

    /// <summary>Label by label, first the name, then the value; the shorter set comes first when it begins the longer one.</summary>
    public int CompareTo(Labels? other)
    {
        if (other is null)
            return 1;
        var mine = GetEnumerator();
        var theirs = other.GetEnumerator();
        while (true)
        {
            var more = mine.MoveNext();
            var moreThere = theirs.MoveNext();
            if (!more || !moreThere)
                return more.CompareTo(moreThere);
            var order = mine.Current.NameUtf8.SequenceCompareTo(theirs.Current.NameUtf8);
            if (order == 0)
                order = mine.Current.ValueUtf8.SequenceCompareTo(theirs.Current.ValueUtf8);
            if (order != 0)
                return order;
        }
    }

    /// <summary>As Prometheus writes a set in its messages: <c>{__name__="up", job="api"}</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder("{");
        foreach (var label in this)
        {
            if (text.Length > 1)
                text.Append(", ");
            LabelText.AppendPair(text, label.Name, label.Value);
        }
        return text.Append('}').ToString();
    }

    /// <summary>As people write a series: <c>up{job="api"}</c>; a name that is no plain one stands quoted between the braces.</summary>
    public string ToSeriesText()
    {
        var name = Get(MetricName);
        var plain = name.Length == 0 || LabelText.IsPlainMetricName(name);
        var text = new StringBuilder(plain ? name : "").Append('{');
        var empty = text.Length;
        if (!plain)
            LabelText.AppendQuoted(text, name);
        foreach (var label in this)
        {
            if (label.NameUtf8.SequenceEqual(MetricNameUtf8))
                continue;
            if (text.Length > empty)
                text.Append(", ");
            LabelText.AppendPair(text, label.Name, label.Value);
        }
        if (text.Length == empty && name.Length > 0)
            return name;
        return text.Append('}').ToString();
    }

    private Labels Filter(ReadOnlySpan<string> names, bool keep)
    {
        if (_packed.Length == 0)
            return this;
        var packed = _packed.Length <= 1024 ? stackalloc byte[1024] : new byte[_packed.Length];
        var length = 0;
        foreach (var label in this)
        {
            if (IsAmong(label.NameUtf8, names) != keep)
                continue;
            label.Whole.CopyTo(packed[length..]);
            length += label.Whole.Length;
        }
        return length == _packed.Length ? this : FromPacked(packed[..length]);
    }

    private static bool IsAmong(ReadOnlySpan<byte> name, ReadOnlySpan<string> names)
    {
        foreach (var candidate in names)
            if (System.Text.Ascii.Equals(name, candidate) || (!Ascii.IsValid(name) && Encoding.UTF8.GetString(name) == candidate))
                return true;
        return false;
    }

    /// <summary>One label inside the bytes of its set.</summary>
    public readonly ref struct Label
    {
        internal Label(ReadOnlySpan<byte> whole, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
        {
            Whole = whole;
            NameUtf8 = name;
            ValueUtf8 = value;
        }

        /// <summary>Lengths, name and value as they are packed.</summary>
        public ReadOnlySpan<byte> Whole { get; }

        /// <summary>The name in UTF-8.</summary>
        public ReadOnlySpan<byte> NameUtf8 { get; }

        /// <summary>The value in UTF-8.</summary>
        public ReadOnlySpan<byte> ValueUtf8 { get; }

        /// <summary>The name as a new string.</summary>
        public string Name => Encoding.UTF8.GetString(NameUtf8);

        /// <summary>The value as a new string.</summary>
        public string Value => Encoding.UTF8.GetString(ValueUtf8);
    }

    /// <summary>Goes through packed labels.</summary>
    public ref struct Enumerator
    {
        private ReadOnlySpan<byte> _rest;

        internal Enumerator(ReadOnlySpan<byte> packed) => _rest = packed;

        /// <summary>The label that <see cref="MoveNext"/> came to.</summary>
        public Label Current { get; private set; }

        /// <summary>Goes to the next label; false after the last.</summary>
        public bool MoveNext()
        {
            if (_rest.IsEmpty)
                return false;
            var whole = _rest;
            var name = LabelText.TakeCounted(ref _rest);
            var value = LabelText.TakeCounted(ref _rest);
            Current = new(whole[..^_rest.Length], name, value);
            return true;
        }
    }
}

/// <summary>Makes <see cref="Labels"/> step by step, also from others. Reusable; not thread-safe.</summary>
public sealed class LabelsBuilder
{
    private static readonly Comparer<(byte[] Name, byte[] Value)> ByName = Comparer<(byte[] Name, byte[] Value)>.Create((a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));

    private readonly List<(byte[] Name, byte[] Value)> _labels = [];

    /// <summary>Begins again, with nothing or with the labels of a set.</summary>
    public LabelsBuilder Reset(Labels? from = null)
    {
        _labels.Clear();
        foreach (var label in from ?? Labels.Empty)
            _labels.Add((label.NameUtf8.ToArray(), label.ValueUtf8.ToArray()));
        return this;
    }

    /// <summary>Sets a label; an empty value removes it.</summary>
    public LabelsBuilder Set(string name, string value) => Set(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(value));

    /// <summary>Sets a label; an empty value removes it.</summary>
    public LabelsBuilder Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        for (var i = 0; i < _labels.Count; i++)
            if (name.SequenceEqual(_labels[i].Name))
            {
                if (value.IsEmpty)
                    _labels.RemoveAt(i);
                else
                    _labels[i] = (_labels[i].Name, value.ToArray());
                return this;
            }
        if (!value.IsEmpty)
            _labels.Add((name.ToArray(), value.ToArray()));
        return this;
    }

    /// <summary>Removes a label if it is there.</summary>
    public LabelsBuilder Remove(string name) => Set(name, "");

    /// <summary>The value as it stands now; empty when absent.</summary>
    public string Get(string name)
    {
        var wanted = Encoding.UTF8.GetBytes(name);
        foreach (var (labelName, value) in _labels)
            if (labelName.AsSpan().SequenceEqual(wanted))
                return Encoding.UTF8.GetString(value);
        return "";
    }

    /// <summary>The names as they stand now, in no particular order.</summary>
    public IReadOnlyList<string> Names => [.. _labels.Select(l => Encoding.UTF8.GetString(l.Name))];

    /// <summary>The set as it stands now; the builder may go on.</summary>
    public Labels ToLabels()
    {
        if (_labels.Count == 0)
            return Labels.Empty;
        _labels.Sort(ByName);
        var packed = new byte[_labels.Sum(l => LabelText.CountedLength(l.Name.Length) + LabelText.CountedLength(l.Value.Length))];
        var at = 0;
        foreach (var (name, value) in _labels)
        {
            at += LabelText.WriteCounted(packed.AsSpan(at), name);
            at += LabelText.WriteCounted(packed.AsSpan(at), value);
        }
        return Labels.FromPacked(packed);
    }
}
