namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// <c>sort</c> and <c>sort_desc</c>: by the float, NaN last. Only an instant query has an order; histograms go in any case.
/// </summary>
internal sealed class SortFunction(FunctionSignature signature, bool descending) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var floats = new List<StepSeries>(arguments[0]!.Series.Count);
        foreach (var series in arguments[0]!.Series)
            if (series.HasFloats())
                floats.Add(series.Histograms is null ? series : new(series.Labels, series.Values) { DropName = series.DropName });
        return new(steps, steps.Count == 1 ? [.. floats.Order(Comparer<StepSeries>.Create(Compare))] : floats);
    }

    private int Compare(StepSeries? one, StepSeries? other)
    {
        double a = one!.Values[0], b = other!.Values[0];
        if (double.IsNaN(a) || double.IsNaN(b))
            return double.IsNaN(a).CompareTo(double.IsNaN(b));
        return descending ? b.CompareTo(a) : a.CompareTo(b);
    }
}

/// <summary><c>sort_by_label</c> and <c>sort_by_label_desc</c>: by the values of labels, numbers in them as numbers, then by all labels.</summary>
internal sealed class SortByLabelFunction(FunctionSignature signature, bool descending) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var series = arguments[0]!.Series;
        if (steps.Count > 1)
            return new(steps, series);
        var names = site.Texts(from: 1);
        var sorted = series.Select(s => (Series: s, Keys: Array.ConvertAll(names, s.Labels.Get))).ToArray();
        Array.Sort(sorted, (one, other) => descending ? Compare(other, one) : Compare(one, other));
        return new(steps, [.. sorted.Select(s => s.Series)]);
    }

    private static int Compare((StepSeries Series, string[] Keys) one, (StepSeries Series, string[] Keys) other)
    {
        for (var i = 0; i < one.Keys.Length; i++)
            if (NaturalOrder.Compare(one.Keys[i], other.Keys[i]) is var order and not 0)
                return order;
        return one.Series.Labels.CompareTo(other.Series.Labels);
    }
}

/// <summary>The order of people: <c>a2</c> comes before <c>a10</c>.</summary>
internal static class NaturalOrder
{
    /// <summary>Compares runs of digits as numbers and everything else by its characters.</summary>
    public static int Compare(ReadOnlySpan<char> one, ReadOnlySpan<char> other)
    {
        ReadOnlySpan<char> a = one, b = other;
        while (!a.IsEmpty && !b.IsEmpty)
        {
            var (chunkA, chunkB) = (a[..ChunkLength(a)].ToString(), b[..ChunkLength(b)].ToString());
            var order = long.TryParse(chunkA, out var numberA) && long.TryParse(chunkB, out var numberB)
                ? numberA.CompareTo(numberB)
                : string.CompareOrdinal(chunkA, chunkB);
            if (order != 0)
                return order;
            a = a[chunkA.Length..];
            b = b[chunkB.Length..];
        }
        var left = a.Length.CompareTo(b.Length);
        return left != 0 ? left : one.SequenceCompareTo(other);
    }

    private static int ChunkLength(ReadOnlySpan<char> text)
    {
        var digits = char.IsAsciiDigit(text[0]);
        var length = 1;
        while (length < text.Length && char.IsAsciiDigit(text[length]) == digits)
            length++;
        return length;
    }
}
