using System.Globalization;
using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Daemon.Supervising;

/// <summary>
/// The instances that the agent of a data folder left running: found by the marks in their environment, ended politely,
/// then by force. Their tasks stay, so that the next agent starts them again.
/// </summary>
internal static class LeftInstances
{
    private const string Mark = "GROUNDCREW_INSTANCE=";
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    /// <summary>Returns how many processes there were.</summary>
    public static async Task<int> StopAsync(string data, TimeProvider clock)
    {
        var found = Find(data);
        foreach (var process in found)
            ProcessSignals.Send(process.Pid, ProcessSignals.Terminate);
        var deadline = clock.GetUtcNow() + Grace;
        while (found.Any(p => p.IsAlive()) && clock.GetUtcNow() < deadline)
            await Task.Delay(TimeSpan.FromMilliseconds(50), clock);
        foreach (var process in Find(data))
            ProcessSignals.Send(process.Pid, ProcessSignals.Kill);
        return found.Count;
    }

    private static List<ProcessIdentity> Find(string data)
    {
        var folder = $"INSTANCE_DIR={Path.Combine(data, "agent")}{Path.DirectorySeparatorChar}";
        var found = new List<ProcessIdentity>();
        foreach (var path in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
                continue;
            var variables = EnvironmentOf(path);
            if (variables.Any(v => v.StartsWith(Mark, StringComparison.Ordinal))
                && variables.Any(v => v.StartsWith(folder, StringComparison.Ordinal)) && ProcessIdentity.Of(pid) is { } identity)
                found.Add(identity);
        }
        return found;
    }

    private static string[] EnvironmentOf(string path)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(path, "environ"))).Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
