using System.Buffers;
using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// The metrics of a machine and of the instances on it, under the names that node_exporter and cAdvisor made usual, in the
/// Prometheus text format 0.0.4. Read when they are asked for, and at most once a second. Thread-safe.
/// </summary>
public sealed class NodeMeasures
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private readonly KernelFiles _files;
    private readonly TimeProvider _clock;
    private readonly (IMeasured Source, byte[] Label)[] _sources;
    private readonly MetricText _text = new();
    private readonly Lock _gate = new();
    private long? _readAt;

    /// <summary>The measures of this machine.</summary>
    /// <param name="host">Its instances.</param>
    /// <param name="clock">Time.</param>
    public NodeMeasures(InstanceHost host, TimeProvider clock)
        : this("/", host.Running, DiskSpace.Of, clock)
    {
    }

    /// <param name="root">The folder that stands for <c>/</c>.</param>
    /// <param name="running">The instances that run now.</param>
    /// <param name="space">How the space of a mounted file system is found.</param>
    /// <param name="clock">Time.</param>
    internal NodeMeasures(string root, Func<IReadOnlyList<MeasuredInstance>> running, Func<string, FileSystemSpace?> space, TimeProvider clock)
    {
        (_files, _clock) = (new KernelFiles(root), clock);
        IMeasured[] sources = [new Processors(), new Memory(), new FileSystems(space, clock), new Networks(), new Disks(), new Kernel(clock), new InstanceUses(running, clock)];
        _sources = [.. sources.Select(s => (s, MetricText.Labels(("collector", s.Name))))];
    }

    /// <summary>Writes them all. Waits while another call reads.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        lock (_gate)
        {
            if (_readAt is not { } at || _clock.GetElapsedTime(at) >= Fresh)
            {
                Read();
                _readAt = _clock.GetTimestamp();
            }
            output.Write(_text.Written);
        }
    }

    /// <summary>The same as text.</summary>
    internal string Text()
    {
        var bytes = new ArrayBufferWriter<byte>();
        WriteTo(bytes);
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private void Read()
    {
        _text.Clear();
        Span<bool> worked = stackalloc bool[_sources.Length];
        for (var i = 0; i < _sources.Length; i++)
            worked[i] = _sources[i].Source.Write(_files, _text);
        _text.Metric("node_scrape_collector_success"u8, "gauge"u8, "Whether a collector succeeded."u8);
        for (var i = 0; i < _sources.Length; i++)
            _text.Sample("node_scrape_collector_success"u8).Label(_sources[i].Label).Value(worked[i] ? 1 : 0);
    }
}
