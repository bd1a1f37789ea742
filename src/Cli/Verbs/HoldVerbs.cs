using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge pause</c>, <c>close</c> and <c>resume</c>.</summary>
internal static class HoldVerbs
{
    public static IEnumerable<Verb> Of(CrewRoot root) => [Pause(root), Close(root), Resume(root)];

    private static Verb Pause(CrewRoot root)
    {
        var (project, environment, wait) = (Args.Project(), Args.Environment(), Args.Text("--max-wait", "TIME", "How long a request waits at most; then it is answered 504. Default: 30s"));
        var waiting = new Option<int?>("--max-waiting") { Description = "How many wait at most at one edge; more are answered 503. Default: 1000", HelpName = "N" };
        return new Verb("pause", "Let requests wait until traffic is resumed: none fails within the bounds.", "crew edge pause acme/web", "crew edge pause acme/web --max-wait 2m --max-waiting 5000")
            .With(project, environment, wait, waiting)
            .Does(root, call => PostAsync(call, call.Value(project), "pause", new PauseRequest(call.Value(environment), call.Value(wait), call.Value(waiting)),
                h => $"{h.Org}/{h.Project} {h.Environment} is paused: requests wait up to {h.MaxWait}, {h.MaxWaiting} at most. Back: crew edge resume {h.Org}/{h.Project}{In(h)}"));
    }

    private static Verb Close(CrewRoot root)
    {
        var (project, environment, message, yes) = (Args.Project(), Args.Environment(), Args.Text("--message", "TEXT", "What the public is told"), Args.Yes());
        return new Verb("close", "Answer every request 503 until traffic is resumed. The instances run on.", "crew edge close acme/web --message \"Back at noon\" --yes")
            .With(project, environment, message, yes)
            .Does(root, async call =>
            {
                var name = call.Value(project);
                call.Confirm(call.Value(yes), $"Every request to {name} {call.Value(environment) ?? "production"} is answered 503.", $"{name}");
                return await PostAsync(call, name, "close", new CloseRequest(call.Value(environment), call.Value(message)),
                    h => $"{h.Org}/{h.Project} {h.Environment} is closed: requests are answered 503. Back: crew edge resume {h.Org}/{h.Project}{In(h)}");
            });
    }

    private static Verb Resume(CrewRoot root)
    {
        var (project, environment) = (Args.Project(), Args.Environment());
        return new Verb("resume", "Let traffic pass again, those that wait first.", "crew edge resume acme/web")
            .With(project, environment)
            .Does(root, call => PostAsync(call, call.Value(project), "resume", new ResumeRequest(call.Value(environment)), h => $"{h.Org}/{h.Project} {h.Environment} is open"));
    }

    private static async Task<ExitCode> PostAsync(Call call, ProjectName project, string verb, object body, Func<HoldView, string> words)
    {
        var held = await call.Client.PostAsync<HoldView>($"{project.Path}/{verb}", body, call.Cancellation);
        call.Show(held, h => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {words(h)}"));
        return EdgeVerbs.Ends(call, held.Confirmation);
    }

    private static string In(HoldView hold) => hold.Environment == "production" ? "" : $" --environment {hold.Environment}";
}
