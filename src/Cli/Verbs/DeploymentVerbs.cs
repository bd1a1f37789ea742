using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew deployments</c>.</summary>
internal static class DeploymentVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var (project, environment, limit) = (Args.MaybeProject(), Args.Text("--environment", "NAME", "Only of this environment"), Args.Limit());
        return new Verb("deployments", "List deployments, the newest first.", "crew deployments acme/web", "crew deployments acme/web --environment staging") { Group = Groups.Ship }
            .With(project, environment, limit)
            .Does(root, async call =>
            {
                var of = call.Value(project);
                var only = call.Value(environment);
                var filter = only is null ? "" : $"&environment={Args.Escape(only)}";
                var all = await call.GetAsync<DeploymentView[]>($"{(of is null ? "deployments" : of.Path + "/deployments")}?limit={call.Value(limit)}{filter}");
                return call.List(all, "No deployments yet. Make one: crew deploy DIR", list => Table(list, call.Now));
            });
    }

    private static Listing Table(IReadOnlyList<DeploymentView> deployments, DateTimeOffset now)
    {
        var table = new Listing(new("DEPLOYMENT"), new("ENVIRONMENT", Least: 7), new("STATUS"), new("READY"), new("COMMIT", Least: 7), new("BY", Least: 5), new("CREATED"));
        foreach (var d in deployments)
            table.Add(d.Label, d.Environment, Cell.State(d.Status), d.Instances == 0 ? "-" : $"{d.Ready}/{d.Instances}", Commit(d), d.Actor, Text.Ago(d.CreatedAt, now));
        return table;
    }

    public static string Commit(DeploymentView deployment) =>
        $"{(deployment.CommitSha is { Length: > 7 } sha ? sha[..7] : deployment.CommitSha)} {deployment.CommitMessage}".Trim() is { Length: > 0 } text ? text : "-";
}
