using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew edge maintenance</c> (ZM-111).</summary>
internal static class MaintenanceVerbs
{
    public static Verb Of(CrewRoot root) =>
        new Verb("maintenance", "Tell the public to come back later, or that the time is over.",
            "crew edge maintenance list", "crew edge maintenance on --org acme --message \"Back at noon\" --for 30m --remaining", "crew edge maintenance off 9f3c21aa")
            .With(On(root), Off(root), new Verb("list", "List what holds now.").Does(root, ListAsync))
            .Does(root, ListAsync);

    /// <summary>When it ends, in words.</summary>
    public static string Ends(MaintenanceView maintenance, DateTimeOffset now) =>
        maintenance.Until is { } until ? $"ends {Text.Ago(until, now)}" : "without an end";

    private static Verb On(CrewRoot root)
    {
        var (org, message, retry) = (Args.Text("--org", "ORG", "Whose traffic. Default: all organizations"), Args.Text("--message", "TEXT", "What the public is told"),
            Args.Text("--retry-after", "TIME", "When clients may come again, such as 10m. Default: 1h"));
        var (lasts, until) = (Args.Text("--for", "TIME", "It ends by itself after this, such as 30m"), Args.Text("--until", "TIME", "It ends by itself then, such as 2026-01-31T12:00:00Z"));
        var remaining = new Option<bool>("--remaining") { Description = "Tell clients what is left until the end." };
        var exempt = new Option<string[]>("--exempt") { Description = "A path that is served all the same; * may stand at its end. Health and metrics always are.", HelpName = "PATH", AllowMultipleArgumentsPerToken = true };
        var yes = Args.Yes();
        return new Verb("on", "Answer 503 with a message and a time to come again, but for health, metrics and exempt paths.",
            "crew edge maintenance on --org acme --for 30m --remaining", "crew edge maintenance on --org acme --exempt /status /api/public/* --yes")
            .With(org, message, retry, remaining, lasts, until, exempt, yes)
            .Does(root, async call =>
            {
                if (call.Value(lasts) is not null && call.Value(until) is not null)
                    throw new CrewFailedException(ExitCode.Usage, "--for and --until both say when it ends. Use one of them.");
                var whose = call.Value(org) ?? "all organizations";
                call.Confirm(call.Value(yes), $"The public of {whose} is answered 503.", call.Value(org) ?? "all");
                var begun = await call.Client.PostAsync<MaintenanceView>("maintenance", new CreateMaintenance(
                    call.Value(org), call.Value(message), call.Value(retry), call.Value(remaining), call.Value(lasts) ?? call.Value(until), call.Value(exempt)), call.Cancellation);
                call.Show(begun, m => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} maintenance of {whose}, {Ends(m, call.Now)}. Over: crew edge maintenance off {Text.Short(m.Id)}"));
                return EdgeVerbs.Ends(call, begun.Confirmation);
            });
    }

    private static Verb Off(CrewRoot root)
    {
        var id = new Argument<string?>("ID") { Description = "Its id, or the end of it; not needed when there is only one.", Arity = ArgumentArity.ZeroOrOne };
        return new Verb("off", "End maintenance.", "crew edge maintenance off", "crew edge maintenance off 9f3c21aa").With(id).Does(root, async call =>
        {
            var which = await FindAsync(call, call.Value(id));
            var ended = await call.Client.DeleteAsync<MaintenanceView>($"maintenance/{which.Id}", call.Cancellation);
            call.Show(ended, m => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} maintenance of {m.Org ?? "all organizations"} is over"));
            return EdgeVerbs.Ends(call, ended.Confirmation);
        });
    }

    private static async Task<MaintenanceView> FindAsync(Call call, string? id)
    {
        var all = await call.GetAsync<MaintenanceView[]>("maintenance?limit=1000");
        var found = all.Where(m => id is null || m.Id.ToString() == id || (id.Length >= 4 && m.Id.ToString().EndsWith(id, StringComparison.OrdinalIgnoreCase))).ToList();
        return found.Count switch
        {
            1 => found[0],
            0 => throw new CrewFailedException(ExitCode.NotFound, id is null ? "There is no maintenance now." : $"There is no maintenance '{id}'. 'crew edge maintenance list' lists what holds."),
            _ => throw new CrewFailedException(ExitCode.Conflict, $"There are {found.Count}. Name one by its id: {string.Join(", ", found.Select(m => Text.Short(m.Id)))}"),
        };
    }

    private static async Task<ExitCode> ListAsync(Call call) => call.List(
        await call.GetAsync<MaintenanceView[]>("maintenance?limit=1000"), "No maintenance now. Begin one: crew edge maintenance on --org ORG --for 30m", list =>
        {
            var table = new Listing(new("ID"), new("ORG", Least: 4), new("MESSAGE", Least: 10), new("BY", Least: 6), new("BEGAN"), new("ENDS"));
            foreach (var m in list)
                table.Add(Text.Short(m.Id), m.Org ?? "all", m.Message ?? "-", m.Actor, Text.Ago(m.Since, call.Now), m.Until is { } until ? Text.Ago(until, call.Now) : "never");
            return table;
        });
}
