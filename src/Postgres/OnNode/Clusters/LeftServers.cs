using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The servers that the agent of a folder left running, scratch ones too: stopped as <c>pg_ctl stop --mode=fast</c> does it, then
/// by force. Their tasks stay, so that the next agent starts them again.
/// </summary>
public static class LeftServers
{
    private const int Fast = 2;
    private const int Deepest = 4;
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    /// <summary>Returns how many there were, when all of them are gone.</summary>
    /// <param name="stateFolder">The agent's folder.</param>
    /// <param name="clock">Time.</param>
    public static async Task<int> StopAsync(string stateFolder, TimeProvider clock)
    {
        var folders = DataFolders(stateFolder).Where(f => ServerProcess.Find(f) is not null).ToList();
        foreach (var folder in folders)
            if (ServerProcess.Find(folder) is { } server)
                ProcessSignals.Send(server.Pid, Fast);
        var deadline = clock.GetUtcNow() + Grace;
        while (folders.Exists(f => ServerProcess.Find(f) is not null) && clock.GetUtcNow() < deadline)
            await Task.Delay(Look, clock);
        foreach (var folder in folders)
            await ServerProcess.KillAllAsync(folder, clock, CancellationToken.None);
        return folders.Count;
    }

    private static IEnumerable<string> DataFolders(string stateFolder)
    {
        var clusters = Path.Combine(stateFolder, "clusters");
        return !Directory.Exists(clusters) ? [] : Directory.EnumerateFiles(clusters, "postmaster.pid",
            new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = Deepest, IgnoreInaccessible = true }).Select(f => Path.GetDirectoryName(f)!);
    }
}
