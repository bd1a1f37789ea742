using System.Diagnostics;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>How a process ended.</summary>
/// <param name="Words">For a person.</param>
/// <param name="IsClean">Whether it ended by itself with code 0.</param>
internal sealed record ProcessEnd(string Words, bool IsClean);

/// <summary>
/// The main process of an instance and all that it started: its session, its control group, and whatever carries the
/// marker. Watches and ends them. Thread-safe.
/// </summary>
internal sealed class RunningProcess : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private readonly Guid _instance;
    private readonly Process? _child;
    private readonly ControlGroups _groups;
    private readonly TimeProvider _clock;
    private readonly long _startedAt;
    private readonly Lock _gate = new();
    private Task? _ending;

    public RunningProcess(Guid instance, ProcessIdentity identity, Process? child, ControlGroups groups, TimeProvider clock)
    {
        (_instance, Identity, _child, _groups, _clock) = (instance, identity, child, groups, clock);
        _startedAt = clock.GetTimestamp();
    }

    /// <summary>The main process.</summary>
    public ProcessIdentity Identity { get; }

    /// <summary>The ending that was asked for; null while none was.</summary>
    public Task? Ending
    {
        get
        {
            lock (_gate)
                return _ending;
        }
    }

    /// <summary>How often SIGKILL was needed.</summary>
    public int Kills { get; private set; }

    /// <summary>Whether it had to be ended by SIGKILL after the drain time.</summary>
    public bool WasForced { get; private set; }

    /// <summary>Waits for the end of the main process, and says how it ended.</summary>
    public async Task<ProcessEnd> EndedAsync(CancellationToken cancellation)
    {
        if (_child is not null)
            await _child.WaitForExitAsync(cancellation);
        while (Identity.IsAlive())
            await Task.Delay(Look, _clock, cancellation);
        var after = Seconds(_clock.GetElapsedTime(_startedAt));
        return _child is not null
            ? new ProcessEnd($"{Code(_child.ExitCode)} after {after}", _child.ExitCode == 0)
            : new ProcessEnd("ended; its exit code is unknown, for it was started before this agent", false);
    }

    /// <summary>SIGTERM to the process group, the drain time, then SIGKILL to all that is left. Idempotent: the first call acts, the others wait for it.</summary>
    public Task EndAsync(TimeSpan drain, CancellationToken cancellation)
    {
        lock (_gate)
            return _ending ??= Task.Run(() => TerminateAsync(drain, cancellation), cancellation);
    }

    private async Task TerminateAsync(TimeSpan drain, CancellationToken cancellation)
    {
        var since = _clock.GetTimestamp();
        if (Identity.IsAlive())
            ProcessSignals.SendToGroup(Identity.Pid, ProcessSignals.Terminate);
        while (Near().Any())
        {
            if (_clock.GetElapsedTime(since) >= drain)
            {
                WasForced = true;
                await KillAllAsync(cancellation);
                return;
            }
            await Task.Delay(Look, _clock, cancellation);
        }
    }

    /// <summary>SIGKILL to everything of the instance until nothing is left. Returns how many processes it ended.</summary>
    public async Task<int> KillAllAsync(CancellationToken cancellation)
    {
        var killed = await KillAllAsync(_instance, Identity.Pid, _groups, _clock, cancellation);
        Kills += killed;
        return killed;
    }

    /// <summary>The same for an instance whose session is not known (0).</summary>
    public static async Task<int> KillAllAsync(Guid instance, int session, ControlGroups groups, TimeProvider clock, CancellationToken cancellation)
    {
        var seen = new HashSet<int>();
        var pause = 2;
        while (true)
        {
            var left = Everything(instance, session, groups).ToList();
            foreach (var pid in left)
                if (ProcessSignals.Send(pid, ProcessSignals.Kill))
                    seen.Add(pid);
            if (left.Count == 0)
                return seen.Count;
            // One that waits for a disk ends only when the disk answers.
            pause = Math.Min(pause * 2, 250);
            await Task.Delay(TimeSpan.FromMilliseconds(pause), clock, cancellation);
        }
    }

    /// <summary>
    /// The session leader that carries an instance's marker; null when there is none. A process that was spawned a
    /// moment ago carries it only after its exec, and leads its session a moment later: so it is looked for again.
    /// </summary>
    public static async Task<ProcessIdentity?> FindLeaderAsync(Guid instance, TimeProvider clock, CancellationToken cancellation)
    {
        const int WhileNothing = 5;
        const int WhileMarked = 100;
        for (var look = 0; ; look++)
        {
            var marked = ProcessTable.All().Where(p => ProcessTable.InstanceOf(p.Pid) == instance).ToList();
            if (marked.Where(p => p.Pid == p.Session).Select(p => ProcessIdentity.Of(p.Pid)).FirstOrDefault(i => i is not null) is { } leader)
                return leader;
            if (look >= (marked.Count > 0 ? WhileMarked : WhileNothing))
                return null;
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock, cancellation);
        }
    }

    public void Dispose() => _child?.Dispose();

    /// <summary>The processes of its session and group: found without reading environments, for frequent looks.</summary>
    private IEnumerable<int> Near()
    {
        var alive = ProcessTable.All().ToDictionary(p => p.Pid);
        return alive.Values.Where(p => p.Session == Identity.Pid).Select(p => p.Pid).Concat(_groups.Members(_instance).Where(alive.ContainsKey));
    }

    private static IEnumerable<int> Everything(Guid instance, int session, ControlGroups groups)
    {
        var members = groups.Members(instance).ToHashSet();
        return ProcessTable.All()
            .Where(p => p.Pid != Environment.ProcessId && ((session > 1 && p.Session == session) || members.Contains(p.Pid) || ProcessTable.InstanceOf(p.Pid) == instance))
            .Select(p => p.Pid);
    }

    private static string Code(int code) => code > 128 && code <= 128 + 64
        ? $"was ended by signal {code - 128}{Name(code - 128)}"
        : $"exited with code {code}";

    private static string Name(int signal) => signal switch
    {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        6 => " (SIGABRT)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    };

    private static string Seconds(TimeSpan time) => time.TotalSeconds < 10 ? $"{time.TotalSeconds:0.0} s" : $"{time.TotalSeconds:0} s";
}
