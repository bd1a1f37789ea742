using System.Buffers;
using System.Globalization;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>Writes Prometheus' text format (0.0.4, and 1.0.0 where a name must be quoted). Not thread-safe.</summary>
internal sealed class ExpositionWriter(IBufferWriter<byte> output)
{
    /// <summary>The type of what it writes.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8";

    /// <summary>Begins a metric; its samples follow.</summary>
    public void Family(string name, string type, string? help = null)
    {
        var shown = LabelText.IsPlainMetricName(name) ? name : $"\"{Escaped(name, quotes: true)}\"";
        if (help is not null)
            Write($"# HELP {shown} {Escaped(help, quotes: false)}\n");
        Write($"# TYPE {shown} {type}\n");
    }

    /// <summary>Writes one sample; <paramref name="more"/> are labels that are added to those of the series.</summary>
    public void Sample(Labels series, double value, long? time = null, IReadOnlyList<(string Name, string Value)>? more = null)
    {
        var name = series.Get(Labels.MetricName);
        var isPlain = LabelText.IsPlainMetricName(name);
        var text = new StringBuilder(isPlain ? name : "");
        var pieces = new List<string>();
        if (!isPlain)
            pieces.Add($"\"{Escaped(name, quotes: true)}\"");
        foreach (var label in series)
            if (!label.NameUtf8.SequenceEqual(Labels.MetricNameUtf8))
                pieces.Add(Pair(label.Name, label.Value));
        foreach (var (label, set) in more ?? [])
            pieces.Add(Pair(label, set));
        if (pieces.Count > 0)
            text.Append('{').AppendJoin(',', pieces).Append('}');
        text.Append(' ').Append(FloatText.General(value));
        if (time is { } at)
            text.Append(' ').Append(at.ToString(CultureInfo.InvariantCulture));
        Write(text.Append('\n').ToString());
    }

    private static string Pair(string name, string value) =>
        $"{(LabelText.IsPlainLabelName(name) ? name : $"\"{Escaped(name, quotes: true)}\"")}=\"{Escaped(value, quotes: true)}\"";

    private static string Escaped(string text, bool quotes)
    {
        var escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return quotes ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped;
    }

    private void Write(string text) => Encoding.UTF8.GetBytes(text, output);
}
