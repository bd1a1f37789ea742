using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>The log of a server: its end, and what the best-known complaints mean. Thread-safe.</summary>
internal static class ServerLog
{
    /// <summary>The size at which a log is turned: what it holds becomes <c>….1</c>, in place of the one before.</summary>
    public const long MostKept = 64 * 1024 * 1024;

    private const int MostRead = 16 * 1024;
    private const int MostLines = 12;

    /// <summary>What a person has to know first, by what PostgreSQL says when it happens.</summary>
    private static readonly (string Said, string Means)[] Known =
    [
        ("No space left on device", "there is no room left on the disk"),
        ("Address already in use", "its port is taken by another program"),
        ("Cannot assign requested address", "this machine does not have an address that it should listen on"),
        ("database files are incompatible with server", "the data folder belongs to another version of PostgreSQL"),
        ("pre-existing shared memory block", "processes of an earlier run are still there"),
        ("Permission denied", "the server's user may not use a file or folder"),
        ("could not map anonymous shared memory", "there is not enough memory for its settings"),
        ("Too many open files", "it may not open more files"),
    ];

    /// <summary>The size of a log, so that only what comes later is read; 0 when there is none.</summary>
    public static long LengthOf(string file) => File.Exists(file) ? new FileInfo(file).Length : 0;

    /// <summary>The last lines that were written behind a place; empty when there are none.</summary>
    public static string EndOf(string file, long from = 0)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            stream.Position = Math.Max(Math.Min(from, stream.Length), stream.Length - MostRead);
            using var reader = new StreamReader(stream, Encoding.UTF8);
            return string.Join('\n', reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(MostLines));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return "";
        }
    }

    /// <summary>
    /// Turns a log. PostgreSQL keeps the file open and appends, so it is copied and emptied, as the server's user; lines that are
    /// written in the moment between are lost.
    /// </summary>
    public static async Task TurnAsync(PgBinaries binaries, string file, CancellationToken cancellation) =>
        await binaries.MustRunAsync("/bin/sh", ["-c", """cp "$1" "$1.1" && : >"$1" """, "crew-turn", file], cancellation);

    /// <summary>What PostgreSQL said, behind what it means where that is known.</summary>
    public static string Explain(string said) =>
        MeaningOf(said) is { } means ? $"{means}. It said: {said}" : said;

    /// <summary>What the first known complaint means; null when none is known.</summary>
    public static string? MeaningOf(string said) =>
        Known.FirstOrDefault(k => said.Contains(k.Said, StringComparison.Ordinal)).Means;
}
