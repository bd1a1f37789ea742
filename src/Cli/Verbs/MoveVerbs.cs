using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew rollback</c>, <c>crew promote</c> (ZW-62, ZW-63), <c>crew restart</c>, <c>crew stop</c> and <c>crew start</c> (U-11).</summary>
internal static class MoveVerbs
{
    public static IEnumerable<Verb> Of(CrewRoot root) => [Rollback(root), Promote(root), Restart(root), Stop(root), Start(root)];

    private static Verb Rollback(CrewRoot root)
    {
        var (project, environment, wait) = (Args.Project(), Args.Environment(), Args.Wait());
        var to = Args.Text("--to", "LABEL", "The deployment to go back to. Default: the previous one");
        var reason = Args.Text("--reason", "TEXT", "Why, for the record");
        return new Verb("rollback", "Go back to an earlier deployment. While it still runs, that is one swap of the routes.",
            "crew rollback acme/web", "crew rollback acme/web --to web-3k9x2mp-acme --reason 'errors at checkout'")
        { Group = Groups.Ship }
            .With(project, to, environment, reason, wait)
            .Does(root, call => MoveAsync(call, call.Value(project), "rollback", new RollbackRequest(call.Value(to), call.Value(environment), call.Value(reason)), "Rolling back", call.Value(wait)));
    }

    private static Verb Promote(CrewRoot root)
    {
        var (project, wait) = (Args.Project(), Args.Wait());
        var from = Args.Text("--from", "NAME", "The environment whose current deployment is taken");
        var to = Args.Text("--to", "NAME", "The environment that it goes to");
        from.Required = to.Required = true;
        return new Verb("promote", "Take what runs in one environment to another. It is the same artifact, with the settings of there.",
            "crew promote acme/web --from staging --to production")
        { Group = Groups.Ship }
            .With(project, from, to, wait)
            .Does(root, call => MoveAsync(call, call.Value(project), "promote", new PromoteRequest(call.Value(from), call.Value(to)), "Promoting", call.Value(wait)));
    }

    private static Verb Restart(CrewRoot root)
    {
        var (project, environment, wait) = (Args.Project(), Args.Environment(), Args.Wait());
        return new Verb("restart", "Start what runs now again, in new instances beside the old: no request is dropped.", "crew restart acme/web") { Group = Groups.Ship }
            .With(project, environment, wait)
            .Does(root, call => MoveAsync(call, call.Value(project), "restart", new ServiceRequest(call.Value(environment), null), "Restarting", call.Value(wait)));
    }

    private static Verb Stop(CrewRoot root)
    {
        var (project, environment, wait) = (Args.Project(), Args.Environment(), Args.Wait());
        var reason = Args.Text("--reason", "TEXT", "Why, for the record");
        return new Verb("stop", "Take a service out: its route goes, requests in flight end, its instances stop. 'crew start' brings it back.",
            "crew stop acme/web --environment staging")
        { Group = Groups.Ship }
            .With(project, environment, reason, wait)
            .Does(root, call => MoveAsync(call, call.Value(project), "stop", new ServiceRequest(call.Value(environment), call.Value(reason)), "Stopping", call.Value(wait)));
    }

    private static Verb Start(CrewRoot root)
    {
        var (project, environment, wait) = (Args.Project(), Args.Environment(), Args.Wait());
        return new Verb("start", "Bring a stopped service back: the deployment that served last.", "crew start acme/web") { Group = Groups.Ship }
            .With(project, environment, wait)
            .Does(root, call => MoveAsync(call, call.Value(project), "rollback", new RollbackRequest(null, call.Value(environment), "started again"), "Starting", call.Value(wait)));
    }

    private static async Task<ExitCode> MoveAsync(Call call, ProjectName project, string verb, object request, string doing, bool wait)
    {
        // Known to be there before it may be waited for.
        await call.GetAsync<ProjectView>(project.Path);
        call.IsPatient = true;
        var accepted = await call.Client.PostAsync<DeploymentView>($"{project.Path}/{verb}", request, call.Cancellation);
        var last = accepted;
        try
        {
            (last, var code) = await Rollout.ConcludeAsync(call, accepted, doing, wait);
            return code;
        }
        finally
        {
            if (call.IsJson)
                JsonOut.Write(call.Out.Writer, last);
        }
    }
}
