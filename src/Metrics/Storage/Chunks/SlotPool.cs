using System.Buffers.Binary;

namespace Groundcrew.Metrics;

/// <summary>
/// The memory of the head's chunks: slots of one size, each with one chunk and the number of the slot with the chunk before
/// it. A cut takes a slot and allocates nothing once there are enough of them. Slots are taken and given back under the
/// head's lock; what stands in a slot that a reader knows may be read without.
/// </summary>
/// <remarks>A slot: slot before (4), count (2), bits (2; both once the chunk is closed), first time (8), first value (8), bits.</remarks>
internal sealed class SlotPool
{
    /// <summary>Bytes of a slot.</summary>
    public const int SlotBytes = 256;

    /// <summary>Bytes before the bits.</summary>
    public const int HeaderBytes = 24;

    /// <summary>Room for bits, in bytes.</summary>
    public const int PayloadBytes = SlotBytes - HeaderBytes;

    private const int SlabShift = 12;
    private const int SlabMask = (1 << SlabShift) - 1;

    // Behind the last slot, because a reader takes eight bytes at once.
    private const int Slack = 8;

    private const int SlabBytes = (SlotBytes << SlabShift) + Slack;

    // Empty slabs that stay for what comes next, so that taking and giving back does not alternate: at least so many, and an eighth.
    private const int KeptSlabs = 8;

    private byte[]?[] _slabs = [];
    private int _slabCount;
    private int[] _free = new int[1024];
    private int _freeCount;
    private int _away;
    private int _next = 1;

    /// <summary>Slots that hold a chunk.</summary>
    public int Used => _next - 1 - _freeCount - _away;

    /// <summary>Bytes of memory taken from the system.</summary>
    public long Bytes => (long)_slabCount * SlabBytes;

    /// <summary>Takes a slot and writes its header.</summary>
    public int Take(int before, long time, long value)
    {
        if (_freeCount == 0 && _away > 0)
            Restore();
        var slot = _freeCount > 0 ? _free[--_freeCount] : _next++;
        if (slot >> SlabShift >= _slabs.Length)
            SetSlab(_slabs.Length, NewSlab());
        var bytes = Of(slot);
        BinaryPrimitives.WriteInt32LittleEndian(bytes, before);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], time);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], value);
        return slot;
    }

    /// <summary>Writes down how long a chunk became.</summary>
    public void Close(int slot, int count, int bits)
    {
        var bytes = Of(slot);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], (ushort)count);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[6..], (ushort)bits);
    }

    /// <summary>Says that a chunk is the oldest now.</summary>
    public void Unlink(int slot) => BinaryPrimitives.WriteInt32LittleEndian(Of(slot), 0);

    /// <summary>Gives a slot back that nobody reads any more.</summary>
    public void Give(int slot)
    {
        if (_freeCount == _free.Length)
            Array.Resize(ref _free, _freeCount * 2);
        _free[_freeCount++] = slot;
    }

    /// <summary>
    /// Gives the memory of slabs back in which no slot is taken, but for a few. Slots of the slabs that are fullest are taken
    /// first from then on, so that others become empty.
    /// </summary>
    public void Trim()
    {
        var free = new int[_slabs.Length];
        foreach (var slot in _free.AsSpan(0, _freeCount))
            free[slot >> SlabShift]++;
        var empty = Enumerable.Range(0, _slabs.Length).Where(slab => _slabs[slab] is not null && free[slab] == SlotsOf(slab)).ToList();
        foreach (var slab in empty.Skip(Math.Max(KeptSlabs, (_slabCount - empty.Count) / 8)))
        {
            _away += free[slab];
            free[slab] = -1;
            SetSlab(slab, null);
        }
        var kept = 0;
        foreach (var slot in _free.AsSpan(0, _freeCount))
            if (free[slot >> SlabShift] >= 0)
                _free[kept++] = slot;
        _freeCount = kept;
        var ranks = new int[kept];
        for (var i = 0; i < kept; i++)
            ranks[i] = -free[_free[i] >> SlabShift];
        ranks.AsSpan().Sort(_free.AsSpan(0, kept));
    }

    public int Before(int slot) => BinaryPrimitives.ReadInt32LittleEndian(Of(slot));

    public int Count(int slot) => BinaryPrimitives.ReadUInt16LittleEndian(Of(slot)[4..]);

    public int BitCount(int slot) => BinaryPrimitives.ReadUInt16LittleEndian(Of(slot)[6..]);

    public long FirstTime(int slot) => BinaryPrimitives.ReadInt64LittleEndian(Of(slot)[8..]);

    public long FirstValue(int slot) => BinaryPrimitives.ReadInt64LittleEndian(Of(slot)[16..]);

    /// <summary>The bytes of the bits.</summary>
    public Span<byte> Payload(int slot) => Of(slot)[HeaderBytes..];

    /// <summary>Unpacks the first samples of a slot.</summary>
    public void Decode(int slot, int count, Span<long> times, Span<double> values)
    {
        var bytes = _slabs[slot >> SlabShift].AsSpan((slot & SlabMask) * SlotBytes, SlotBytes + Slack);
        XorChunk.Decode(bytes[HeaderBytes..], count, FirstTime(slot), FirstValue(slot), times, values);
    }

    private static byte[] NewSlab() => GC.AllocateUninitializedArray<byte>(SlabBytes, pinned: true);

    /// <summary>The slots of a slab that were ever taken; there is no slot zero.</summary>
    private int SlotsOf(int slab) => Math.Min(_next, (slab + 1) << SlabShift) - Math.Max(1, slab << SlabShift);

    private void Restore()
    {
        var slab = Array.IndexOf(_slabs, null);
        SetSlab(slab, NewSlab());
        var first = Math.Max(1, slab << SlabShift);
        for (var slot = first + SlotsOf(slab) - 1; slot >= first; slot--, _away--)
            Give(slot);
    }

    /// <summary>Readers keep the list that they have.</summary>
    private void SetSlab(int slab, byte[]? bytes)
    {
        var slabs = new byte[]?[Math.Max(_slabs.Length, slab + 1)];
        _slabs.CopyTo(slabs, 0);
        slabs[slab] = bytes;
        _slabCount += bytes is null ? -1 : 1;
        Volatile.Write(ref _slabs, slabs);
    }

    private Span<byte> Of(int slot) => Volatile.Read(ref _slabs)[slot >> SlabShift].AsSpan((slot & SlabMask) * SlotBytes, SlotBytes);
}
