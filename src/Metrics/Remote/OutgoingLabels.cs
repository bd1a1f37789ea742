namespace Groundcrew.Metrics;

/// <summary>The labels that series leave with: with the external ones, relabelled; worked out once for each. Not thread-safe.</summary>
internal sealed class OutgoingLabels(IReadOnlyList<RelabelRule> rules, Labels external)
{
    private const int MaxKept = 1_000_000;

    private readonly Relabelling _rules = new(rules);
    private readonly Dictionary<Labels, Labels?> _known = [];
    private readonly LabelDraft _draft = new();

    /// <summary>Null when relabelling drops the series.</summary>
    public Labels? For(Labels series)
    {
        if (_rules.IsEmpty && external.Packed.IsEmpty)
            return series;
        if (_known.TryGetValue(series, out var known))
            return known;
        if (_known.Count >= MaxKept)
            _known.Clear();
        _draft.Load(series.Packed);
        foreach (var label in external)
            if (_draft.Find(label.NameUtf8) < 0)
                _draft.Add(label.NameUtf8, label.ValueUtf8);
        var leaves = _rules.Apply(_draft) && _draft.Pack() is { IsEmpty: false } packed ? Labels.FromPacked(packed) : null;
        _known.Add(series, leaves);
        return leaves;
    }
}
