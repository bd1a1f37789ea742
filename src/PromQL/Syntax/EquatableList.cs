using System.Collections;
using System.Runtime.CompilerServices;

namespace Groundcrew.PromQL;

/// <summary>A list that cannot change and equals another one with equal elements in the same order. Thread-safe.</summary>
[CollectionBuilder(typeof(EquatableList), nameof(EquatableList.Of))]
public sealed class EquatableList<T> : IReadOnlyList<T>, IEquatable<EquatableList<T>>
{
    private readonly T[] _items;

    internal EquatableList(T[] items) => _items = items;

    /// <inheritdoc/>
    public int Count => _items.Length;

    /// <inheritdoc/>
    public T this[int index] => _items[index];

    /// <summary>The elements.</summary>
    public ReadOnlySpan<T> Span => _items;

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)_items).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _items.GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(EquatableList<T>? other) => other is not null && _items.AsSpan().SequenceEqual(other._items, EqualityComparer<T>.Default);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as EquatableList<T>);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var item in _items)
            hash.Add(item);
        return hash.ToHashCode();
    }
}

/// <summary>Makes lists for collection expressions.</summary>
public static class EquatableList
{
    /// <summary>A list of these elements.</summary>
    public static EquatableList<T> Of<T>(ReadOnlySpan<T> items) => new(items.ToArray());
}
