namespace Groundcrew.Metrics;

/// <summary>Sums of floats that keep what each addition rounds away (Neumaier's variant of Kahan's summation).</summary>
public static class Compensated
{
    /// <summary>
    /// Adds to a sum and to what it lost so far; the best value is both added up at the end. Nothing is lost of a sum that
    /// is infinite.
    /// </summary>
    public static (double Sum, double Lost) Add(double sum, double lost, double value)
    {
        var next = sum + value;
        if (double.IsInfinity(next))
            return (next, 0);
        return (next, lost + (Math.Abs(sum) >= Math.Abs(value) ? sum - next + value : value - next + sum));
    }
}
