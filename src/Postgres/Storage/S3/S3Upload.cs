using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;

namespace Groundcrew.Postgres;

/// <summary>
/// An object that is being written to a bucket: parts are sent while the next one is filled, a few at a time. An object of one
/// part is put at once.
/// </summary>
internal sealed class S3Upload(S3Access access, string key) : BackupUpload
{
    // Tells the object of this upload from another of the same key, when the answer to its completion was lost.
    private const string UploadName = "crew-upload";

    private readonly string _name = RandomNumberGenerator.GetHexString(32, lowercase: true);
    private readonly CancellationTokenSource _life = new();
    private readonly SemaphoreSlim _slots = new(access.Limits.PartsInFlight);
    private readonly ConcurrentDictionary<int, string> _sent = new();
    private readonly List<Task> _parts = [];
    private byte[]? _part;
    private int _partBytes;
    private int _number = 1;
    private string? _uploadId;
    private long _length;
    private volatile BackupStorageException? _failure;
    private bool _isOver;
    private bool _isDisposed;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        try
        {
            while (!bytes.IsEmpty)
            {
                // A full part is held until it is known that another follows.
                if (_partBytes == access.Limits.PartSize(_number))
                    await SendAsync(cancellation);
                _part ??= ArrayPool<byte>.Shared.Rent(access.Limits.PartSize(_number));
                var taken = Math.Min(bytes.Length, access.Limits.PartSize(_number) - _partBytes);
                bytes[..taken].CopyTo(_part.AsMemory(_partBytes));
                _partBytes += taken;
                _length += taken;
                bytes = bytes[taken..];
            }
            cancellation.ThrowIfCancellationRequested();
        }
        catch
        {
            // The object would lack something.
            _isOver = true;
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task<StoredObject> CompleteAsync(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        _isOver = true;
        if (_uploadId is null)
        {
            await PutAsync(cancellation);
        }
        else
        {
            await SendAsync(cancellation);
            await Task.WhenAll(_parts).WaitAsync(cancellation);
            ThrowIfFailed();
            await PutTogetherAsync(cancellation);
            _uploadId = null;
        }
        return new(key, _length, access.Clock.GetUtcNow());
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        (_isDisposed, _isOver) = (true, true);
        await _life.CancelAsync();
        // Each ends by itself now, and never throws.
        await Task.WhenAll(_parts);
        Return(ref _part);
        if (_uploadId is not null)
            await AbortAsync(_uploadId);
        _life.Dispose();
        _slots.Dispose();
    }

    private async Task SendAsync(CancellationToken cancellation)
    {
        if (_number > S3Limits.MaxParts)
            throw new BackupStorageException(StorageFailure.Refused, $"'{key}' has more than {_length} bytes, which S3 does not take in {S3Limits.MaxParts} parts.");
        _uploadId ??= await InitiateAsync(cancellation);
        // Larger parts take more slots, so that fewer are on their way.
        var slots = Math.Min(access.Limits.PartsInFlight, access.Limits.PartSize(_number) / access.Limits.PartBytes);
        for (var taken = 0; taken < slots; taken++)
            await _slots.WaitAsync(cancellation);
        ThrowIfFailed();
        _parts.RemoveAll(part => part.IsCompleted);
        var (uploadId, number, part, length) = (_uploadId, _number, _part!, _partBytes);
        (_part, _partBytes, _number) = (null, 0, _number + 1);
        _parts.Add(Task.Run(() => SendAsync(uploadId, number, part, length, slots), CancellationToken.None));
    }

    /// <summary>Sends one part. Never throws: what failed is found by whoever writes on.</summary>
    private async Task SendAsync(string uploadId, int number, byte[] part, int length, int slots)
    {
        try
        {
            var md5 = S3Md5.Of(part.AsSpan(0, length));
            _sent[number] = await access.AskAsync($"write part {number} of '{key}'", async guard =>
            {
                await using var body = new GuardedPart(part, length, guard);
                var answer = await access.Client.UploadPartAsync(new()
                {
                    BucketName = access.Bucket,
                    Key = access.Prefix + key,
                    UploadId = uploadId,
                    PartNumber = number,
                    PartSize = length,
                    InputStream = body,
                    MD5Digest = Convert.ToBase64String(md5),
                    UseChunkEncoding = false,
                    DisableDefaultChecksumValidation = true,
                    DisablePayloadSigning = access.IsSecure,
                }, guard.Token);
                Compare(answer.ETag, md5, answer.ServerSideEncryptionMethod);
                return answer.ETag;
            }, _life.Token);
        }
        catch (BackupStorageException e)
        {
            _failure ??= e;
        }
        catch (OperationCanceledException) when (_life.IsCancellationRequested)
        {
            // The upload was given up.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(part);
            _slots.Release(slots);
        }
    }

    private Task<string> InitiateAsync(CancellationToken cancellation) => access.AskAsync($"begin '{key}'", async guard =>
    {
        var request = new InitiateMultipartUploadRequest { BucketName = access.Bucket, Key = access.Prefix + key };
        request.Metadata[UploadName] = _name;
        return (await access.Client.InitiateMultipartUploadAsync(request, guard.Token)).UploadId;
    }, cancellation);

    private async Task PutTogetherAsync(CancellationToken cancellation)
    {
        var request = new CompleteMultipartUploadRequest
        {
            BucketName = access.Bucket,
            Key = access.Prefix + key,
            UploadId = _uploadId,
            PartETags = [.. _sent.OrderBy(part => part.Key).Select(part => new PartETag(part.Key, part.Value))],
        };
        var isAgain = false;
        await access.AskAsync($"complete '{key}'", async guard =>
        {
            // It may have been completed, and the answer was lost.
            if (isAgain && await IsCompletedAsync(guard.Token))
                return true;
            isAgain = true;
            try
            {
                await access.Client.CompleteMultipartUploadAsync(request, guard.Token);
            }
            catch (AmazonS3Exception e) when (S3Faults.Says(e, "NoSuchUpload"))
            {
                if (!await IsCompletedAsync(guard.Token))
                    throw;
            }
            return true;
        }, cancellation, access.Limits.CompletionStall);
    }

    private async Task<bool> IsCompletedAsync(CancellationToken cancellation)
    {
        try
        {
            var found = await access.Client.GetObjectMetadataAsync(access.Bucket, access.Prefix + key, cancellation);
            return found.Metadata[UploadName] == _name;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    private async Task PutAsync(CancellationToken cancellation)
    {
        var part = _part ?? [];
        var md5 = S3Md5.Of(part.AsSpan(0, _partBytes));
        await access.AskAsync($"write '{key}'", async guard =>
        {
            await using var body = new GuardedPart(part, _partBytes, guard);
            var request = new PutObjectRequest
            {
                BucketName = access.Bucket,
                Key = access.Prefix + key,
                InputStream = body,
                AutoCloseStream = false,
                MD5Digest = Convert.ToBase64String(md5),
                UseChunkEncoding = false,
                DisableDefaultChecksumValidation = true,
                DisablePayloadSigning = access.IsSecure,
                Headers = { ContentLength = _partBytes, ContentType = "application/octet-stream" },
            };
            request.Metadata[S3ReadStream.Md5Name] = Convert.ToHexStringLower(md5);
            var answer = await access.Client.PutObjectAsync(request, guard.Token);
            Compare(answer.ETag, md5, answer.ServerSideEncryptionMethod);
            return true;
        }, cancellation);
    }

    private async Task AbortAsync(string uploadId)
    {
        using var limit = new CancellationTokenSource(access.Limits.Stall, access.Clock);
        try
        {
            await access.AskAsync($"abort '{key}'", guard => access.Client.AbortMultipartUploadAsync(access.Bucket, access.Prefix + key, uploadId, guard.Token), limit.Token);
        }
        catch (Exception e) when (e is BackupStorageException or OperationCanceledException)
        {
            // It is no object, and never will be. Its parts go by the bucket's rule for incomplete uploads.
        }
    }

    private void ThrowIfFailed()
    {
        if (_failure is { } e)
            throw new BackupStorageException(e.Failure, e.Message, e);
    }

    /// <summary>Not every server compares what arrives with the MD5 that came with it, but almost all answer with theirs.</summary>
    private void Compare(string? eTag, byte[] md5, ServerSideEncryptionMethod? encryption)
    {
        if (S3Md5.Of(eTag, encryption) is { } found && found != Convert.ToHexStringLower(md5))
            throw new BackupStorageException(StorageFailure.Damaged, $"What arrived of '{key}' in {access.Place} is not what was sent: the server has the MD5 {found}, not {Convert.ToHexStringLower(md5)}.");
    }

    private static void Return(ref byte[]? part)
    {
        if (part is not null)
            ArrayPool<byte>.Shared.Return(part);
        part = null;
    }
}
