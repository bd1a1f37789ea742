using System.Runtime.InteropServices;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Which buckets had less than a lower one, from the lowest to the highest bound, and at most how much less.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ForcedCounts(double Lowest, double Highest, double MostMissing)
{
    /// <summary>Both together.</summary>
    public ForcedCounts With(ForcedCounts other) =>
        new(Math.Min(Lowest, other.Lowest), Math.Max(Highest, other.Highest), Math.Max(MostMissing, other.MostMissing));
}

/// <summary>
/// The buckets of one classic histogram at one step: how much was observed up to each bound. Reusable; not thread-safe.
/// </summary>
internal sealed class ClassicBuckets(int capacity)
{
    // What rounding does to counts that should be equal is no sign of broken data.
    private const double Insignificant = 1e-12;
    private const double SmallestNormal = 2.2250738585072014e-308;

    private readonly double[] _bounds = new double[capacity];
    private readonly double[] _counts = new double[capacity];
    private bool _madeMonotonic;
    private ForcedCounts? _forced;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    private bool EndsAtInfinity => double.IsPositiveInfinity(_bounds[Count - 1]);

    /// <summary>Forgets the buckets.</summary>
    public void Clear() => (Count, _madeMonotonic, _forced) = (0, false, null);

    /// <summary>Adds a bucket; bounds come in ascending order, counts of equal bounds are added up.</summary>
    public void Add(double bound, double count)
    {
        if (Count > 0 && _bounds[Count - 1] == bound)
        {
            _counts[Count - 1] += count;
            return;
        }
        (_bounds[Count], _counts[Count]) = (bound, count);
        Count++;
    }

    /// <summary>
    /// The quantile, as if the observations of a bucket were spread evenly over it; the lowest bucket begins at 0 if it ends
    /// above. In the last bucket it is where that one begins. Counts that fall are forced not to, which is reported.
    /// </summary>
    public double Quantile(double quantile, out ForcedCounts? forced)
    {
        forced = null;
        if (double.IsNaN(quantile))
            return double.NaN;
        if (quantile is < 0 or > 1)
            return quantile < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        if (!EndsAtInfinity)
            return double.NaN;
        forced = ForceMonotonic();
        if (Count < 2 || _counts[Count - 1] == 0)
            return double.NaN;
        var rank = quantile * _counts[Count - 1];
        var found = FirstWith(rank);
        if (found == Count - 1)
            return _bounds[Count - 2];
        if (found == 0)
            return _bounds[0] <= 0 ? _bounds[0] : _bounds[0] * (rank / _counts[0]);
        double begin = _bounds[found - 1], before = _counts[found - 1];
        return begin + ((_bounds[found] - begin) * ((rank - before) / (_counts[found] - before)));
    }

    /// <summary>The share of observations between two values.</summary>
    public double Fraction(double lower, double upper)
    {
        if (!EndsAtInfinity)
            return double.NaN;
        var total = _counts[Count - 1];
        if (total == 0 || double.IsNaN(lower) || double.IsNaN(upper))
            return double.NaN;
        return lower >= upper ? 0 : (RankOf(upper, total) - RankOf(lower, total)) / total;
    }

    /// <summary>How many observations are below a value.</summary>
    private double RankOf(double value, double total)
    {
        double rank = 0;
        for (var i = 0; i < Count; i++)
        {
            var begin = i > 0 ? _bounds[i - 1] : _bounds[0] > 0 ? 0 : double.NegativeInfinity;
            if (begin >= value)
                return Math.Min(rank, total);
            if (_bounds[i] > value)
            {
                // Nothing can be said about where in an endless bucket observations lie: they count as below.
                var within = double.IsNegativeInfinity(begin) ? _counts[i] : rank + ((_counts[i] - rank) * (value - begin) / (_bounds[i] - begin));
                return Math.Min(within, total);
            }
            rank = _counts[i];
        }
        return total;
    }

    private int FirstWith(double rank)
    {
        int low = 0, high = Count - 1;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_counts[middle] >= rank)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

    private ForcedCounts? ForceMonotonic()
    {
        if (_madeMonotonic)
            return _forced;
        _madeMonotonic = true;
        var highest = _counts[0];
        for (var i = 1; i < Count; i++)
            if (IsAlmost(highest, _counts[i]))
            {
                _counts[i] = highest;
            }
            else if (_counts[i] < highest)
            {
                var here = new ForcedCounts(_bounds[i], _bounds[i], highest - _counts[i]);
                _forced = _forced?.With(here) ?? here;
                _counts[i] = highest;
            }
            else
            {
                highest = _counts[i];
            }
        return _forced;
    }

    private static bool IsAlmost(double one, double other)
    {
        if (one == other || (double.IsNaN(one) && double.IsNaN(other)))
            return true;
        var sum = Math.Abs(one) + Math.Abs(other);
        var difference = Math.Abs(one - other);
        if (one == 0 || other == 0 || sum < SmallestNormal)
            return difference < Insignificant * SmallestNormal;
        return difference / Math.Min(sum, double.MaxValue) < Insignificant;
    }
}
