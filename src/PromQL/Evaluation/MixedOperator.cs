using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>A binary operator where histograms may be among the operands: one pair of samples at a time.</summary>
internal sealed class MixedOperator(Binary binary, bool keepRight, Annotations annotations)
{
    private readonly FloatLoop _floats = FloatOperators.Choose(binary.Op, returnBool: false, keepRight: false);
    private readonly string _sign = Keywords.Of(binary.Op);

    /// <summary>Puts the result for one step; nothing when the two do not fit or a comparison does not hold.</summary>
    public void Apply(StepSeries left, StepSeries right, int step, StepSeries to)
    {
        var (l, lh) = (left.Values[step], left.HistogramAt(step));
        var (r, rh) = (right.Values[step], right.HistogramAt(step));
        var cell = default(Cell);
        var fits = (lh, rh) switch
        {
            (null, null) => OfFloats(l, r, ref cell),
            (null, not null) => OfFloatAndHistogram(l, rh, ref cell),
            (not null, null) => OfHistogramAndFloat(lh, r, ref cell),
            _ => OfHistograms(lh, rh, ref cell),
        };
        if (!fits)
            to.Remove(step);
        else if (binary.ReturnBool)
            to.Set(step, cell.IsSet ? 1 : 0);
        else if (!cell.IsSet)
            to.Remove(step);
        else if (keepRight && FloatOperators.IsComparison(binary.Op))
            Put(r, rh, step, to);
        else
            Put(cell.Value, cell.Histogram, step, to);
    }

    private static void Put(double value, FloatHistogram? histogram, int step, StepSeries to)
    {
        if (histogram is not null)
            to.Set(step, histogram);
        else
            to.Set(step, value);
    }

    private bool OfFloats(double left, double right, ref Cell cell)
    {
        if (FloatOperators.IsTrim(binary.Op))
            return Incompatible("float", "float");
        Span<double> result = stackalloc double[1];
        _floats([left], [right], result);
        if (!Absent.Is(result[0]))
            cell.Set(result[0]);
        return true;
    }

    private bool OfFloatAndHistogram(double left, FloatHistogram right, ref Cell cell)
    {
        if (binary.Op != BinaryOp.Mul)
            return Incompatible("float", "histogram");
        var product = right.Copy();
        product.Multiply(left);
        product.Compact();
        cell.Set(product);
        return true;
    }

    private bool OfHistogramAndFloat(FloatHistogram left, double right, ref Cell cell)
    {
        if (binary.Op is not (BinaryOp.Mul or BinaryOp.Div) && !FloatOperators.IsTrim(binary.Op))
            return Incompatible("histogram", "float");
        var result = left.Copy();
        if (FloatOperators.IsTrim(binary.Op))
        {
            result.Trim(right, keepBelow: binary.Op == BinaryOp.TrimUpper);
            cell.Set(result);
            return true;
        }
        if (binary.Op == BinaryOp.Mul)
            result.Multiply(right);
        else
            result.Divide(right);
        result.Compact();
        cell.Set(result);
        return true;
    }

    private bool OfHistograms(FloatHistogram left, FloatHistogram right, ref Cell cell)
    {
        switch (binary.Op)
        {
            case BinaryOp.Equal or BinaryOp.NotEqual:
                if (left.ContentEquals(right) == (binary.Op == BinaryOp.Equal))
                    cell.Set(left);
                return true;
            case BinaryOp.Add or BinaryOp.Sub:
                return OfSum(left, right, ref cell);
            default:
                return Incompatible("histogram", "histogram");
        }
    }

    private bool OfSum(FloatHistogram left, FloatHistogram right, ref Cell cell)
    {
        var adds = binary.Op == BinaryOp.Add;
        var word = adds ? "addition" : "subtraction";
        var sum = left.Copy();
        var remarks = adds ? sum.Add(right) : sum.Sub(right);
        if (remarks.HasFlag(HistogramRemarks.Incompatible))
        {
            annotations.Warn($"incompatible bucket layout encountered for binary operator {_sign}", binary.Span);
            return false;
        }
        if (remarks.HasFlag(HistogramRemarks.ResetCollision))
            annotations.ResetCollision(word, binary.Span);
        if (remarks.HasFlag(HistogramRemarks.BoundsReconciled))
            annotations.BoundsReconciled(word, binary.Span);
        if (!adds)
            sum.ResetHint = CounterResetHint.Gauge;
        sum.Compact();
        cell.Set(sum);
        return true;
    }

    private bool Incompatible(string left, string right)
    {
        annotations.Info($"incompatible sample types encountered for binary operator \"{_sign}\": {left} {_sign} {right}", binary.Span);
        return false;
    }
}
