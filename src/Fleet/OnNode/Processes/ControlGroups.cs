using System.Globalization;

namespace Groundcrew.Fleet.OnNode;

/// <summary>How the limits of one instance are held.</summary>
/// <param name="Words">For its status.</param>
/// <param name="Folders">The control groups that its launcher enters; none where they cannot be made.</param>
/// <param name="DataLimit">The rlimit on data in KiB that the launcher sets; null for none.</param>
internal sealed record HeldLimits(string Words, IReadOnlyList<string> Folders, long? DataLimit);

/// <summary>
/// Limits by control groups where this process may make them (cgroups(7), version 2 or 1), else by rlimits. One group
/// for each instance also tells which processes are its own. Thread-safe.
/// </summary>
internal sealed class ControlGroups
{
    private const string Folder = "groundcrew";
    private readonly string? _version;
    private readonly string? _memory;
    private readonly string? _cpu;

    private ControlGroups(string? version, string? memory, string? cpu) => (_version, _memory, _cpu) = (version, memory, cpu);

    /// <summary>Looks what can be used below <paramref name="root"/>; null uses none.</summary>
    public static ControlGroups Find(string? root, string membership)
    {
        if (root is null)
            return new ControlGroups(null, null, null);
        if (File.Exists(Path.Combine(root, "cgroup.controllers")) && Version2(Path.Combine(root, Own(membership, "").TrimStart('/'))) is { } unified)
            return new ControlGroups("cgroup v2", unified, unified);
        var memory = Version1(root, "memory", membership);
        var cpu = Version1(root, "cpu", membership);
        return new ControlGroups(memory is null && cpu is null ? null : "cgroup v1", memory, cpu);
    }

    /// <summary>Makes the groups of an instance with its limits.</summary>
    public HeldLimits Hold(Guid instance, ResourceLimits limits)
    {
        var missing = new List<string>();
        var folders = new List<string>();
        var memory = Make(_memory, instance, limits.MemoryBytes is { } bytes ? [("memory", bytes)] : []);
        var cpu = Make(_cpu, instance, limits.Millicores is { } millicores ? [("cpu", millicores)] : []);
        foreach (var made in new[] { memory, cpu })
            if (made is not null && !folders.Contains(made))
                folders.Add(made);
        if (memory is null && limits.MemoryBytes is not null)
            missing.Add("memory is held as RLIMIT_DATA of each process only");
        if (cpu is null && limits.Millicores is not null)
            missing.Add("processor time is not limited");
        var how = folders.Count > 0 ? _version! : "rlimit";
        return new HeldLimits(
            missing.Count > 0 ? $"{how}: {string.Join(", ", missing)}" : how, folders,
            memory is null && limits.MemoryBytes is { } data ? Math.Max(1, data / 1024) : null);
    }

    /// <summary>The processes of an instance's groups.</summary>
    public IEnumerable<int> Members(Guid instance)
    {
        foreach (var parent in new[] { _memory, _cpu }.Where(p => p is not null).Distinct())
            foreach (var line in Lines(Path.Combine(parent!, instance.ToString("N"), "cgroup.procs")))
                if (int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
                    yield return pid;
    }

    /// <summary>Where the kernel tells what an instance uses.</summary>
    public MeasuredInstance Measured(InstanceSpec spec, int pid)
    {
        var name = spec.InstanceId.ToString("N");
        return new MeasuredInstance(
            spec, pid, _memory is null ? null : Path.Combine(_memory, name), _cpu is null ? null : Path.Combine(_cpu, name), _version == "cgroup v2");
    }

    /// <summary>How often the kernel ended a process of the instance for want of memory.</summary>
    public long OutOfMemoryKills(Guid instance)
    {
        if (_memory is null)
            return 0;
        var file = Path.Combine(_memory, instance.ToString("N"), _version == "cgroup v2" ? "memory.events" : "memory.oom_control");
        var line = Lines(file).FirstOrDefault(l => l.StartsWith("oom_kill ", StringComparison.Ordinal));
        return line is not null && long.TryParse(line["oom_kill ".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;
    }

    /// <summary>Removes the groups; false while a process is still in one.</summary>
    public bool Remove(Guid instance)
    {
        var done = true;
        foreach (var parent in new[] { _memory, _cpu }.Where(p => p is not null).Distinct())
        {
            var folder = Path.Combine(parent!, instance.ToString("N"));
            try
            {
                if (Directory.Exists(folder))
                    Directory.Delete(folder);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                done = false;
            }
        }
        return done;
    }

    private string? Make(string? parent, Guid instance, (string What, long Amount)[] limits)
    {
        if (parent is null)
            return null;
        var folder = Path.Combine(parent, instance.ToString("N"));
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var (what, amount) in limits)
                foreach (var (file, text) in Settings(what, amount))
                    Put(Path.Combine(folder, file), text);
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private IEnumerable<(string File, string Text)> Settings(string what, long amount) => (_version, what) switch
    {
        ("cgroup v2", "memory") => [("memory.max", $"{amount}")],
        ("cgroup v2", _) => [("cpu.max", $"{Math.Max(1000, amount * 100)} 100000")],
        (_, "memory") => [("memory.limit_in_bytes", $"{amount}")],
        _ => [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", $"{Math.Max(1000, amount * 100)}")],
    };

    private static string? Version2(string own)
    {
        try
        {
            var folder = Path.Combine(own, Folder);
            Directory.CreateDirectory(folder);
            if (!Enables(own))
            {
                // Version 2 allows no processes beside groups (unless at the root): we move into a leaf of our own.
                var leaf = Path.Combine(own, Folder + "-agent");
                Directory.CreateDirectory(leaf);
                Put(Path.Combine(leaf, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
                if (!Enables(own))
                    return null;
            }
            return Enables(folder) ? folder : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool Enables(string folder)
    {
        try
        {
            Put(Path.Combine(folder, "cgroup.subtree_control"), "+cpu +memory");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string? Version1(string root, string controller, string membership)
    {
        var mount = Path.Combine(root, controller);
        if (!File.Exists(Path.Combine(mount, "cgroup.procs")))
            return null;
        var own = Path.Combine(mount, Own(membership, controller).TrimStart('/'));
        var folder = Path.Combine(Directory.Exists(own) ? own : mount, Folder);
        try
        {
            Directory.CreateDirectory(folder);
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Our own group from the lines of /proc/self/cgroup (<c>id:controllers:path</c>).</summary>
    private static string Own(string membership, string controller) =>
        membership.Split('\n').Select(l => l.Split(':', 3)).FirstOrDefault(p => p.Length == 3 && p[1].Split(',').Contains(controller))?[2].Trim() ?? "/";

    private static void Put(string file, string text)
    {
        // A control file takes one write and is no file on a disk.
        using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(handle, System.Text.Encoding.ASCII.GetBytes(text), 0);
    }

    private static string[] Lines(string file)
    {
        try
        {
            return File.Exists(file) ? File.ReadAllLines(file) : [];
        }
        catch (IOException)
        {
            return []; // The group went away meanwhile.
        }
    }
}
