namespace Groundcrew.Postgres;

/// <summary>What the failures of a file system are to a storage.</summary>
internal static class FolderFaults
{
    // errno(3) of Linux; the runtime hands them on as the result code of an IOException.
    private const int FileTooLarge = 27;
    private const int NoSpace = 28;
    private const int ReadOnly = 30;
    private const int OverQuota = 122;

    /// <summary>Whether it is a failure of the file system, rather than a bug or a cancellation.</summary>
    public static bool IsOne(Exception e) => e is IOException and not BackupStorageException or UnauthorizedAccessException;

    /// <summary>Names it.</summary>
    /// <param name="e">What the file system said.</param>
    /// <param name="doing">What was being done, such as <c>write 'a/b'</c>.</param>
    /// <param name="place">The storage's folder.</param>
    public static BackupStorageException Named(Exception e, string doing, string place) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => new(StorageFailure.NotFound, $"Cannot {doing}: it is not in '{place}'.", e),
        UnauthorizedAccessException => new(StorageFailure.Refused, $"Cannot {doing}: '{place}' does not permit it. Look at its owner and mode.", e),
        { HResult: NoSpace or OverQuota or FileTooLarge } => new(StorageFailure.Full, $"Cannot {doing}: there is no room in '{place}'. {e.Message}", e),
        { HResult: ReadOnly } => new(StorageFailure.Refused, $"Cannot {doing}: '{place}' is mounted to be read only.", e),
        _ => new(StorageFailure.Unavailable, $"Cannot {doing} in '{place}': {e.Message}", e),
    };
}
