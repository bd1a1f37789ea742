using System.CommandLine;
using System.Globalization;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge split</c>.</summary>
internal static class SplitVerb
{
    public static Verb Of(CrewRoot root)
    {
        var (project, environment) = (Args.Project(), Args.Environment());
        var shares = new Argument<string[]>("LABEL=PERCENT")
        {
            Description = "A deployment that runs beside the current one, and its share; the rest goes to the current one. With none, shows the split.", Arity = ArgumentArity.ZeroOrMore,
        };
        var clear = new Option<bool>("--clear") { Description = "Send all traffic to the current deployment again." };
        return new Verb("split", "Split the traffic of an environment between deployments that run. The next rollout ends it.",
            "crew edge split acme/web", "crew edge split acme/web web-k3x9a2b-acme=10", "crew edge split acme/web --clear")
            .With(project, shares, environment, clear)
            .Does(root, call => SplitAsync(call, call.Value(project), call.Value(shares), call.Value(environment), call.Value(clear)));
    }

    /// <summary>Who takes how much.</summary>
    public static string Words(SplitView split) =>
        string.Join(", ", split.Shares.Select(s => $"{s.Deployment} {s.Percent} %{(s.Ready == 0 ? " (none ready)" : "")}").Append($"{split.Current ?? "nothing"} {split.CurrentPercent} %"));

    private static async Task<ExitCode> SplitAsync(Call call, ProjectName project, string[] shares, string? environment, bool clear)
    {
        if (clear && shares.Length > 0)
            throw new CrewFailedException(ExitCode.Usage, "--clear ends a split; name no shares with it.");
        var path = $"{project.Path}/split";
        var query = environment is null ? "" : $"?environment={Args.Escape(environment)}";
        if (!clear && shares.Length == 0)
            return call.Show(await call.GetAsync<SplitView>(path + query), s => Tell(call, s, isNews: false));
        var split = clear
            ? await call.Client.DeleteAsync<SplitView>(path + query, call.Cancellation)
            : await call.Client.PutAsync<SplitView>(path, new SplitRequest(environment, Parse(shares)), call.Cancellation);
        call.Show(split, s => Tell(call, s, isNews: true));
        return EdgeVerbs.Ends(call, split.Confirmation);
    }

    private static void Tell(Call call, SplitView split, bool isNews)
    {
        var where = $"{split.Org}/{split.Project} {split.Environment}";
        if (split.Shares.Count == 0)
        {
            call.Out.Line($"{(isNews ? call.Out.Ink.Of(Tone.Good, "✓") + " " : "")}{where} is not split: {(split.Current is { } current ? $"all traffic goes to {current}" : "nothing serves it")}");
            return;
        }
        if (isNews)
            call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {where} is split. Back: crew edge split {split.Org}/{split.Project} --clear{(split.Environment == "production" ? "" : $" --environment {split.Environment}")}");
        var table = new Listing(new("DEPLOYMENT", Least: 12), new("PERCENT", IsNumber: true), new("READY", IsNumber: true));
        table.Add(split.Current ?? "(nothing)", split.CurrentPercent, "current");
        foreach (var share in split.Shares)
            table.Add(share.Deployment, share.Percent, share.Ready == 0 ? new Cell("none", Tone.Warning) : share.Ready);
        table.Write(call.Out);
    }

    private static Dictionary<string, int> Parse(string[] shares)
    {
        var parsed = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var share in shares)
        {
            var at = share.LastIndexOf('=');
            if (at < 1 || !int.TryParse(share.AsSpan(at + 1).TrimEnd('%'), NumberStyles.None, CultureInfo.InvariantCulture, out var percent) || !parsed.TryAdd(share[..at], percent))
                throw new CrewFailedException(ExitCode.Usage, $"'{share}' is no share, or names a deployment twice. Write it as LABEL=PERCENT, such as web-k3x9a2b-acme=10.");
        }
        return parsed;
    }
}
