using System.Buffers;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// A segment of the log as it comes, in pooled memory that grows with it. One appends; others may read meanwhile what was
/// appended before.
/// </summary>
internal sealed class WalSegment(uint timeline, Lsn start) : IDisposable
{
    private const int ChunkBytes = 256 * 1024;
    private readonly byte[]?[] _chunks = new byte[Lsn.SegmentBytes / ChunkBytes][];
    private int _filled;
    private bool _isClosed;

    /// <summary>The timeline.</summary>
    public uint Timeline => timeline;

    /// <summary>Its first place.</summary>
    public Lsn Start => start;

    /// <summary>How many bytes came.</summary>
    public int Filled => Volatile.Read(ref _filled);

    /// <summary>Behind the last byte that came.</summary>
    public Lsn End => start + Filled;

    /// <summary>Whether all of it came.</summary>
    public bool IsFull => Filled == Lsn.SegmentBytes;

    /// <summary>Whether nothing more will come, though it may not be full: its timeline ended, or a gap follows.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed) || IsFull;

    /// <summary>How many of its bytes the storage has. Only of whoever stores it.</summary>
    public int Stored { get; set; }

    /// <summary>Whether it is being stored as a whole, or was. Only of whoever stores it.</summary>
    public bool IsDone { get; set; }

    /// <summary>Its parts in the storage, which go when the whole is there. Only of whoever stores it.</summary>
    public List<string> Parts { get; } = [];

    /// <summary>Everything that was acknowledged before lies before <see cref="End"/>, as far as the parts say. Only of whoever stores it.</summary>
    public DateTimeOffset? CaughtUpAt { get; set; }

    /// <summary>What the storage has of it already, to be compared with what comes; null when that is not known.</summary>
    public byte[]? Expected { get; init; }

    /// <summary>Adds what fits in; returns how much that was.</summary>
    /// <exception cref="DivergedException">It is not what the storage has.</exception>
    public int Append(ReadOnlySpan<byte> bytes)
    {
        var taken = Math.Min(bytes.Length, Lsn.SegmentBytes - _filled);
        bytes = bytes[..taken];
        if (Expected is { } expected && _filled < expected.Length)
        {
            var same = Math.Min(taken, expected.Length - _filled);
            var equal = bytes[..same].CommonPrefixLength(expected.AsSpan(_filled, same));
            if (equal < same)
                throw new DivergedException(timeline, End + equal);
        }
        for (var at = _filled; bytes.Length > 0;)
        {
            var chunk = _chunks[at / ChunkBytes] ??= ArrayPool<byte>.Shared.Rent(ChunkBytes);
            var part = Math.Min(bytes.Length, ChunkBytes - at % ChunkBytes);
            bytes[..part].CopyTo(chunk.AsSpan(at % ChunkBytes));
            at += part;
            bytes = bytes[part..];
        }
        Volatile.Write(ref _filled, _filled + taken);
        return taken;
    }

    /// <summary>Nothing more will come.</summary>
    public void Close() => Volatile.Write(ref _isClosed, true);

    /// <summary>The same segment to be received once more, by another connection, and compared with what the storage has of it.</summary>
    public WalSegment Again()
    {
        var known = Math.Min(Stored, Filled);
        var expected = new byte[known];
        for (var at = 0; at < known; at += ChunkBytes)
            _chunks[at / ChunkBytes].AsSpan(0, Math.Min(ChunkBytes, known - at)).CopyTo(expected.AsSpan(at));
        var again = new WalSegment(Timeline, Start) { Expected = known < Stored ? Expected : expected, Stored = Stored, CaughtUpAt = CaughtUpAt };
        again.Parts.AddRange(Parts);
        return again;
    }

    /// <summary>Writes bytes of it that came.</summary>
    public async Task WriteAsync(Stream to, int from, int until, CancellationToken cancellation)
    {
        for (var at = from; at < until;)
        {
            var part = Math.Min(until - at, ChunkBytes - at % ChunkBytes);
            await to.WriteAsync(_chunks[at / ChunkBytes].AsMemory(at % ChunkBytes, part), cancellation);
            at += part;
        }
    }

    /// <summary>Gives the memory back; nobody may read it any more.</summary>
    public void Dispose()
    {
        for (var i = 0; i < _chunks.Length; i++)
        {
            if (_chunks[i] is { } chunk)
                ArrayPool<byte>.Shared.Return(chunk);
            _chunks[i] = null;
        }
    }
}

/// <summary>The server's log is another than the archive's, at a place that both have.</summary>
internal sealed class DivergedException(uint timeline, Lsn at)
    : Exception($"The server's log differs from its archive at {at} of timeline {timeline}: two servers wrote on one timeline, or this one lost what it had made durable. Nothing more is archived, so that nothing is mixed. Promote the right server (which begins a timeline), or give the cluster an archive of another name.");
