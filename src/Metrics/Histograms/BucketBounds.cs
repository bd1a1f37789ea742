namespace Groundcrew.Metrics;

/// <summary>Where buckets end.</summary>
internal static class BucketBounds
{
    /// <summary>
    /// The bounds of schema 4 from 0.5 (included) to 1, digit by digit as every implementation prints them: some are
    /// the neighbour of the nearest double, and a text must not tell two implementations apart.
    /// </summary>
    private static readonly double[] Sixteenths =
    [
        0.5, 0.5221368912137069, 0.5452538663326288, 0.5693943173783458, 0.5946035575013605, 0.620928906036742,
        0.6484197773255048, 0.6771277734684463, 0.7071067811865475, 0.7384130729697496, 0.7711054127039704,
        0.805245165974627, 0.8408964152537144, 0.8781260801866495, 0.9170040432046711, 0.9576032806985735,
    ];

    private static readonly double[] Fractions = MakeFractions();

    /// <summary>The upper bound of a bucket with exponential bounds; the last one before infinity ends at the largest double.</summary>
    public static double Exponential(int index, int schema)
    {
        int exponent;
        double fraction;
        if (schema < 0)
            (fraction, exponent) = (0.5, (index << -schema) + 1);
        else
            (fraction, exponent) = (Fractions[(index & ((1 << schema) - 1)) << (8 - schema)], (index >> schema) + 1);
        return fraction == 0.5 && exponent == 1025 ? double.MaxValue : Math.ScaleB(fraction, exponent);
    }

    /// <summary>The upper bound of a custom bucket; -Inf before the first one and +Inf for the last.</summary>
    public static double Custom(int index, double[] bounds)
    {
        if (index < 0)
            return double.NegativeInfinity;
        return index >= bounds.Length ? double.PositiveInfinity : bounds[index];
    }

    /// <summary>The bounds that both have.</summary>
    public static double[] Common(double[] one, double[] other)
    {
        var common = new List<double>(Math.Min(one.Length, other.Length));
        for (int i = 0, j = 0; i < one.Length && j < other.Length;)
        {
            if (one[i] == other[j])
                common.Add(one[i]);
            var order = one[i].CompareTo(other[j]);
            i += order <= 0 ? 1 : 0;
            j += order >= 0 ? 1 : 0;
        }
        return [.. common];
    }

    private static double[] MakeFractions()
    {
        var fractions = new double[256];
        for (var i = 0; i < fractions.Length; i++)
            fractions[i] = i % 16 == 0 ? Sixteenths[i / 16] : Math.Pow(2, i / 256.0) / 2;
        return fractions;
    }
}
