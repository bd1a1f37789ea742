using System.Text;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Traffic of network devices from /proc/net/dev and their state from /sys/class/net, as node_exporter's collectors netdev and netclass name them.</summary>
internal sealed class Networks : IMeasured
{
    private static readonly string[] Columns =
    [
        "receive_bytes", "receive_packets", "receive_errs", "receive_drop", "receive_fifo", "receive_frame", "receive_compressed", "receive_multicast",
        "transmit_bytes", "transmit_packets", "transmit_errs", "transmit_drop", "transmit_fifo", "transmit_colls", "transmit_carrier", "transmit_compressed",
    ];

    private readonly byte[][] _names = [.. Columns.Select(c => Encoding.ASCII.GetBytes($"node_network_{c}_total"))];

    public string Name => "network";

    public bool Write(KernelFiles files, MetricText text)
    {
        var traffic = files.Read("proc/net/dev");
        if (traffic.IsEmpty)
            return false;
        for (var column = 0; column < _names.Length; column++)
        {
            text.Metric(_names[column], "counter"u8, "Network device statistic of /proc/net/dev."u8);
            WriteColumn(traffic, column, text);
        }
        WriteStates(files, text);
        return true;
    }

    private void WriteColumn(ReadOnlySpan<byte> traffic, int column, MetricText text)
    {
        while (KernelText.TakeLine(ref traffic, out var line))
        {
            // The name may touch its first number: "eth0:123".
            var colon = line.LastIndexOf((byte)':');
            if (colon < 0)
                continue;
            var numbers = line[(colon + 1)..];
            for (var i = 0; i < column; i++)
                KernelText.TakeWord(ref numbers);
            text.Sample(_names[column]).Label("device"u8, line[..colon].Trim((byte)' ')).Value(KernelText.TakeNumber(ref numbers));
        }
    }

    private static void WriteStates(KernelFiles files, MetricText text)
    {
        // Beside the devices lies a file of the bonding driver.
        var devices = files.Names("sys/class/net").Where(d => d != "bonding_masters").Order(StringComparer.Ordinal).Select(d => (Name: d, Label: MetricText.Labels(("device", d)))).ToList();
        text.Metric("node_network_up"u8, "gauge"u8, "Value is 1 if operstate is 'up', 0 otherwise."u8);
        foreach (var (name, label) in devices)
            text.Sample("node_network_up"u8).Label(label).Value(files.Read($"sys/class/net/{name}/operstate").StartsWith("up"u8) ? 1 : 0);
        text.Metric("node_network_mtu_bytes"u8, "gauge"u8, "Largest packet that the device sends."u8);
        foreach (var (name, label) in devices)
            if (files.Number($"sys/class/net/{name}/mtu") is { } bytes)
                text.Sample("node_network_mtu_bytes"u8).Label(label).Value(bytes);
        text.Metric("node_network_speed_bytes"u8, "gauge"u8, "Speed of the device in bytes per second, where its driver knows it."u8);
        foreach (var (name, label) in devices)
            if (files.Number($"sys/class/net/{name}/speed") is >= 0 and var megabits)
                text.Sample("node_network_speed_bytes"u8).Label(label).Value(megabits * 1_000_000 / 8);
    }
}
