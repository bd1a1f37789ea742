using System.CommandLine;
using System.Globalization;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew metrics</c>: what is measured, asked in PromQL (U-25, AZ-61).</summary>
internal static class MetricsVerbs
{
    public static Verb Of(CrewRoot root) =>
        new Verb("metrics", "Ask what is measured, in PromQL; see what is scraped and what there is.",
            "crew metrics query 'sum by (service) (rate(http_requests_total[5m]))' --range 1h", "crew metrics targets", "crew metrics top")
        { Group = Groups.Look }
            .With(MetricsQueryVerb.Of(root), Targets(root), Series(root), Labels(root), Top(root));

    private static Verb Targets(CrewRoot root)
    {
        var down = new Option<bool>("--down") { Description = "Only those that do not answer." };
        return new Verb("targets", "List what is scraped, and why it does not answer.", "crew metrics targets --down").With(down).Does(root, async call =>
        {
            var answer = await AskAsync<MetricTargetsView>(call, "targets", ("state", "active"));
            var all = answer.Data.ActiveTargets;
            return call.List(
                [.. all.Where(t => !call.Value(down) || t.Health == "down").OrderBy(t => t.ScrapePool, StringComparer.Ordinal).ThenBy(InstanceOf, StringComparer.Ordinal)],
                all.Count > 0 ? "Every target answers." : "Nothing is scraped yet. A service is scraped when its manifest names 'metrics: /metrics'.",
                targets => TargetTable(targets, call.Now));
        });
    }

    private static Listing TargetTable(IEnumerable<MetricTargetView> targets, DateTimeOffset now)
    {
        var table = new Listing(new("JOB", Least: 8), new("INSTANCE", Least: 12), new("HEALTH"), new("SCRAPED"), new("TOOK", IsNumber: true), new("WHY", Least: 10));
        foreach (var t in targets)
            table.Add(
                t.ScrapePool, InstanceOf(t), new Cell(t.Health, t.Health switch { "up" => Tone.Good, "down" => Tone.Bad, _ => Tone.Dim }),
                t.LastScrape.Year < 2000 ? "not yet" : Text.Ago(t.LastScrape, now), $"{t.LastScrapeDuration * 1000:0} ms", t.LastError);
        return table;
    }

    private static string InstanceOf(MetricTargetView target) => target.Labels.GetValueOrDefault("instance") ?? target.ScrapeUrl;

    private static Verb Series(CrewRoot root)
    {
        var (selector, limit) = (Args.Word("SELECTOR", "Which series, such as 'http_requests_total{service=\"web-acme\"}'."), Limit("At most so many.", 50));
        return new Verb("series", "List the series of a selector that there were in the last hour.", "crew metrics series '{org=\"acme\"}'").With(selector, limit).Does(root, async call =>
        {
            var answer = await AskAsync<IReadOnlyDictionary<string, string>[]>(
                call, "series", ("match[]", call.Value(selector)), ("limit", $"{call.Value(limit)}"), ("start", Seconds(call.Now.AddHours(-1))), ("end", Seconds(call.Now)));
            if (call.IsJson)
                return call.Show(answer.Data, _ => { });
            foreach (var labels in answer.Data)
                call.Out.Line(Text.Clean(new MetricSeriesView(labels, null, null, null, null).Name()));
            if (answer.Data.Length == 0)
                call.Words.Line("No such series in the last hour. 'crew metrics labels __name__' lists the metrics.");
            return ExitCode.Ok;
        });
    }

    private static Verb Labels(CrewRoot root)
    {
        var name = new Argument<string?>("NAME") { Description = "List the values of this label.", Arity = ArgumentArity.ZeroOrOne };
        var match = Args.Text("--match", "SELECTOR", "Only of these series.");
        return new Verb("labels", "List the names of labels, or the values of one.", "crew metrics labels", "crew metrics labels __name__ --match '{job=\"agent\"}'").With(name, match).Does(root, async call =>
        {
            var label = call.Parsed.GetValue(name);
            (string, string)[] parameters = call.Value(match) is { } selector ? [("match[]", selector)] : [];
            var answer = await AskAsync<string[]>(call, label is null ? "labels" : $"label/{Args.Escape(label)}/values", parameters);
            if (call.IsJson)
                return call.Show(answer.Data, _ => { });
            foreach (var text in answer.Data)
                call.Out.Line(Text.Clean(text));
            if (answer.Data.Length == 0)
                call.Words.Line(label is null ? "There are no series yet." : $"No series has a label '{label}'.");
            return ExitCode.Ok;
        });
    }

    private static Verb Top(CrewRoot root)
    {
        var by = new Option<string>("--by") { Description = "metric, label, or pair.", HelpName = "WHAT", DefaultValueFactory = _ => "metric" };
        by.AcceptOnlyFromAmong("metric", "label", "pair");
        var limit = Limit("At most so many, the largest.", 20);
        return new Verb("top", "Show what has the most series: metrics, labels by their values, or pairs of label and value.", "crew metrics top --by label").With(by, limit).Does(root, async call =>
        {
            var answer = await AskAsync<MetricStoreView>(call, "status/tsdb", ("limit", $"{call.Value(limit)}"));
            return call.Show(answer.Data, view =>
            {
                var (title, counts) = call.Value(by) switch
                {
                    "label" => ("VALUES", view.LabelValueCountByLabelName),
                    "pair" => ("SERIES", view.SeriesCountByLabelValuePair),
                    _ => ("SERIES", view.SeriesCountByMetricName),
                };
                var table = new Listing(new(call.Value(by)!.ToUpperInvariant(), Least: 20), new(title, IsNumber: true));
                foreach (var count in counts)
                    table.Add(count.Name, count.Value.ToString(CultureInfo.InvariantCulture));
                table.Write(call.Out);
                call.Words.Line($"{view.HeadStats.NumSeries} series in all.");
            });
        });
    }

    private static Option<int> Limit(string description, int otherwise)
    {
        var limit = new Option<int>("--limit") { Description = description, HelpName = "N", DefaultValueFactory = _ => otherwise };
        limit.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !(int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given > 0))
                result.AddError($"'{token.Value}' is not a limit: --limit takes a number from 1.");
        });
        return limit;
    }

    /// <summary>A time as the API takes it.</summary>
    public static string Seconds(DateTimeOffset time) => (time.ToUnixTimeMilliseconds() / 1000d).ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Asks, and tells the remarks on the answer. A mistake in a query or selector is shown with a mark below its place.</summary>
    public static async Task<MetricAnswer<T>> AskAsync<T>(Call call, string what, params (string Name, string Value)[] parameters)
    {
        try
        {
            var answer = await call.Client.MetricsAsync<T>(what, parameters, call.Cancellation);
            foreach (var remark in answer.Warnings.Concat(answer.Infos))
                call.Words.Line($"{call.Words.Ink.Of(Tone.Warning, "!")} {(remark == "results truncated due to limit" ? "There are more; ask for them with --limit." : Text.Clean(remark))}");
            return answer;
        }
        catch (CrewProblemException e) when (QueryMistake.Of(e.Problem.Detail, parameters) is { } mistake)
        {
            throw new CrewFailedException(ExitCode.Refused, mistake);
        }
    }
}
