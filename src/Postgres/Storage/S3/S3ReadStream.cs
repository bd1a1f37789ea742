using System.Security.Cryptography;
using Amazon.Runtime.Internal.Util;
using Amazon.S3.Model;

namespace Groundcrew.Postgres;

/// <summary>
/// Reads an object of a bucket. What breaks off, stalls or ends too early is asked for again from where it was, of the same
/// version of the object. An object that was put at once is compared with its MD5. Not thread-safe.
/// </summary>
internal sealed class S3ReadStream : ObjectReadStream
{
    /// <summary>The name under which an object's metadata have its MD5.</summary>
    public const string Md5Name = "crew-md5";

    private readonly S3Access _access;
    private readonly string _key;
    private readonly string _eTag;
    private readonly string? _md5;
    private readonly long _length;
    private readonly IncrementalHash _hash = S3Md5.New();
    private GetObjectResponse? _response;
    private long _position;
    private int _failures;
    private bool _isChecked;

    private S3ReadStream(S3Access access, string key, GetObjectResponse response)
    {
        (_access, _key, _response) = (access, key, response);
        (_eTag, _length) = (response.ETag, response.ContentLength);
        _md5 = response.Metadata[Md5Name] ?? S3Md5.Of(response.ETag, response.ServerSideEncryptionMethod);
    }

    /// <summary>Begins to read.</summary>
    public static async Task<S3ReadStream> OpenAsync(S3Access access, string key, CancellationToken cancellation) =>
        new(access, key, await AskAsync(access, key, new() { BucketName = access.Bucket, Key = access.Prefix + key }, cancellation));

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty && _position < _length)
        {
            _response ??= await GoOnAsync(cancellationToken);
            if (await TryReadAsync(buffer, cancellationToken) is > 0 and var read)
                return read;
        }
        if (_position == _length)
            Check();
        return 0;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _response?.Dispose();
        _response = null;
        _hash.Dispose();
        base.Dispose(disposing);
    }

    private static Task<GetObjectResponse> AskAsync(S3Access access, string key, GetObjectRequest request, CancellationToken cancellation) =>
        access.AskAsync($"read '{key}'", guard => access.Client.GetObjectAsync(request, guard.Token), cancellation);

    private async Task<GetObjectResponse> GoOnAsync(CancellationToken cancellation)
    {
        var response = await AskAsync(_access, _key, new()
        {
            BucketName = _access.Bucket,
            Key = _access.Prefix + _key,
            EtagToMatch = _eTag,
            ByteRange = new(_position, _length - 1),
        }, cancellation);
        // Not every server knows conditions and ranges.
        if (response.ETag == _eTag && response.ContentLength == _length - _position)
            return response;
        response.Dispose();
        throw new BackupStorageException(StorageFailure.Unavailable, $"'{_key}' in {_access.Place} was replaced while it was read; read it again.");
    }

    /// <summary>0 when it broke off, and is to be asked for again.</summary>
    private async Task<int> TryReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        BackupStorageException failure;
        using (var guard = new StallGuard(_access.Limits.Stall, _access.Clock, cancellation))
        {
            try
            {
                var most = (int)Math.Min(buffer.Length, _length - _position);
                var read = await BodyOf(_response!).ReadAsync(buffer[..most], guard.Token);
                if (read > 0)
                {
                    _hash.AppendData(buffer.Span[..read]);
                    _position += read;
                    _failures = 0;
                    if (_position == _length)
                        Check();
                    return read;
                }
                failure = new(StorageFailure.Unavailable, $"Cannot read '{_key}' in {_access.Place}: it broke off after {_position} of {_length} bytes.");
            }
            catch (Exception e) when (S3Faults.Named(e, $"read '{_key}'", _access.Place) is { } named)
            {
                cancellation.ThrowIfCancellationRequested();
                failure = named;
            }
        }
        _response!.Dispose();
        _response = null;
        if (++_failures >= _access.Limits.Tries)
            throw failure;
        await _access.PauseAsync(_failures, cancellation);
        return 0;
    }

    /// <summary>Without the SDK's own comparison, which knows nothing of reads that go on, and throws when it is disposed of.</summary>
    private static Stream BodyOf(GetObjectResponse response) =>
        response.ResponseStream is WrapperStream wrapper ? wrapper.GetNonWrapperBaseStream() : response.ResponseStream;

    private void Check()
    {
        if (_isChecked)
            return;
        if (_md5 is not null && Convert.ToHexStringLower(_hash.GetHashAndReset()) is var found && found != _md5)
            throw new BackupStorageException(StorageFailure.Damaged, $"'{_key}' in {_access.Place} is not what was written: its MD5 is {found}, and was {_md5}.");
        _isChecked = true;
    }
}
