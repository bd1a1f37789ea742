using System.Text;
using System.Text.RegularExpressions;

namespace Groundcrew.Fleet.OnNode;

/// <summary>/proc/diskstats, as node_exporter's collector diskstats names it, without the devices that it leaves out.</summary>
internal sealed partial class Disks : IMeasured
{
    private const double Sectors = 512;
    private const double Milliseconds = 1 / 1000d;

    private static readonly (string Name, string Type, double Unit)[] Columns =
    [
        ("reads_completed_total", "counter", 1), ("reads_merged_total", "counter", 1), ("read_bytes_total", "counter", Sectors), ("read_time_seconds_total", "counter", Milliseconds),
        ("writes_completed_total", "counter", 1), ("writes_merged_total", "counter", 1), ("written_bytes_total", "counter", Sectors), ("write_time_seconds_total", "counter", Milliseconds),
        ("io_now", "gauge", 1), ("io_time_seconds_total", "counter", Milliseconds), ("io_time_weighted_seconds_total", "counter", Milliseconds),
        ("discards_completed_total", "counter", 1), ("discards_merged_total", "counter", 1), ("discarded_sectors_total", "counter", 1), ("discard_time_seconds_total", "counter", Milliseconds),
        ("flush_requests_total", "counter", 1), ("flush_requests_time_seconds_total", "counter", Milliseconds),
    ];

    private readonly (byte[] Name, byte[] Type, double Unit)[] _columns = [.. Columns.Select(c => (Encoding.ASCII.GetBytes($"node_disk_{c.Name}"), Encoding.ASCII.GetBytes(c.Type), c.Unit))];
    private readonly Dictionary<string, bool> _isLeftOut = new(StringComparer.Ordinal);

    public string Name => "diskstats";

    public bool Write(KernelFiles files, MetricText text)
    {
        var stats = files.Read("proc/diskstats");
        for (var column = 0; column < _columns.Length; column++)
        {
            text.Metric(_columns[column].Name, _columns[column].Type, "Disk statistic of /proc/diskstats."u8);
            WriteColumn(stats, column, text);
        }
        // A machine may well have no disk; the file is there on all.
        return !stats.IsEmpty || files.Names("proc").Contains("diskstats");
    }

    private void WriteColumn(ReadOnlySpan<byte> stats, int column, MetricText text)
    {
        while (KernelText.TakeLine(ref stats, out var line))
        {
            KernelText.TakeWord(ref line);
            KernelText.TakeWord(ref line);
            var device = KernelText.TakeWord(ref line);
            if (IsLeftOut(device))
                continue;
            for (var i = 0; i < column; i++)
                KernelText.TakeWord(ref line);
            // Older kernels tell fewer columns.
            if (KernelText.TakeWord(ref line) is { IsEmpty: false } word)
                text.Sample(_columns[column].Name).Label("device"u8, device).Value(KernelText.Number(word) * _columns[column].Unit);
        }
    }

    private bool IsLeftOut(ReadOnlySpan<byte> device)
    {
        Span<char> name = stackalloc char[64];
        if (!Encoding.UTF8.TryGetChars(device, name, out var length) || length == 0)
            return true;
        var known = _isLeftOut.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!known.TryGetValue(name[..length], out var isLeftOut))
            _isLeftOut[name[..length].ToString()] = isLeftOut = Excluded().IsMatch(name[..length]);
        return isLeftOut;
    }

    /// <summary>node_exporter's <c>--collector.diskstats.device-exclude</c>.</summary>
    [GeneratedRegex(@"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$")]
    private static partial Regex Excluded();
}
