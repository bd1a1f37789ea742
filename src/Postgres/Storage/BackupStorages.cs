using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>The way to a storage. Thread-safe.</summary>
public static class BackupStorages
{
    /// <summary>Says whether it names a storage, without asking it.</summary>
    public static Judged<StorageSpec> Judge(StorageSpec spec)
    {
        var problems = new ProblemList();
        if (spec.Url.StartsWith('/') || spec.Url.StartsWith("file:", StringComparison.Ordinal))
            JudgeFolder(spec, problems);
        else if (spec.Url.StartsWith(S3Place.Scheme, StringComparison.Ordinal))
            problems.AddRange(S3Place.Judge(spec).Problems);
        else if (spec.Url.Contains('@', StringComparison.Ordinal))
            problems.Add("bad-storage", "url", "It names no storage.", "Write a folder such as /srv/backups, or a bucket such as s3://bucket/prefix, without credentials.");
        else
            problems.Add("bad-storage", "url", $"'{spec.Url}' names no storage.", "Write a folder such as /srv/backups, or a bucket such as s3://bucket/prefix.");
        return problems.IsEmpty ? Judged<StorageSpec>.Good(spec) : Judged<StorageSpec>.Bad(problems.Problems);
    }

    /// <summary>Opens it. Whether it answers shows at the first use.</summary>
    /// <param name="spec">Which one.</param>
    /// <param name="credentials">S3: <c>access key:secret key</c>; a folder needs none.</param>
    /// <param name="clock">Tells time limits, and how old left-overs are.</param>
    /// <exception cref="BackupStorageException">It names no storage, or its credentials are none.</exception>
    public static IBackupStorage Open(StorageSpec spec, Secret? credentials, TimeProvider clock)
    {
        if (Judge(spec) is { Problems: { Count: > 0 } problems })
            throw new BackupStorageException(StorageFailure.Refused, string.Join(' ', problems));
        return FolderOf(spec.Url) is { } folder
            ? new FolderStorage(folder, clock, DurableFiles.Real)
            : new S3Storage(S3Place.Judge(spec).Value!, credentials, S3Limits.Default, clock);
    }

    private static void JudgeFolder(StorageSpec spec, ProblemList problems)
    {
        if (FolderOf(spec.Url) is not { } folder || folder.Contains('\0', StringComparison.Ordinal) || folder.Split('/').Any(part => part is "." or ".."))
            problems.Add("bad-storage", "url", $"'{spec.Url}' is not a folder.", "Write its whole path, without '.' and '..', such as /srv/backups or file:///srv/backups.");
        else if (folder.Trim('/').Length == 0)
            problems.Add("bad-storage", "url", "The root of the file system is no place for backups.", "Name a folder of its own.");
        if (spec.Endpoint is not null)
            problems.Add("bad-storage", "endpoint", "A folder has no endpoint.", "Take it out, or name a bucket such as s3://bucket/prefix.");
        if (spec.Region is not null)
            problems.Add("bad-storage", "region", "A folder has no region.", "Take it out, or name a bucket such as s3://bucket/prefix.");
    }

    /// <summary>The path that a URL names; null when it names none.</summary>
    private static string? FolderOf(string url) =>
        url.StartsWith('/') ? url
        : url.StartsWith("file:///", StringComparison.Ordinal) ? Uri.UnescapeDataString(url["file://".Length..])
        : null;
}
