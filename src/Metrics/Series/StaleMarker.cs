namespace Groundcrew.Metrics;

/// <summary>
/// The one NaN that says "this series ended here" (Prometheus' staleness marker): an ordinary NaN is a value, this one is not.
/// </summary>
public static class StaleMarker
{
    /// <summary>Its bits.</summary>
    public const long Bits = 0x7FF0_0000_0000_0002;

    /// <summary>The marker as a value. Keep it out of arithmetic: processors change its bits.</summary>
    public static double Value => BitConverter.Int64BitsToDouble(Bits);

    /// <summary>Whether a value is the marker.</summary>
    public static bool Is(double value) => BitConverter.DoubleToInt64Bits(value) == Bits;
}
