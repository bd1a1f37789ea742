using System.Buffers.Binary;
using System.IO.Compression;

namespace Groundcrew.Postgres;

/// <summary>Compresses as RFC 1952 says.</summary>
internal sealed class GzipStage : PieceStage
{
    // By measurement: three times as fast as the usual 6, for a twentieth more bytes of what a database writes.
    private static readonly ZLibCompressionOptions Options = new() { CompressionLevel = 3 };

    /// <summary>A member without content: the compressor writes nothing at all when it was given nothing.</summary>
    private static readonly byte[] EmptyMember = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly Outlet _outlet;
    private readonly GZipStream _gzip;

    /// <summary>Before another stage.</summary>
    public GzipStage(PieceStage next)
    {
        _outlet = new(next);
        _gzip = new(_outlet, Options, leaveOpen: true);
    }

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _gzip.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override async Task FinishAsync(CancellationToken cancellation)
    {
        await _gzip.DisposeAsync();
        if (_outlet.IsEmpty)
            await _outlet.WriteAsync(EmptyMember, cancellation);
        await _outlet.Next.FinishAsync(cancellation);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        // The compressor would write its end, which belongs to nothing any more.
        _outlet.IsClosed = true;
        await _gzip.DisposeAsync();
        await _outlet.Next.DisposeAsync();
        await base.DisposeAsync();
    }

    private sealed class Outlet(PieceStage next) : ObjectWriteStream
    {
        public PieceStage Next => next;

        public bool IsEmpty { get; private set; } = true;

        public bool IsClosed { get; set; }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (IsClosed)
                return ValueTask.CompletedTask;
            IsEmpty = false;
            return next.WriteAsync(buffer, cancellationToken);
        }
    }
}

/// <summary>
/// Decompresses RFC 1952, one member to its very end: the runtime's own stream ends quietly where its input is cut off, so the
/// length at the end of the input is compared with what came out. Not thread-safe.
/// </summary>
internal sealed class GzipReadStream : ObjectReadStream
{
    private const int LeastBytes = 18;
    private readonly string _key;
    private readonly Inlet _inlet;
    private readonly GZipStream _gzip;
    private uint _length;
    private bool _isAtEnd;

    /// <summary>Over the compressed bytes.</summary>
    public GzipReadStream(Stream inner, string key)
    {
        _key = key;
        _inlet = new(inner);
        _gzip = new(_inlet, CompressionMode.Decompress, leaveOpen: true);
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_isAtEnd || buffer.IsEmpty)
            return 0;
        try
        {
            var read = await _gzip.ReadAsync(buffer, cancellationToken);
            _length += (uint)read;
            if (read == 0)
            {
                await _inlet.DrainAsync(cancellationToken);
                if (_inlet.Bytes < LeastBytes || _inlet.LastWord != _length)
                    throw new InvalidDataException("It is cut off, or goes on behind its end.");
                _isAtEnd = true;
            }
            return read;
        }
        catch (InvalidDataException e)
        {
            throw new BackupStorageException(StorageFailure.Damaged, $"'{_key}' cannot be decompressed: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _gzip.DisposeAsync();
        await _inlet.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _gzip.Dispose();
        _inlet.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Remembers the last four bytes that went through: the length, little-endian.</summary>
    private sealed class Inlet(Stream inner) : ObjectReadStream
    {
        private ulong _last;

        public long Bytes { get; private set; }

        public uint LastWord => BinaryPrimitives.ReverseEndianness((uint)_last);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            Bytes += read;
            foreach (var b in buffer.Span[Math.Max(0, read - 4)..read])
                _last = _last << 8 | b;
            return read;
        }

        public async Task DrainAsync(CancellationToken cancellation)
        {
            var rest = new byte[4096];
            while (await ReadAsync(rest, cancellation) > 0)
            {
                // Only what the bytes leave behind matters.
            }
        }

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
