namespace Groundcrew.Metrics;

/// <summary>Where buckets end.</summary>
internal static class BucketBounds
{
    /// <summary>The bounds of schema 8 from 0.5 (included) to 1; those of coarser schemas are among them.</summary>
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
            fractions[i] = Math.Pow(2, i / 256.0) / 2;
        return fractions;
    }
}
