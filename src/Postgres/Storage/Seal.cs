using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Groundcrew.Postgres;

/// <summary>
/// The shape of an encrypted object (<c>docs/formats/backup-encryption.md</c>): a header, then chunks under AES-256-GCM, each
/// with its number and whether it is the last one in its nonce (the STREAM construction of Hoang, Reyhanitabar, Rogaway and
/// Vizár, 2015), so that chunks can neither be changed nor left out, moved, repeated, added or cut off.
/// </summary>
internal static class SealFormat
{
    public const byte Version = 1;
    public const byte Aes256Gcm = 1;
    public const int ChunkBits = 17;
    public const int ChunkBytes = 1 << ChunkBits;
    public const int TagBytes = 16;
    public const int NoncePrefixBytes = 7;
    public const int NonceBytes = 12;
    public const int VersionAt = 8;
    public const int CipherAt = 9;
    public const int ChunkBitsAt = 10;
    public const int KeyIdAt = 12;
    public const int SaltAt = 20;
    public const int HeaderBytes = 52;

    public static ReadOnlySpan<byte> Magic => "crewseal"u8;

    /// <summary>What the key of an object is derived for.</summary>
    public static ReadOnlySpan<byte> Purpose => "groundcrew backup 1"u8;

    public static byte[] NewHeader(BackupKey key, ReadOnlySpan<byte> salt)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        header[VersionAt] = Version;
        header[CipherAt] = Aes256Gcm;
        header[ChunkBitsAt] = ChunkBits;
        key.WriteId(header.AsSpan(KeyIdAt, SaltAt - KeyIdAt));
        salt.CopyTo(header.AsSpan(SaltAt));
        return header;
    }

    public static void Number(Span<byte> nonce, uint chunk, bool isLast)
    {
        BinaryPrimitives.WriteUInt32BigEndian(nonce[NoncePrefixBytes..], chunk);
        nonce[NonceBytes - 1] = isLast ? (byte)1 : (byte)0;
    }
}

/// <summary>Encrypts.</summary>
internal sealed class SealStage : PieceStage
{
    private readonly PieceStage _next;
    private readonly byte[] _header;
    private readonly byte[] _nonce = new byte[SealFormat.NonceBytes];
    private readonly AesGcm _cipher;
    private readonly byte[] _plain = ArrayPool<byte>.Shared.Rent(SealFormat.ChunkBytes);
    private readonly byte[] _sealed = ArrayPool<byte>.Shared.Rent(SealFormat.ChunkBytes + SealFormat.TagBytes);
    private int _plainBytes;
    private uint _chunk;
    private int _isDisposed;

    /// <summary>Before another stage.</summary>
    /// <param name="next">It.</param>
    /// <param name="key">The cluster's key.</param>
    /// <param name="salt">32 bytes that no other object has; null for random ones.</param>
    public SealStage(PieceStage next, BackupKey key, byte[]? salt = null)
    {
        _next = next;
        _header = SealFormat.NewHeader(key, salt ?? RandomNumberGenerator.GetBytes(SealFormat.HeaderBytes - SealFormat.SaltAt));
        _cipher = key.Derive(_header, _nonce.AsSpan(0, SealFormat.NoncePrefixBytes));
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            // A full chunk is held until it is known whether it is the last one.
            if (_plainBytes == SealFormat.ChunkBytes)
                await SealAsync(isLast: false, cancellationToken);
            var taken = Math.Min(buffer.Length, SealFormat.ChunkBytes - _plainBytes);
            buffer[..taken].CopyTo(_plain.AsMemory(_plainBytes));
            _plainBytes += taken;
            buffer = buffer[taken..];
        }
    }

    /// <inheritdoc/>
    public override async Task FinishAsync(CancellationToken cancellation)
    {
        await SealAsync(isLast: true, cancellation);
        await _next.FinishAsync(cancellation);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        _cipher.Dispose();
        ArrayPool<byte>.Shared.Return(_plain, clearArray: true);
        ArrayPool<byte>.Shared.Return(_sealed);
        await _next.DisposeAsync();
        await base.DisposeAsync();
    }

    private async ValueTask SealAsync(bool isLast, CancellationToken cancellation)
    {
        if (_chunk == 0)
            await _next.WriteAsync(_header, cancellation);
        SealFormat.Number(_nonce, _chunk, isLast);
        _cipher.Encrypt(_nonce, _plain.AsSpan(0, _plainBytes), _sealed.AsSpan(0, _plainBytes), _sealed.AsSpan(_plainBytes, SealFormat.TagBytes));
        await _next.WriteAsync(_sealed.AsMemory(0, _plainBytes + SealFormat.TagBytes), cancellation);
        _plainBytes = 0;
        _chunk = checked(_chunk + 1);
    }
}

/// <summary>Decrypts, and gives out nothing that is not proven to be what was written. Not thread-safe.</summary>
internal sealed class SealReadStream(Stream inner, string key, BackupKey backupKey) : ObjectReadStream
{
    private const int WholeChunk = SealFormat.ChunkBytes + SealFormat.TagBytes;

    private readonly byte[] _nonce = new byte[SealFormat.NonceBytes];
    // One byte more than a chunk: whether there is one tells whether the chunk is the last.
    private readonly byte[] _sealed = ArrayPool<byte>.Shared.Rent(WholeChunk + 1);
    private readonly byte[] _plain = ArrayPool<byte>.Shared.Rent(SealFormat.ChunkBytes);
    private AesGcm? _cipher;
    private int _sealedBytes;
    private int _from;
    private int _to;
    private uint _chunk;
    private bool _isLast;
    private int _isDisposed;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        _cipher ??= await ReadHeaderAsync(cancellationToken);
        while (_from == _to)
        {
            if (_isLast)
                return 0;
            _sealedBytes += await inner.ReadAtLeastAsync(_sealed.AsMemory(_sealedBytes, WholeChunk + 1 - _sealedBytes), WholeChunk + 1 - _sealedBytes, throwOnEndOfStream: false, cancellationToken);
            OpenChunk();
        }
        var taken = Math.Min(buffer.Length, _to - _from);
        _plain.AsMemory(_from, taken).CopyTo(buffer);
        _from += taken;
        return taken;
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

    private async ValueTask<AesGcm> ReadHeaderAsync(CancellationToken cancellation)
    {
        var header = new byte[SealFormat.HeaderBytes];
        if (await inner.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, cancellation) < header.Length
            || !header.AsSpan().StartsWith(SealFormat.Magic))
            throw new BackupStorageException(StorageFailure.Damaged, $"'{key}' is not an encrypted object, or is cut off.");
        if (header[SealFormat.VersionAt] != SealFormat.Version || header[SealFormat.CipherAt] != SealFormat.Aes256Gcm
            || header[SealFormat.ChunkBitsAt] != SealFormat.ChunkBits || header[SealFormat.ChunkBitsAt + 1] != 0)
            throw new BackupStorageException(StorageFailure.Damaged, $"'{key}' is encrypted in a way that this version does not know, or is damaged.");
        var id = Convert.ToHexStringLower(header.AsSpan(SealFormat.KeyIdAt, SealFormat.SaltAt - SealFormat.KeyIdAt));
        if (id != backupKey.Id)
            throw new BackupStorageException(StorageFailure.Refused, $"'{key}' is encrypted with the key {id}, and the one that is given is {backupKey.Id}.");
        return backupKey.Derive(header, _nonce.AsSpan(0, SealFormat.NoncePrefixBytes));
    }

    private void OpenChunk()
    {
        _isLast = _sealedBytes <= WholeChunk;
        var length = Math.Min(_sealedBytes, WholeChunk) - SealFormat.TagBytes;
        // Only an object without content has a chunk without any.
        if (length < 0 || length == 0 && _chunk > 0)
            throw Damaged(null);
        SealFormat.Number(_nonce, _chunk, _isLast);
        try
        {
            _cipher!.Decrypt(_nonce, _sealed.AsSpan(0, length), _sealed.AsSpan(length, SealFormat.TagBytes), _plain.AsSpan(0, length));
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw Damaged(e);
        }
        (_from, _to) = (0, length);
        _chunk = checked(_chunk + 1);
        _sealed[0] = _sealed[WholeChunk];
        _sealedBytes = _isLast ? 0 : 1;
    }

    private BackupStorageException Damaged(Exception? cause) =>
        new(StorageFailure.Damaged, $"'{key}' is not what was written: chunk {_chunk} was changed, moved or cut off.", cause);

    private void Release()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        _cipher?.Dispose();
        ArrayPool<byte>.Shared.Return(_sealed);
        ArrayPool<byte>.Shared.Return(_plain, clearArray: true);
    }
}
