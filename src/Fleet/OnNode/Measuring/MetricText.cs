using System.Buffers;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// Lines of the Prometheus text format 0.0.4, written straight into bytes that are used again. A sample is written in
/// three steps: <see cref="Sample"/>, as many labels as it has, <see cref="Value"/>. Not thread-safe.
/// </summary>
internal sealed class MetricText
{
    private readonly ArrayBufferWriter<byte> _bytes = new(64 * 1024);
    private bool _hasLabels;

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    /// <summary>Forgets it and keeps the memory.</summary>
    public void Clear() => _bytes.ResetWrittenCount();

    /// <summary>Begins a metric; all its samples follow at once.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type"><c>counter</c>, <c>gauge</c> or <c>untyped</c>.</param>
    /// <param name="help">One sentence without backslash and line end.</param>
    public void Metric(ReadOnlySpan<byte> name, ReadOnlySpan<byte> type, ReadOnlySpan<byte> help)
    {
        Put("# HELP "u8, name, " "u8, help);
        Put("\n# TYPE "u8, name, " "u8, type);
        Put("\n"u8);
    }

    /// <summary>A metric of one sample without labels.</summary>
    public void Single(ReadOnlySpan<byte> name, ReadOnlySpan<byte> type, ReadOnlySpan<byte> help, double value)
    {
        Metric(name, type, help);
        Sample(name).Value(value);
    }

    /// <summary>Begins a sample.</summary>
    public MetricText Sample(ReadOnlySpan<byte> name)
    {
        Put(name);
        _hasLabels = false;
        return this;
    }

    /// <summary>Adds a label whose value is UTF-8 already.</summary>
    public MetricText Label(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Put(_hasLabels ? ","u8 : "{"u8, name, "=\""u8);
        _hasLabels = true;
        while (value.IndexOfAny("\\\"\n"u8) is >= 0 and var at)
        {
            Put(value[..at], value[at] switch { (byte)'\n' => "\\n"u8, (byte)'"' => "\\\""u8, _ => "\\\\"u8 });
            value = value[(at + 1)..];
        }
        Put(value, "\""u8);
        return this;
    }

    /// <summary>Adds labels that <see cref="Labels"/> wrote before.</summary>
    public MetricText Label(byte[] written)
    {
        Put(_hasLabels ? ","u8 : "{"u8, written);
        _hasLabels = true;
        return this;
    }

    /// <summary>Ends a sample.</summary>
    public void Value(double value)
    {
        if (_hasLabels)
            Put("}"u8);
        Put(" "u8);
        if (double.IsInfinity(value))
        {
            Put(value > 0 ? "+Inf\n"u8 : "-Inf\n"u8);
            return;
        }
        var room = _bytes.GetSpan(40);
        value.TryFormat(room, out var length);
        room[length] = (byte)'\n';
        _bytes.Advance(length + 1);
    }

    /// <summary>Labels that many samples share, as they stand between the braces.</summary>
    public static byte[] Labels(params ReadOnlySpan<(string Name, string Value)> labels)
    {
        var text = new MetricText();
        foreach (var (name, value) in labels)
            text.Label(System.Text.Encoding.UTF8.GetBytes(name), System.Text.Encoding.UTF8.GetBytes(value));
        return text.Written[1..].ToArray();
    }

    private void Put(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b = default, ReadOnlySpan<byte> c = default, ReadOnlySpan<byte> d = default)
    {
        _bytes.Write(a);
        _bytes.Write(b);
        _bytes.Write(c);
        _bytes.Write(d);
    }
}
