using System.Text;
using System.Text.RegularExpressions;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// The mounted file systems, as node_exporter's collector filesystem names them, without those that it leaves out. A
/// network file system whose server is gone is asked in the background and shown with <c>node_filesystem_device_error</c>.
/// </summary>
/// <param name="ask">How the space of a path is found.</param>
/// <param name="clock">Time.</param>
internal sealed partial class FileSystems(Func<string, FileSystemSpace?> ask, TimeProvider clock) : IMeasured
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly Dictionary<string, Task<FileSystemSpace?>> _stuck = new(StringComparer.Ordinal);

    public string Name => "filesystem";

    public bool Write(KernelFiles files, MetricText text)
    {
        var mounts = Mounts(files).ToList();
        if (mounts.Count == 0 && MountsOf(files).Length == 0)
            return false;
        Write(text, mounts, "node_filesystem_size_bytes"u8, "Filesystem size in bytes."u8, s => s.Bytes);
        Write(text, mounts, "node_filesystem_free_bytes"u8, "Filesystem free space in bytes."u8, s => s.FreeBytes);
        Write(text, mounts, "node_filesystem_avail_bytes"u8, "Filesystem space available to non-root users in bytes."u8, s => s.AvailableBytes);
        Write(text, mounts, "node_filesystem_files"u8, "Filesystem total file nodes."u8, s => s.Files);
        Write(text, mounts, "node_filesystem_files_free"u8, "Filesystem total free file nodes."u8, s => s.FreeFiles);
        Write(text, mounts, "node_filesystem_readonly"u8, "Filesystem read-only status."u8, s => s.IsReadOnly ? 1 : 0);
        text.Metric("node_filesystem_device_error"u8, "gauge"u8, "Whether an error occurred while getting statistics for the given device."u8);
        foreach (var (label, space) in mounts)
            text.Sample("node_filesystem_device_error"u8).Label(label).Value(space is null ? 1 : 0);
        return true;
    }

    private static void Write(MetricText text, List<(byte[] Label, FileSystemSpace? Space)> mounts, ReadOnlySpan<byte> name, ReadOnlySpan<byte> help, Func<FileSystemSpace, double> value)
    {
        text.Metric(name, "gauge"u8, help);
        foreach (var (label, space) in mounts)
            if (space is { } known)
                text.Sample(name).Label(label).Value(value(known));
    }

    /// <summary>Those that the machine's first process sees, as node_exporter takes them; who may not look there has its own.</summary>
    private static string MountsOf(KernelFiles files) => files.Text("proc/1/mounts") is { Length: > 0 } first ? first : files.Text("proc/self/mounts");

    private IEnumerable<(byte[] Label, FileSystemSpace? Space)> Mounts(KernelFiles files)
    {
        var seen = new HashSet<(string, string, string)>();
        foreach (var line in MountsOf(files).Split('\n'))
        {
            var words = line.Split(' ');
            if (words.Length < 3)
                continue;
            var (device, point, type) = (Unescape(words[0]), Unescape(words[1]), words[2]);
            if (!ExcludedPoints().IsMatch(point) && !ExcludedTypes().IsMatch(type) && seen.Add((device, point, type)))
                yield return (MetricText.Labels(("device", device), ("fstype", type), ("mountpoint", point)), Ask(point));
        }
    }

    private FileSystemSpace? Ask(string point)
    {
        if (_stuck.TryGetValue(point, out var asked) && !asked.IsCompleted)
            return null;
        _stuck.Remove(point);
        asked = Task.Run(() => ask(point));
        // Measuring is not asynchronous: it runs under a lock, and this answers in microseconds on every sound file system.
        if (Task.WhenAny(asked, Task.Delay(Patience, clock)).GetAwaiter().GetResult() == asked)
            return asked.GetAwaiter().GetResult();
        _stuck[point] = asked;
        return null;
    }

    /// <summary>Blanks and backslashes stand as octal numbers (fstab(5)).</summary>
    private static string Unescape(string word)
    {
        if (!word.Contains('\\', StringComparison.Ordinal))
            return word;
        var text = new StringBuilder();
        for (var i = 0; i < word.Length; i++)
            if (word[i] == '\\' && i + 3 < word.Length && word.AsSpan(i + 1, 3).IndexOfAnyExceptInRange('0', '7') < 0)
            {
                text.Append((char)(((word[i + 1] - '0') << 6) | ((word[i + 2] - '0') << 3) | (word[i + 3] - '0')));
                i += 3;
            }
            else
            {
                text.Append(word[i]);
            }
        return text.ToString();
    }

    /// <summary>node_exporter's <c>--collector.filesystem.mount-points-exclude</c>.</summary>
    [GeneratedRegex("^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)", RegexOptions.ExplicitCapture)]
    private static partial Regex ExcludedPoints();

    /// <summary>node_exporter's <c>--collector.filesystem.fs-types-exclude</c>.</summary>
    [GeneratedRegex("^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$", RegexOptions.ExplicitCapture)]
    private static partial Regex ExcludedTypes();
}
