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

    private byte[][] _slabs = [];
    private int[] _free = new int[1024];
    private int _freeCount;
    private int _next = 1;

    /// <summary>Slots that hold a chunk.</summary>
    public int Used => _next - 1 - _freeCount;

    /// <summary>Bytes of memory taken from the system.</summary>
    public long Bytes => (long)_slabs.Length * ((SlotBytes << SlabShift) + Slack);

    /// <summary>Takes a slot and writes its header.</summary>
    public int Take(int before, long time, long value)
    {
        var slot = _freeCount > 0 ? _free[--_freeCount] : _next++;
        if (slot >> SlabShift >= _slabs.Length)
        {
            var slabs = new byte[_slabs.Length + 1][];
            _slabs.CopyTo(slabs, 0);
            slabs[^1] = GC.AllocateUninitializedArray<byte>((SlotBytes << SlabShift) + Slack, pinned: true);
            Volatile.Write(ref _slabs, slabs);
        }
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

    private Span<byte> Of(int slot) => Volatile.Read(ref _slabs)[slot >> SlabShift].AsSpan((slot & SlabMask) * SlotBytes, SlotBytes);
}
