using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace Groundcrew.Edge;

/// <summary>
/// The memory that connections are read into: blocks of 16 KiB, four times what Kestrel takes by itself, so that a body
/// costs a quarter of the calls of the system. Thread-safe.
/// </summary>
internal sealed class ConnectionMemory : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    private const int BlockBytes = 16 * 1024;

    /// <summary>Blocks that are kept for the next who asks; more are left to the collector.</summary>
    private const int MostKept = 1024;
    private readonly ConcurrentQueue<Block> _kept = new();
    private int _count;

    /// <inheritdoc/>
    public override int MaxBufferSize => BlockBytes;

    /// <summary>One pool for all that ask: blocks go to where they are needed.</summary>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    /// <inheritdoc/>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        if (!_kept.TryDequeue(out var block))
            return new Block(this);
        Interlocked.Decrement(ref _count);
        return block.Lent();
    }

    /// <summary>Those who share it dispose it with themselves; it lives on for the others.</summary>
    protected override void Dispose(bool disposing)
    {
    }

    private void Return(Block block)
    {
        if (Interlocked.Increment(ref _count) <= MostKept)
            _kept.Enqueue(block);
        else
            Interlocked.Decrement(ref _count);
    }

    /// <summary>Pinned, so that a pending read need not pin it.</summary>
    private sealed class Block(ConnectionMemory pool) : IMemoryOwner<byte>
    {
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
        private int _isLent = 1;

        public Memory<byte> Memory => _bytes;

        public Block Lent()
        {
            Volatile.Write(ref _isLent, 1);
            return this;
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isLent, 0) == 1)
                pool.Return(this);
        }
    }
}
