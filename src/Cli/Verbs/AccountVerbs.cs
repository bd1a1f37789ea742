using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew whoami</c> and <c>crew audit</c>.</summary>
internal static class AccountVerbs
{
    public static IEnumerable<Verb> Of(CrewRoot root)
    {
        var limit = Args.Limit();
        return
        [
            new Verb("whoami", "Say as whom the control plane knows you.", "crew whoami") { Group = Groups.Access }
                .Does(root, async call => call.Show(await call.GetAsync<WhoAmIView>("whoami"), who => call.Out.Line($"{who.Name}, {who.Role} of {who.Org ?? "every organization"}"))),
            new Verb("audit", "List who did what, the newest first.", "crew audit", "crew audit --limit 500 --json") { Group = Groups.Access }
                .With(limit)
                .Does(root, async call => call.List((await call.GetAsync<AuditView[]>($"audit?limit={call.Value(limit)}")).OrderByDescending(a => a.At).ToArray(), "Nothing was done yet.", list =>
                {
                    var table = new Listing(new("WHEN"), new("WHO", Least: 8), new("ROLE"), new("WHAT"), new("ON", Least: 16), new("OUTCOME"));
                    foreach (var a in list)
                        table.Add(Text.Ago(a.At, call.Now), a.Actor, a.Role, a.Action, a.Subject, Cell.State(a.Outcome));
                    return table;
                })),
        ];
    }
}
