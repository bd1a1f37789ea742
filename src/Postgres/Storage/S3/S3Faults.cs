using System.Net;
using System.Net.Sockets;
using Amazon.Runtime;

namespace Groundcrew.Postgres;

/// <summary>What the failures of an S3 server, and of the way to it, are to a storage.</summary>
internal static class S3Faults
{
    /// <summary>Names a failure; null when it is none of the server or of the way to it, but a bug.</summary>
    /// <param name="e">What was thrown.</param>
    /// <param name="doing">What was being done, such as <c>read 'a/b'</c>.</param>
    /// <param name="place">The storage.</param>
    public static BackupStorageException? Named(Exception e, string doing, string place) => e switch
    {
        BackupStorageException named => named,
        AmazonServiceException answer when (int)answer.StatusCode != 0 => Answered(answer, $"Cannot {doing} in {place}"),
        OperationCanceledException => new(StorageFailure.Unavailable, $"Cannot {doing} in {place}: nothing moved any more, and it was broken off.", e),
        AmazonClientException or HttpRequestException or IOException or SocketException or TimeoutException =>
            new(StorageFailure.Unavailable, $"Cannot {doing} in {place}: {Innermost(e)}", e),
        _ => null,
    };

    /// <summary>Whether the server's answer says so.</summary>
    public static bool Says(Exception? e, params ReadOnlySpan<string> codes)
    {
        for (; e is not null; e = e.InnerException)
        {
            if (e is AmazonServiceException { ErrorCode: { } code } && codes.Contains(code))
                return true;
        }
        return false;
    }

    private static BackupStorageException Answered(AmazonServiceException e, string what)
    {
        var (failure, advice) = (e.StatusCode, e.ErrorCode) switch
        {
            (_, "NoSuchBucket") => (StorageFailure.NotFound, "There is no such bucket."),
            (_, "QuotaExceeded" or "StorageFull" or "XMinioStorageFull" or "XMinioAdminBucketQuotaExceeded") or (HttpStatusCode.InsufficientStorage, _) =>
                (StorageFailure.Full, "There is no room: look at its quota and its disks."),
            (_, "BadDigest" or "XAmzContentSHA256Mismatch" or "InvalidDigest" or "XAmzContentChecksumMismatch" or "IncompleteBody") =>
                (StorageFailure.Damaged, "What arrived is not what was sent."),
            (_, "SlowDown" or "RequestTimeout" or "RequestTimeTooSkewed" or "InternalError" or "ServiceUnavailable" or "OperationAborted") =>
                (StorageFailure.Unavailable, e.ErrorCode == "RequestTimeTooSkewed" ? "The clocks of the two machines differ." : "It does not answer for now."),
            (HttpStatusCode.NotImplemented, _) => (StorageFailure.Refused, "It does not know this request."),
            (HttpStatusCode.PreconditionFailed, _) => (StorageFailure.Unavailable, "It was replaced while it was read; read it again."),
            (HttpStatusCode.NotFound, _) => (StorageFailure.NotFound, "It is not there."),
            (HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect, _) => (StorageFailure.Refused, "The bucket lies in another region: name it."),
            (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, _) => (StorageFailure.Refused, "Look at the credentials and at what they permit."),
            ( >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout, _) => (StorageFailure.Unavailable, "It does not answer for now."),
            _ => (StorageFailure.Refused, ""),
        };
        return new(failure, $"{what}: {advice} It said {(int)e.StatusCode} {e.ErrorCode}: {e.Message}".TrimEnd(), e);
    }

    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
            e = inner;
        return e.Message;
    }
}
