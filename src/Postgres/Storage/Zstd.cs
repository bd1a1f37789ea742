using System.Buffers;

namespace Groundcrew.Postgres;

/// <summary>
/// Compresses as RFC 8878 says: one frame, with a checksum of its content. What is shorter than a buffer is compressed at once,
/// with tables that fit it.
/// </summary>
internal sealed class ZstdStage : PieceStage
{
    /// <summary>The level of the zstd program.</summary>
    public const int DefaultLevel = 3;

    private const int BufferBytes = 128 * 1024;
    private const int MaxWorkers = 4;

    private readonly PieceStage _next;
    private readonly ZstdLibrary.Compressor _compressor;
    private readonly byte[] _output = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private readonly byte[] _input = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _inputBytes;
    private int _outputBytes;
    private int _isDisposed;

    /// <summary>Before another stage.</summary>
    /// <param name="next">It.</param>
    /// <param name="level">The level, from 1 to 22.</param>
    /// <param name="workers">How many other threads compress; 0 for none. Where the library has no threads, none do.</param>
    public ZstdStage(PieceStage next, int level, int workers)
    {
        _next = next;
        _compressor = ZstdLibrary.NewCompressor();
        if (!ZstdLibrary.TrySet(_compressor, ZstdLibrary.CompressionParameter.Level, level) || !ZstdLibrary.TrySet(_compressor, ZstdLibrary.CompressionParameter.Checksum, 1))
            throw new ArgumentOutOfRangeException(nameof(level), level, "libzstd does not have it.");
        if (workers > 0)
            _ = ZstdLibrary.TrySet(_compressor, ZstdLibrary.CompressionParameter.Workers, workers);
    }

    /// <summary>
    /// How many other threads are worth it on this machine: with them it is faster where there are cores to spare, and takes a third
    /// more of processor time in all.
    /// </summary>
    public static int WorkersHere => Math.Min(Environment.ProcessorCount / 4, MaxWorkers);

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            if (_inputBytes == 0 && buffer.Length >= BufferBytes)
            {
                await CompressAsync(buffer, ZstdLibrary.Directive.Continue, cancellationToken);
                return;
            }
            if (_inputBytes == BufferBytes)
            {
                await CompressAsync(_input.AsMemory(0, BufferBytes), ZstdLibrary.Directive.Continue, cancellationToken);
                _inputBytes = 0;
                continue;
            }
            var taken = Math.Min(buffer.Length, BufferBytes - _inputBytes);
            buffer[..taken].CopyTo(_input.AsMemory(_inputBytes));
            _inputBytes += taken;
            buffer = buffer[taken..];
        }
    }

    /// <inheritdoc/>
    public override async Task FinishAsync(CancellationToken cancellation)
    {
        await CompressAsync(_input.AsMemory(0, _inputBytes), ZstdLibrary.Directive.End, cancellation);
        if (_outputBytes > 0)
            await _next.WriteAsync(_output.AsMemory(0, _outputBytes), cancellation);
        await _next.FinishAsync(cancellation);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        _compressor.Dispose();
        ArrayPool<byte>.Shared.Return(_input);
        ArrayPool<byte>.Shared.Return(_output);
        await _next.DisposeAsync();
        await base.DisposeAsync();
    }

    private async ValueTask CompressAsync(ReadOnlyMemory<byte> input, ZstdLibrary.Directive directive, CancellationToken cancellation)
    {
        while (true)
        {
            var held = ZstdLibrary.Compress(_compressor, input.Span, _output.AsSpan(_outputBytes, BufferBytes - _outputBytes), directive, out var consumed, out var written);
            input = input[consumed..];
            _outputBytes += written;
            if (_outputBytes == BufferBytes)
            {
                await _next.WriteAsync(_output.AsMemory(0, BufferBytes), cancellation);
                _outputBytes = 0;
            }
            if (directive == ZstdLibrary.Directive.End ? held == 0 : input.IsEmpty)
                return;
        }
    }
}

/// <summary>Decompresses one frame of RFC 8878 to its very end. Not thread-safe.</summary>
internal sealed class ZstdReadStream(Stream inner, string key) : ObjectReadStream
{
    private const int BufferBytes = 128 * 1024;

    private readonly ZstdLibrary.Decompressor _decompressor = ZstdLibrary.NewDecompressor();
    private readonly byte[] _input = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _from;
    private int _to;
    private bool _holdsOutput;
    private bool _isFrameOver;
    private bool _isAtEnd;
    private int _isDisposed;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!_isAtEnd && !buffer.IsEmpty)
        {
            if (_from == _to && !_holdsOutput)
            {
                (_from, _to) = (0, await inner.ReadAsync(_input.AsMemory(0, BufferBytes), cancellationToken));
                _isAtEnd = _to == 0 && (_isFrameOver ? true : throw Damaged("It is cut off."));
            }
            else if (_isFrameOver)
            {
                throw Damaged("It goes on behind its end.");
            }
            else if (Decompress(buffer.Span) is > 0 and var written)
            {
                return written;
            }
        }
        return 0;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        Release();
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Release();
        inner.Dispose();
        base.Dispose(disposing);
    }

    private int Decompress(Span<byte> to)
    {
        try
        {
            _isFrameOver = ZstdLibrary.Decompress(_decompressor, _input.AsSpan(_from, _to - _from), to, out var consumed, out var written) == 0;
            _from += consumed;
            _holdsOutput = !_isFrameOver && written == to.Length;
            return written;
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e.Message);
        }
    }

    private BackupStorageException Damaged(string why) => new(StorageFailure.Damaged, $"'{key}' cannot be decompressed: {why}");

    private void Release()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        _decompressor.Dispose();
        ArrayPool<byte>.Shared.Return(_input);
    }
}
