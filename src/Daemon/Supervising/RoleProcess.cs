using System.Diagnostics;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Daemon.Supervising;

/// <summary>
/// One role's process: started in a session of its own, so that it outlives its supervisor, and known by identity, so
/// that the next supervisor finds it again. For one caller at a time.
/// </summary>
internal sealed class RoleProcess(string role, string data, IReadOnlyList<string> arguments)
{
    private const long MaxLogBytes = 16 * 1024 * 1024;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    /// <summary>Where its own log cannot be written, it speaks through the supervisor's.</summary>
    private const string OwnLogOrOurs = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; log=$1; shift; (: >>\"$log\") 2>/dev/null || exec \"$@\" </dev/null; exec \"$@\" </dev/null >>\"$log\" 2>&1";

    private static readonly TimeSpan LookForSuccessorEvery = TimeSpan.FromMilliseconds(250);

    private readonly string _identityFile = IdentityFileOf(data, role);
    private Process? _child;

    public string Role => role;

    public string LogFile { get; } = Path.Combine(data, role, $"{role}.log");

    public ProcessIdentity? Identity { get; private set; }

    public bool IsAlive => Identity?.IsAlive() == true;

    /// <summary>Finds the process of an earlier supervisor; false when it does not run.</summary>
    public bool TryAdopt()
    {
        Identity = ReadIdentity(_identityFile);
        if (!IsAlive)
            return false;
        // It is not the child that was started here, if one was.
        _child?.Dispose();
        _child = null;
        return true;
    }

    /// <summary>Who carries the role of a data folder.</summary>
    public static string IdentityFileOf(string data, string role) => Path.Combine(data, role, "process.json");

    /// <summary>
    /// Called in a process that takes the role over from another: leaves word that it is the one now, for supervisors. Where
    /// nobody supervises there is no such file, and none is made.
    /// </summary>
    public static void Succeed(string data, string role)
    {
        if (File.Exists(IdentityFileOf(data, role)))
            DurableFiles.Real.Replace(IdentityFileOf(data, role), JsonSerializer.Serialize(ProcessIdentity.Self, Json.Options));
    }

    /// <summary>Starts it, and then leaves word of it for the next supervisor.</summary>
    /// <exception cref="IOException">The word could not be left, or it could not be started; waiting for it tells which.</exception>
    public void Start()
    {
        Launch();
        if (Identity is not null)
            DurableFiles.Real.Replace(_identityFile, JsonSerializer.Serialize(Identity, Json.Options));
    }

    /// <summary>Starts it and leaves no word: it takes over from one that runs, and says so itself.</summary>
    /// <exception cref="IOException">It could not be started.</exception>
    public void Launch()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(LogFile)!);
        var start = new ProcessStartInfo("/usr/bin/setsid") { UseShellExecute = false };
        foreach (var word in (string[])["/bin/sh", "-c", OwnLogOrOurs, "sh", LogFile, .. Program.Self, .. arguments])
            start.ArgumentList.Add(word);
        // The runtime's own name for: what waits for bytes goes on where they arrive, without a hop between threads.
        if (role == "edge")
            start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        _child?.Dispose();
        _child = null;
        _child = Process.Start(start) ?? throw new IOException($"The {role} could not be started.");
        Identity = ProcessIdentity.Of(_child.Id);
    }

    /// <summary>Waits until it ended; its exit code, or null when it was adopted and its code is unknown.</summary>
    public async Task<int?> WaitAsync(TimeProvider clock, CancellationToken cancellation)
    {
        if (_child is not null)
        {
            await _child.WaitForExitAsync(cancellation);
            return _child.ExitCode;
        }
        while (IsAlive)
            await Task.Delay(LookEvery, clock, cancellation);
        return null;
    }

    /// <summary>
    /// Waits until it ended or another process took the role over; says in words how, and gives the exit code when it ended
    /// and is known.
    /// </summary>
    public async Task<RoleEnd> WaitForEndAsync(TimeProvider clock, CancellationToken cancellation)
    {
        var begun = WrittenAt(_identityFile);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var ending = WaitAsync(clock, either.Token);
        while (!ending.IsCompleted)
        {
            // The file says who has the role. It is looked at rarely and read only when it was written meanwhile.
            if (WrittenAt(_identityFile) is var now && now != begun)
            {
                begun = now;
                if (ReadIdentity(_identityFile) is { } other && other != Identity)
                    break;
            }
            await Task.WhenAny(ending, Task.Delay(LookForSuccessorEvery, clock, either.Token));
            cancellation.ThrowIfCancellationRequested();
        }
        var isSucceeded = ReadIdentity(_identityFile) is { } successor && successor != Identity && successor.IsAlive();
        if (ending.IsCompletedSuccessfully && !isSucceeded)
            return new RoleEnd(await ending, IsSucceeded: false);
        await either.CancelAsync();
        return new RoleEnd(null, isSucceeded);
    }

    /// <summary>SIGTERM, then SIGKILL when it has not ended in time.</summary>
    public async Task StopAsync(TimeSpan grace, TimeProvider clock)
    {
        if (Identity is { } identity)
            await StopAsync(identity, grace, clock);
    }

    /// <summary>The same for a process that is no role's any more.</summary>
    public static async Task StopAsync(ProcessIdentity identity, TimeSpan grace, TimeProvider clock)
    {
        if (!identity.IsAlive())
            return;
        ProcessSignals.Send(identity.Pid, ProcessSignals.Terminate);
        var deadline = clock.GetUtcNow() + grace;
        while (identity.IsAlive() && clock.GetUtcNow() < deadline)
            await Task.Delay(LookEvery, clock);
        if (identity.IsAlive())
            ProcessSignals.Send(identity.Pid, ProcessSignals.Kill);
    }

    /// <summary>
    /// The words for a person that it wrote last, when they were written after <paramref name="since"/>: why it cannot start.
    /// </summary>
    public IReadOnlyList<string> LastWords(DateTimeOffset since) =>
        File.Exists(LogFile) && new DateTimeOffset(File.GetLastWriteTimeUtc(LogFile), TimeSpan.Zero) >= since
            ? [.. File.ReadLines(LogFile).TakeLast(5).Where(l => l.StartsWith("crew:", StringComparison.Ordinal))]
            : [];

    /// <summary>Keeps the log bounded: the file is open for append, so it may be cut while it is written.</summary>
    public void CutLog()
    {
        if (!File.Exists(LogFile) || new FileInfo(LogFile).Length < MaxLogBytes)
            return;
        File.Copy(LogFile, LogFile + ".1", overwrite: true);
        using var file = File.Open(LogFile, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(0);
    }

    private static DateTime WrittenAt(string file) => File.GetLastWriteTimeUtc(file);

    public static ProcessIdentity? ReadIdentity(string file)
    {
        if (!File.Exists(file))
            return null;
        try
        {
            return JsonSerializer.Deserialize<ProcessIdentity>(File.ReadAllText(file), Json.Options);
        }
        catch (JsonException)
        {
            // Written by something else: it names no process of ours.
            return null;
        }
    }
}

/// <summary>How the watch over a role's process ended.</summary>
/// <param name="Code">Its exit code; null when it is not known.</param>
/// <param name="IsSucceeded">Whether another process has the role now.</param>
internal readonly record struct RoleEnd(int? Code, bool IsSucceeded);
