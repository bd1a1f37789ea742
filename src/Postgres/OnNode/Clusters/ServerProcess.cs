using System.Globalization;
using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The processes on a data folder, found by what the kernel says of them: a server and all that it forks have the data folder
/// as their working folder. Stateless and thread-safe.
/// </summary>
internal static class ServerProcess
{
    /// <summary>The postmaster that the pid file names, if it runs on this very folder: pids are used again, and the file may be from before a crash.</summary>
    public static ProcessIdentity? Find(string dataFolder)
    {
        if (PidFile(dataFolder) is not [var first, ..] || !int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            return null;
        return ProcessIdentity.Of(pid) is { } identity && IsOn(pid, dataFolder) && IsPostmaster(pid) ? identity : null;
    }

    /// <summary>What the postmaster says of itself in its pid file: <c>starting</c>, <c>ready</c>, <c>standby</c>, <c>stopping</c>; empty when it says nothing.</summary>
    public static string StatusOf(string dataFolder) =>
        PidFile(dataFolder) is { Length: >= 8 } lines ? lines[7].Trim() : "";

    /// <summary>Every process on the folder, such as the backends that a killed postmaster left.</summary>
    public static IReadOnlyList<int> All(string dataFolder) =>
    [
        .. Directory.EnumerateDirectories("/proc")
            .Select(f => int.TryParse(Path.GetFileName(f.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0)
            .Where(p => p > 1 && IsOn(p, dataFolder) && IsOfPostgres(p)),
    ];

    private static string[] PidFile(string dataFolder)
    {
        try
        {
            return File.ReadAllLines(Path.Combine(dataFolder, "postmaster.pid"));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static bool IsOn(int pid, string dataFolder)
    {
        try
        {
            return new DirectoryInfo($"/proc/{pid}/cwd").LinkTarget == Path.TrimEndingDirectorySeparator(Path.GetFullPath(dataFolder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // It ended meanwhile, or belongs to someone else.
        }
    }

    /// <summary>Its forks call themselves "postgres: …"; only the postmaster has the words it was started with.</summary>
    private static bool IsPostmaster(int pid) => FirstWord(pid).EndsWith("/postgres", StringComparison.Ordinal);

    private static bool IsOfPostgres(int pid) => FirstWord(pid) is var word && (word.EndsWith("/postgres", StringComparison.Ordinal) || word.StartsWith("postgres:", StringComparison.Ordinal));

    private static string FirstWord(int pid)
    {
        try
        {
            var line = Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/cmdline"));
            return line.IndexOf('\0') is var end and >= 0 ? line[..end] : line;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
