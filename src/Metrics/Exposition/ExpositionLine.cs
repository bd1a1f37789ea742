namespace Groundcrew.Metrics;

/// <summary>The formats that targets speak.</summary>
internal enum ExpositionFormat
{
    /// <summary>Prometheus' text format, 0.0.4 and 1.0.0.</summary>
    Text,

    /// <summary>OpenMetrics 1.0.</summary>
    OpenMetrics,

    /// <summary>Metric families in protobuf.</summary>
    Protobuf,
}

/// <summary>What a line says.</summary>
internal enum LineKind
{
    /// <summary>Nothing: blank, or a comment.</summary>
    Nothing,

    Help,
    Type,
    Unit,
    Sample,

    /// <summary>The last line of OpenMetrics.</summary>
    End,
}

/// <summary>One line of an exposition, as pieces of its bytes.</summary>
internal ref struct ExpositionLine
{
    public LineKind Kind;

    /// <summary>A sample's name and labels as they are written, which identify it within its target; else the metric's name.</summary>
    public ReadOnlySpan<byte> Series;

    /// <summary>The byte of the line at which <see cref="Series"/> begins.</summary>
    public int SeriesAt;

    /// <summary>The help, type or unit; a help with its escapes.</summary>
    public ReadOnlySpan<byte> Text;

    public double Value;

    /// <summary>The native histogram that the sample is; it belongs to whoever takes the line. Null for a float.</summary>
    public FloatHistogram? Histogram;

    /// <summary>Milliseconds since 1970, when the line has a timestamp.</summary>
    public long? Time;

    /// <summary>An exemplar as it is written, judged already; empty when there is none.</summary>
    public ReadOnlySpan<byte> Exemplar;

    /// <summary>The byte of the line at which <see cref="Exemplar"/> begins.</summary>
    public int ExemplarAt;
}

/// <summary>Why an exposition cannot be read, and where. Lines and bytes count from 1.</summary>
internal sealed class ExpositionException(int line, int at, string message) : FormatException($"line {line}, byte {at + 1}: {message}")
{
    public int Line => line;

    public int Byte => at + 1;
}
