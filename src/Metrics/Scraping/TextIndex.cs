using System.Numerics;
using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>Finds numbers by hashes: a table of nothing but these numbers, which whoever asks compares with what it looks for. One thread at a time.</summary>
internal sealed class TextIndex
{
    // A number and one, or zero for a free place; open addressing, step one.
    private int[] _places = [];
    private int _count;

    /// <summary>Forgets all and makes room for so many.</summary>
    public void Clear(int capacity)
    {
        var places = capacity == 0 ? 0 : SizeFor(capacity);
        if (_places.Length == places)
            Array.Clear(_places);
        else
            _places = places == 0 ? [] : new int[places];
        _count = 0;
    }

    /// <summary>Adds a number. When the table grows, the hashes of those that it has are asked again.</summary>
    public void Add(ulong hash, int number, Func<int, ulong> hashOf)
    {
        if (SizeFor(_count + 1) > _places.Length)
        {
            var old = _places;
            _places = new int[SizeFor(_count + 1)];
            foreach (var place in old)
                if (place != 0)
                    Insert(hashOf(place - 1), place);
        }
        Insert(hash, number + 1);
        _count++;
    }

    /// <summary>The numbers that may have this hash.</summary>
    public Probing Probe(ulong hash) => new(_places, (int)hash);

    private void Insert(ulong hash, int place)
    {
        var mask = _places.Length - 1;
        var at = (int)hash & mask;
        while (_places[at] != 0)
            at = (at + 1) & mask;
        _places[at] = place;
    }

    // At most four of five places are taken.
    private static int SizeFor(int count) => (int)BitOperations.RoundUpToPowerOf2((uint)(count + (count / 4) + 4));

    [StructLayout(LayoutKind.Auto)]
    public ref struct Probing(ReadOnlySpan<int> places, int at)
    {
        private readonly ReadOnlySpan<int> _places = places;
        private int _at = at;

        public bool Next(out int number)
        {
            number = _places.IsEmpty ? -1 : _places[_at++ & (_places.Length - 1)] - 1;
            return number >= 0;
        }
    }
}
