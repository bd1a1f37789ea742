using System.Globalization;

namespace Groundcrew.Daemon.Supervising;

/// <summary>Names who listens on a port, from /proc (proc(5)): the socket's inode, then the process that holds it.</summary>
internal static class PortOwner
{
    private const string Listening = "0A";

    public static string Describe(int port) =>
        Find(port) is { } owner ? $"{owner.Name} (pid {owner.Pid}) listens there. Stop it, or choose another port." : "another program listens there. Choose another port.";

    /// <summary>The process that listens on a TCP port; null when there is none, or it cannot be seen.</summary>
    public static (int Pid, string Name)? Find(int port)
    {
        var inodes = Inodes(port);
        if (inodes.Count == 0)
            return null;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && Holds(folder, inodes))
                return (pid, NameOf(folder));
        return null;
    }

    /// <summary>Whether anybody listens on the port.</summary>
    public static bool IsTaken(int port) => Inodes(port).Count > 0;

    private static HashSet<string> Inodes(int port)
    {
        var wanted = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var table in (string[])["/proc/net/tcp", "/proc/net/tcp6"])
            foreach (var line in File.Exists(table) ? File.ReadLines(table).Skip(1) : [])
            {
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields[1].EndsWith(wanted, StringComparison.Ordinal) && fields[3] == Listening)
                    found.Add($"socket:[{fields[9]}]");
            }
        return found;
    }

    private static bool Holds(string folder, HashSet<string> sockets)
    {
        try
        {
            foreach (var descriptor in Directory.EnumerateFileSystemEntries(Path.Combine(folder, "fd")))
                if (new FileInfo(descriptor).LinkTarget is { } target && sockets.Contains(target))
                    return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile, or is somebody else's.
        }
        return false;
    }

    private static string NameOf(string folder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "comm")).Trim();
        }
        catch (IOException)
        {
            return "a program that just ended";
        }
    }
}
