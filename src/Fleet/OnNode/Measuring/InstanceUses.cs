using System.Globalization;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// What the instances use, as cAdvisor names it. From their control groups where they have some, else from their
/// processes. Traffic by instance is not told: instances share the network of their machine.
/// </summary>
/// <param name="running">The instances that run now.</param>
/// <param name="clock">Time.</param>
internal sealed class InstanceUses(Func<IReadOnlyList<MeasuredInstance>> running, TimeProvider clock) : IMeasured
{
    private const double Period = 100_000;

    public string Name => "instances";

    public bool Write(KernelFiles files, MetricText text)
    {
        var instances = running();
        var processes = ProcessesOf(instances, files);
        var boot = KernelText.Find(files.Read("proc/stat"), "btime"u8) ?? 0;
        var uses = new List<InstanceUsage>(instances.Count);
        for (var i = 0; i < instances.Count; i++)
            // One that ended between the two looks has nothing to tell.
            if (processes[i].Processes > 0)
                uses.Add(instances[i].Read(files, processes[i]));
        WriteProcessor(text, uses);
        WriteMemory(text, uses);
        WriteProcesses(text, uses, boot);
        WriteLimits(text, uses);
        return true;
    }

    private static ProcessUsage[] ProcessesOf(IReadOnlyList<MeasuredInstance> instances, KernelFiles files)
    {
        var uses = instances.Select(_ => new ProcessUsage()).ToArray();
        if (uses.Length == 0)
            return uses;
        var (sessions, members) = (new Dictionary<int, int>(), new Dictionary<int, int>());
        foreach (var (index, instance) in instances.Index())
        {
            sessions[instance.Pid] = index;
            instance.AddMembers(files, members, index);
        }
        foreach (var name in files.Names("proc"))
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && ProcessStat.Parse(files.Read($"proc/{name}/stat")) is { } stat
                && (sessions.TryGetValue(stat.Session, out var owner) || members.TryGetValue(pid, out owner)))
                uses[owner].Add(files, name, stat);
        return uses;
    }

    private static void WriteProcessor(MetricText text, List<InstanceUsage> uses)
    {
        text.Metric("container_cpu_usage_seconds_total"u8, "counter"u8, "Cumulative cpu time consumed in seconds."u8);
        foreach (var use in uses)
            text.Sample("container_cpu_usage_seconds_total"u8).Label(use.Labels).Label("cpu"u8, "total"u8).Value(use.Processor?.Usage ?? (use.Processes.UserSeconds + use.Processes.SystemSeconds));
        Write(text, uses, "container_cpu_user_seconds_total"u8, "counter"u8, "Cumulative user cpu time consumed in seconds."u8, u => u.Processor?.User ?? u.Processes.UserSeconds);
        Write(text, uses, "container_cpu_system_seconds_total"u8, "counter"u8, "Cumulative system cpu time consumed in seconds."u8, u => u.Processor?.System ?? u.Processes.SystemSeconds);
        Write(text, uses, "container_cpu_cfs_periods_total"u8, "counter"u8, "Number of elapsed enforcement period intervals."u8, u => u.Processor?.Periods);
        Write(text, uses, "container_cpu_cfs_throttled_periods_total"u8, "counter"u8, "Number of throttled period intervals."u8, u => u.Processor?.ThrottledPeriods);
        Write(text, uses, "container_cpu_cfs_throttled_seconds_total"u8, "counter"u8, "Total time duration the container has been throttled."u8, u => u.Processor?.Throttled);
    }

    private static void WriteMemory(MetricText text, List<InstanceUsage> uses)
    {
        Write(text, uses, "container_memory_usage_bytes"u8, "gauge"u8, "Current memory usage in bytes, including all memory regardless of when it was accessed."u8, u => u.Memory.Usage);
        Write(text, uses, "container_memory_working_set_bytes"u8, "gauge"u8, "Current working set in bytes."u8, u => u.Memory.WorkingSet);
        Write(text, uses, "container_memory_rss"u8, "gauge"u8, "Size of RSS in bytes."u8, u => u.Memory.Anonymous);
        Write(text, uses, "container_memory_cache"u8, "gauge"u8, "Number of bytes of page cache memory."u8, u => u.Memory.Cache);
        Write(text, uses, "container_memory_max_usage_bytes"u8, "gauge"u8, "Maximum memory usage recorded in bytes."u8, u => u.Memory.Peak);
        Write(text, uses, "container_oom_events_total"u8, "counter"u8, "Count of out of memory events observed for the container."u8, u => u.Memory.Kills);
    }

    private void WriteProcesses(MetricText text, List<InstanceUsage> uses, double boot)
    {
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        Write(text, uses, "container_processes"u8, "gauge"u8, "Number of processes running inside the container."u8, u => u.Processes.Processes);
        Write(text, uses, "container_threads"u8, "gauge"u8, "Number of threads running inside the container."u8, u => u.Processes.Threads);
        Write(text, uses, "container_file_descriptors"u8, "gauge"u8, "Number of open file descriptors for the container."u8, u => u.Processes.OpenFiles);
        Write(text, uses, "container_fs_reads_bytes_total"u8, "counter"u8, "Cumulative count of bytes read."u8, u => u.Processes.ReadBytes);
        Write(text, uses, "container_fs_writes_bytes_total"u8, "counter"u8, "Cumulative count of bytes written."u8, u => u.Processes.WrittenBytes);
        Write(text, uses, "container_start_time_seconds"u8, "gauge"u8, "Start time of the container since unix epoch in seconds."u8, u => boot + (u.Processes.StartTicks / Processors.TicksPerSecond));
        Write(text, uses, "container_last_seen"u8, "gauge"u8, "Last time a container was seen by the exporter."u8, _ => now);
    }

    /// <summary>A limit that is not set is 0, as cAdvisor has it; without a quota there is no series of it.</summary>
    private static void WriteLimits(MetricText text, List<InstanceUsage> uses)
    {
        Write(text, uses, "container_spec_memory_limit_bytes"u8, "gauge"u8, "Memory limit for the container."u8, u => u.Limits.MemoryBytes ?? 0);
        Write(text, uses, "container_spec_cpu_period"u8, "gauge"u8, "CPU period of the container."u8, _ => Period);
        Write(text, uses, "container_spec_cpu_quota"u8, "gauge"u8, "CPU quota of the container."u8, u => u.Limits.Millicores * Period / 1000);
    }

    private static void Write(MetricText text, List<InstanceUsage> uses, ReadOnlySpan<byte> name, ReadOnlySpan<byte> type, ReadOnlySpan<byte> help, Func<InstanceUsage, double?> value)
    {
        text.Metric(name, type, help);
        foreach (var use in uses)
            if (value(use) is { } known)
                text.Sample(name).Label(use.Labels).Value(known);
    }
}
