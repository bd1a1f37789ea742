using System.Text;

namespace Groundcrew.Metrics;

/// <summary>What a target's labels say: where it is asked, how often, and which labels its series have; what is shown as its address keeps the port that HTTP would leave out. Immutable.</summary>
internal sealed record TargetPlan(Labels Discovered, Labels Final, Uri Url, string Shown, TimeSpan Interval, TimeSpan Timeout)
{
    /// <summary>The same for the same target, whatever else changed.</summary>
    public string Key => $"{Final}|{Url}|{Interval}|{Timeout}|{Discovered}";
}

/// <summary>Makes plans of discovered targets, as Prometheus does: defaults, relabelling, and what the special labels say.</summary>
internal static class TargetLabels
{
    /// <summary>The plan; without one the target is dropped, with a reason when it is not relabelling that drops it.</summary>
    public static (TargetPlan? Plan, Labels Discovered, string? Why) Plan(ScrapeConfig job, Relabelling rules, TargetGroup group, Labels target)
    {
        var discovered = Discovered(job, group, target);
        var draft = new LabelDraft();
        draft.Load(discovered.Packed);
        if (!rules.Apply(draft))
            return (null, discovered, null);
        var why = Read(job, draft, discovered, out var plan);
        return (plan, discovered, why);
    }

    private static Labels Discovered(ScrapeConfig job, TargetGroup group, Labels target)
    {
        var builder = new LabelsBuilder().Reset(group.Common);
        foreach (var label in target)
            builder.Set(label.NameUtf8, label.ValueUtf8);
        void Default(string name, string value)
        {
            if (builder.Get(name).Length == 0)
                builder.Set(name, value);
        }
        Default("job", job.JobName);
        Default("__scrape_interval__", PrometheusDuration.Format(job.ScrapeInterval));
        Default("__scrape_timeout__", PrometheusDuration.Format(job.ScrapeTimeout));
        Default("__metrics_path__", job.MetricsPath);
        Default("__scheme__", job.Scheme);
        foreach (var (name, values) in job.Params)
            if (values.Count > 0)
                Default($"__param_{name}", values[0]);
        return builder.ToLabels();
    }

    private static string? Read(ScrapeConfig job, LabelDraft draft, Labels discovered, out TargetPlan? plan)
    {
        plan = null;
        var address = draft.Get("__address__");
        if (address.Length == 0)
            return "no address";
        if (address.Contains('/'))
            return $"\"{address}\" is not a valid hostname";
        if (!PrometheusDuration.TryParse(draft.Get("__scrape_interval__"), out var interval) || interval == TimeSpan.Zero)
            return "the label __scrape_interval__ is no duration above 0";
        if (!PrometheusDuration.TryParse(draft.Get("__scrape_timeout__"), out var timeout) || timeout == TimeSpan.Zero)
            return "the label __scrape_timeout__ is no duration above 0";
        if (timeout > interval)
            return "scrape timeout cannot be greater than scrape interval";
        if (draft.Get("instance").Length == 0)
            draft.Set("instance", address);
        var scheme = draft.Get("__scheme__");
        var shown = $"{scheme}://{address}{PathOf(draft)}{Query(job, draft)}";
        if (!Uri.TryCreate(shown, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            return $"\"{scheme}://{address}{draft.Get("__metrics_path__")}\" is no address that can be asked";
        for (var i = draft.Count - 1; i >= 0; i--)
            if (draft.NameAt(i).StartsWith("__"u8))
                draft.RemoveAt(i);
        plan = new(discovered, draft.ToLabels(), url, shown, interval, timeout);
        return null;
    }

    private static string PathOf(LabelDraft draft) => draft.Get("__metrics_path__") is var path && path.StartsWith('/') ? path : "/" + path;

    private static string Query(ScrapeConfig job, LabelDraft draft)
    {
        var query = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var (name, values) in job.Params)
            query[name] = [.. values];
        for (var i = 0; i < draft.Count; i++)
        {
            if (!draft.NameAt(i).StartsWith("__param_"u8))
                continue;
            var name = Encoding.UTF8.GetString(draft.NameAt(i)["__param_".Length..]);
            var value = Encoding.UTF8.GetString(draft.ValueAt(i));
            if (query.TryGetValue(name, out var values) && values.Count > 0)
                values[0] = value;
            else
                query[name] = [value];
        }
        var text = string.Join('&', query.SelectMany(pair => pair.Value.Select(value => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(value)}")));
        return text.Length == 0 ? "" : (draft.Get("__metrics_path__").Contains('?') ? "&" : "?") + text;
    }
}
