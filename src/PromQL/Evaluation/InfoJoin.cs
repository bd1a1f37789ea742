using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Finds for each series and step the info series that belong to it and adds their labels.</summary>
internal sealed class InfoJoin
{
    private readonly List<LabelMatcher> _wanted;
    private readonly Dictionary<Labels, List<List<StepSeries>>> _byTarget = [];

    /// <param name="wanted">Conditions on the labels that are added; all labels are when there is none.</param>
    /// <param name="infos">The info series; their values are the times of their samples.</param>
    public InfoJoin(List<LabelMatcher> wanted, List<StepSeries> infos)
    {
        _wanted = wanted;
        foreach (var info in infos)
        {
            var target = TargetOf(info.Labels);
            if (!_byTarget.TryGetValue(target, out var byName))
                _byTarget.Add(target, byName = []);
            var name = info.Labels.Get(Labels.MetricName);
            var sameName = byName.Find(s => s[0].Labels.Get(Labels.MetricName) == name);
            if (sameName is null)
                byName.Add([info]);
            else
                sameName.Add(info);
        }
    }

    /// <summary>Adds the series with all labels that belong to it; it comes apart when they change from step to step.</summary>
    public void Enrich(StepSeries series, List<StepSeries> to)
    {
        var target = TargetOf(series.Labels);
        var candidates = target.Count > 0 && _byTarget.TryGetValue(target, out var found) ? found : [];
        var parts = new Dictionary<Labels, StepSeries>();
        var chosen = new StepSeries?[candidates.Count];
        Labels? labels = null;
        for (var step = 0; step < series.Values.Length; step++)
        {
            if (!series.Has(step))
                continue;
            if (Choose(candidates, step, chosen) || labels is null)
                labels = LabelsWith(series.Labels, chosen);
            if (Array.TrueForAll(chosen, c => c is null) && !_wanted.TrueForAll(m => m.MatchesAbsent))
                continue;
            if (!parts.TryGetValue(labels, out var part))
                parts.Add(labels, part = new StepSeries(labels, series.Values.Length) { DropName = series.DropName });
            if (series.HistogramAt(step) is { } histogram)
                part.Set(step, histogram);
            else
                part.Set(step, series.Values[step]);
        }
        to.AddRange(parts.Values);
    }

    private static Labels TargetOf(Labels labels) => labels.Keep("instance", "job");

    /// <summary>The newest info series of each name at a step; whether that changed.</summary>
    private static bool Choose(List<List<StepSeries>> candidates, int step, StepSeries?[] chosen)
    {
        var changed = false;
        for (var i = 0; i < chosen.Length; i++)
        {
            StepSeries? newest = null;
            foreach (var candidate in candidates[i])
            {
                if (Absent.Is(candidate.Values[step]))
                    continue;
                if (newest is not null && newest.Values[step] == candidate.Values[step])
                {
                    var at = (long)(candidate.Values[step] * 1000);
                    throw QueryContext.Failure($"found duplicate series for info metric: existing {newest.Labels} @ {at}, new {candidate.Labels} @ {at}");
                }
                if (newest is null || candidate.Values[step] > newest.Values[step])
                    newest = candidate;
            }
            changed |= !ReferenceEquals(newest, chosen[i]);
            chosen[i] = newest;
        }
        return changed;
    }

    private Labels LabelsWith(Labels labels, StepSeries?[] chosen)
    {
        var added = new LabelsBuilder();
        foreach (var info in chosen)
            foreach (var label in info?.Labels ?? Labels.Empty)
            {
                var name = label.Name;
                if (name == Labels.MetricName || (_wanted.Count > 0 && !_wanted.Exists(m => m.Name == name)))
                    continue;
                if (added.Get(name) is { Length: > 0 } other && other != label.Value)
                    throw QueryContext.Failure($"conflicting label: {name}");
                if (!labels.TryGet(label.NameUtf8, out _))
                    added.Set(label.NameUtf8, label.ValueUtf8);
            }
        var result = new LabelsBuilder().Reset(labels);
        foreach (var label in added.ToLabels())
            result.Set(label.NameUtf8, label.ValueUtf8);
        return result.ToLabels();
    }
}
