using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew health</c> (ZW-82).</summary>
internal static class HealthVerb
{
    public static Verb Of(CrewRoot root)
    {
        var project = Args.Project();
        return new Verb("health", "Show how a project is, and why. Ends with 1 when it is unhealthy.", "crew health acme/web") { Group = Groups.Look }
            .With(project)
            .Does(root, async call =>
            {
                var health = await call.GetAsync<ProjectHealthView>($"{call.Value(project).Path}/health");
                call.Show(health, _ => Write(call, health));
                return health.Status == "unhealthy" ? ExitCode.Failed : ExitCode.Ok;
            });
    }

    private static void Write(Call call, ProjectHealthView health)
    {
        var screen = call.Out;
        screen.Line($"{health.Org}/{health.Project} is {screen.Ink.Of(Ink.OfState(health.Status), health.Status)}");
        if (health.Deployments.Count == 0)
        {
            call.Words.Line($"Nothing runs. Deploy it: crew deploy DIR");
            return;
        }
        var table = new Listing(new("DEPLOYMENT"), new("ENVIRONMENT", Least: 7), new("CURRENT"), new("STATUS"), new("READY"));
        foreach (var d in health.Deployments.OrderByDescending(d => d.Current).ThenBy(d => d.Environment, StringComparer.Ordinal).ThenBy(d => d.Deployment, StringComparer.Ordinal))
            table.Add(d.Deployment, d.Environment, d.Current ? "yes" : "no", Cell.State(d.Status), $"{d.Ready}/{d.Instances}");
        table.Write(screen);
        foreach (var problem in health.Deployments.SelectMany(d => d.Problems).Distinct())
            screen.Line($"  {screen.Ink.Of(Tone.Warning, "!")} {Text.FirstLine(problem)}");
    }
}
