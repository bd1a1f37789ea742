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
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    private static readonly string[] ToolNames = ["initdb", "pg_basebackup", "pg_rewind", "postgres"];

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
    public static IReadOnlyList<int> All(string dataFolder) => [.. Pids().Where(p => IsOn(p, dataFolder) && IsOfPostgres(p))];

    /// <summary>The port that the postmaster says it has; null when it says none.</summary>
    public static int? PortOf(string dataFolder) =>
        PidFile(dataFolder) is { Length: >= 4 } lines && int.TryParse(lines[3], NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : null;

    /// <summary>PostgreSQL's tools that work on the folder: those whose arguments name it.</summary>
    public static IReadOnlyList<int> ToolsOn(string folder) =>
    [
        .. Pids().Where(p => WordsOf(p) is [var program, .. var words] && ToolNames.Contains(Path.GetFileName(program), StringComparer.Ordinal)
            && words.Contains(folder, StringComparer.Ordinal) && !IsOn(p, folder)),
    ];

    /// <summary>SIGKILL to everything on the folder until nothing is left.</summary>
    public static async Task KillAllAsync(string dataFolder, TimeProvider clock, CancellationToken cancellation)
    {
        while (All(dataFolder) is { Count: > 0 } left)
        {
            foreach (var pid in left)
                ProcessSignals.Send(pid, ProcessSignals.Kill);
            await Task.Delay(Look, clock, cancellation);
        }
    }

    private static IEnumerable<int> Pids() => Directory.EnumerateDirectories("/proc")
        .Select(f => int.TryParse(Path.GetFileName(f.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0)
        .Where(p => p > 1);

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
            return new DirectoryInfo($"/proc/{pid}/cwd").LinkTarget == RealPath(dataFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // It ended meanwhile, or belongs to someone else.
        }
    }

    /// <summary>A path without links, as the kernel tells it of a process.</summary>
    private static string RealPath(string path)
    {
        var real = "/";
        foreach (var part in Path.GetFullPath(path).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            if (new DirectoryInfo(real) is { LinkTarget: not null } link && link.ResolveLinkTarget(returnFinalTarget: true) is { } target)
                real = RealPath(target.FullName);
        }
        return real;
    }

    /// <summary>Its forks call themselves "postgres: …"; only the postmaster has the words it was started with.</summary>
    private static bool IsPostmaster(int pid) => FirstWord(pid).EndsWith("/postgres", StringComparison.Ordinal);

    private static bool IsOfPostgres(int pid) => FirstWord(pid) is var word && (word.EndsWith("/postgres", StringComparison.Ordinal) || word.StartsWith("postgres:", StringComparison.Ordinal));

    private static string FirstWord(int pid) => WordsOf(pid) is [var first, ..] ? first : "";

    private static string[] WordsOf(int pid)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/cmdline")).Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
