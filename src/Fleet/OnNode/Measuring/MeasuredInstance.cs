using System.Globalization;

namespace Groundcrew.Fleet.OnNode;

/// <summary>An instance that runs, and where the kernel tells what it uses. Immutable.</summary>
/// <param name="Spec">The instance.</param>
/// <param name="Pid">Its main process, which leads its session.</param>
/// <param name="MemoryGroup">The folder of its control group for memory; null when there is none.</param>
/// <param name="ProcessorGroup">The folder of its control group for processor time; null when there is none.</param>
/// <param name="IsUnified">Whether they are of version 2.</param>
internal sealed record MeasuredInstance(InstanceSpec Spec, int Pid, string? MemoryGroup, string? ProcessorGroup, bool IsUnified)
{
    /// <summary>The labels of all its series.</summary>
    public byte[] Labels { get; } = MetricText.Labels(
        ("id", $"/groundcrew/{Spec.InstanceId:N}"), ("name", Spec.Name), ("image", Spec.Artifact),
        ("org", Spec.Org), ("project", Spec.Project), ("service", $"{Spec.Project}-{Spec.Org}"), ("environment", Spec.Environment),
        ("deployment", Spec.Deployment), ("instance_id", Spec.InstanceId.ToString()), ("region", Spec.Region));

    /// <summary>What it uses, by its groups and the processes that were found to be its own.</summary>
    public InstanceUsage Read(KernelFiles files, ProcessUsage processes) => new(
        Labels, Spec.Limits, processes,
        IsUnified ? Unified(files, processes) : Separate(files, processes),
        IsUnified ? UnifiedTimes(files) : SeparateTimes(files));

    /// <summary>Adds the members of its groups, for those that left its session.</summary>
    public void AddMembers(KernelFiles files, Dictionary<int, int> owners, int index)
    {
        foreach (var group in new[] { MemoryGroup, ProcessorGroup })
        {
            var rest = group is null ? default : files.Read($"{group}/cgroup.procs");
            while (KernelText.TakeLine(ref rest, out var line))
                if (int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
                    owners[pid] = index;
        }
    }

    private MemoryUse Unified(KernelFiles files, ProcessUsage processes)
    {
        if (MemoryGroup is null || files.Number($"{MemoryGroup}/memory.current") is not { } usage)
            return Fallback(processes);
        var stat = files.Read($"{MemoryGroup}/memory.stat");
        return new(
            usage, Math.Max(0, usage - (KernelText.Find(stat, "inactive_file"u8) ?? 0)), KernelText.Find(stat, "anon"u8) ?? 0, KernelText.Find(stat, "file"u8),
            files.Number($"{MemoryGroup}/memory.peak"), KernelText.Find(files.Read($"{MemoryGroup}/memory.events"), "oom_kill"u8));
    }

    private MemoryUse Separate(KernelFiles files, ProcessUsage processes)
    {
        if (MemoryGroup is null || files.Number($"{MemoryGroup}/memory.usage_in_bytes") is not { } usage)
            return Fallback(processes);
        var stat = files.Read($"{MemoryGroup}/memory.stat");
        return new(
            usage, Math.Max(0, usage - (KernelText.Find(stat, "total_inactive_file"u8) ?? 0)), KernelText.Find(stat, "total_rss"u8) ?? 0, KernelText.Find(stat, "total_cache"u8),
            files.Number($"{MemoryGroup}/memory.max_usage_in_bytes"), KernelText.Find(files.Read($"{MemoryGroup}/memory.oom_control"), "oom_kill"u8));
    }

    private static MemoryUse Fallback(ProcessUsage processes) => new(processes.ResidentBytes, processes.ResidentBytes, processes.AnonymousBytes, null, null, null);

    private ProcessorUse? UnifiedTimes(KernelFiles files)
    {
        var stat = ProcessorGroup is null ? default : files.Read($"{ProcessorGroup}/cpu.stat");
        const double Microseconds = 1_000_000;
        return KernelText.Find(stat, "usage_usec"u8) is not { } usage ? null : new(
            usage / Microseconds, (KernelText.Find(stat, "user_usec"u8) ?? 0) / Microseconds, (KernelText.Find(stat, "system_usec"u8) ?? 0) / Microseconds,
            KernelText.Find(stat, "nr_periods"u8), KernelText.Find(stat, "nr_throttled"u8), KernelText.Find(stat, "throttled_usec"u8) / Microseconds);
    }

    /// <summary>In version 1 the times are in the group only where the controllers cpu and cpuacct are mounted together, as they usually are.</summary>
    private ProcessorUse? SeparateTimes(KernelFiles files)
    {
        const double Nanoseconds = 1_000_000_000;
        if (ProcessorGroup is null)
            return null;
        var throttling = files.Read($"{ProcessorGroup}/cpu.stat");
        var (periods, throttled, time) = (
            KernelText.Find(throttling, "nr_periods"u8), KernelText.Find(throttling, "nr_throttled"u8), KernelText.Find(throttling, "throttled_time"u8) / Nanoseconds);
        if (files.Number($"{ProcessorGroup}/cpuacct.usage") is not { } usage)
            return new(null, null, null, periods, throttled, time);
        return new(
            usage / Nanoseconds, files.Number($"{ProcessorGroup}/cpuacct.usage_user") / Nanoseconds, files.Number($"{ProcessorGroup}/cpuacct.usage_sys") / Nanoseconds,
            periods, throttled, time);
    }
}

/// <summary>Memory of an instance in bytes; what is null is not known.</summary>
internal sealed record MemoryUse(double Usage, double WorkingSet, double Anonymous, double? Cache, double? Peak, double? Kills);

/// <summary>Processor time of an instance's group in seconds; what is null is not known there.</summary>
internal sealed record ProcessorUse(double? Usage, double? User, double? System, double? Periods, double? ThrottledPeriods, double? Throttled);

/// <summary>What an instance uses.</summary>
internal sealed record InstanceUsage(byte[] Labels, ResourceLimits Limits, ProcessUsage Processes, MemoryUse Memory, ProcessorUse? Processor);
