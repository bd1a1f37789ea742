using System.Net;
using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// A storage in a bucket of anything that speaks S3. Small objects are put at once, larger ones in parts; the server is given
/// the MD5 of each, and its own is compared. What breaks off is tried again, a read from where it was.
/// </summary>
internal sealed class S3Storage : IBackupStorage
{
    private readonly S3Access _access;

    /// <summary>Opens it, without asking the server.</summary>
    /// <param name="place">The bucket and its server.</param>
    /// <param name="credentials"><c>access key:secret key</c>.</param>
    /// <param name="limits">How often, how long, how much.</param>
    /// <param name="clock">Tells stalls and pauses.</param>
    /// <exception cref="BackupStorageException">The credentials are none.</exception>
    public S3Storage(S3Place place, Secret? credentials, S3Limits limits, TimeProvider clock)
    {
        if (credentials?.Reveal().Split(':', 2) is not [{ Length: > 0 } access, { Length: > 0 } secret])
            throw new BackupStorageException(StorageFailure.Refused, $"{place} needs credentials of the form access key:secret key.");
        var config = new AmazonS3Config
        {
            // What only some servers know is left out; the checksums that all know are made here.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = limits.SdkRetries,
            ConnectTimeout = limits.Stall,
            IgnoreConfiguredEndpointUrls = true,
        };
        if (place.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint.AbsoluteUri;
            config.ForcePathStyle = true;
            config.AuthenticationRegion = place.Region;
        }
        else
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(place.Region);
        }
        _access = new(new AmazonS3Client(new BasicAWSCredentials(access, secret), config), place.Bucket, place.Prefix, place.ToString(),
            IsSecure: place.Endpoint is null || place.Endpoint.Scheme == Uri.UriSchemeHttps, limits, clock);
    }

    /// <inheritdoc/>
    public string Place => _access.Place;

    /// <inheritdoc/>
    public BackupUpload Begin(string key)
    {
        ObjectKeys.Require(key, _access.Prefix);
        return new S3Upload(_access, key);
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenAsync(string key, CancellationToken cancellation)
    {
        ObjectKeys.Require(key, _access.Prefix);
        return await S3ReadStream.OpenAsync(_access, key, cancellation);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancellation)
    {
        ObjectKeys.RequirePrefix(prefix);
        return ListInOrderAsync(prefix, cancellation);
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellation)
    {
        foreach (var key in keys)
            ObjectKeys.Require(key, _access.Prefix);
        foreach (var page in keys.Chunk(_access.Limits.PageSize))
        {
            try
            {
                await DeletePageAsync(page, cancellation);
            }
            catch (BackupStorageException e) when (S3Faults.Says(e, "NotImplemented", "MissingContentMD5", "InvalidRequest"))
            {
                // Some servers do not know this request, or want it with a checksum of their own choice.
                foreach (var key in page)
                    await DeleteOneAsync(key, cancellation);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _access.Client.Dispose();

    /// <summary>Servers that keep objects as files list folder by folder, which is another order, so that the list is sorted when it is whole.</summary>
    private async IAsyncEnumerable<StoredObject> ListInOrderAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var found = new List<StoredObject>();
        await ListPagesAsync(prefix, found, cancellation);
        for (var i = 1; i < found.Count; i++)
        {
            if (ObjectKeys.Compare(found[i - 1].Key, found[i].Key) <= 0)
                continue;
            found.Sort((a, b) => ObjectKeys.Compare(a.Key, b.Key));
            break;
        }
        foreach (var stored in found)
            yield return stored;
    }

    private async Task ListPagesAsync(string prefix, List<StoredObject> to, CancellationToken cancellation)
    {
        string? next = null;
        do
        {
            var page = await _access.AskAsync($"list '{prefix}'", guard => _access.Client.ListObjectsV2Async(new()
            {
                BucketName = _access.Bucket,
                Prefix = _access.Prefix + prefix,
                ContinuationToken = next,
                MaxKeys = _access.Limits.PageSize,
            }, guard.Token), cancellation);
            foreach (var found in page.S3Objects ?? [])
                to.Add(new(found.Key[_access.Prefix.Length..], found.Size ?? 0, found.LastModified is { } at ? new DateTimeOffset(at.ToUniversalTime()) : default));
            next = page.IsTruncated is true ? page.NextContinuationToken : null;
        }
        while (next is not null);
    }

    private async Task DeletePageAsync(string[] keys, CancellationToken cancellation) =>
        await _access.AskAsync($"delete {keys.Length} objects", async guard =>
        {
            try
            {
                await _access.Client.DeleteObjectsAsync(new()
                {
                    BucketName = _access.Bucket,
                    Objects = [.. keys.Select(key => new KeyVersion { Key = _access.Prefix + key })],
                    Quiet = true,
                }, guard.Token);
            }
            catch (DeleteObjectsException e) when (e.Response.DeleteErrors is [var first, ..])
            {
                throw new AmazonS3Exception($"{first.Key}: {first.Message}", e, ErrorType.Unknown, first.Code, e.Response.ResponseMetadata.RequestId,
                    first.Code is "InternalError" or "SlowDown" or "ServiceUnavailable" ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.Forbidden);
            }
            return true;
        }, cancellation);

    private Task DeleteOneAsync(string key, CancellationToken cancellation) =>
        _access.AskAsync($"delete '{key}'", guard => _access.Client.DeleteObjectAsync(_access.Bucket, _access.Prefix + key, guard.Token), cancellation);
}
