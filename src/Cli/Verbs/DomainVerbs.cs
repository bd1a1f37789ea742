using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew domains</c> (ZW-67).</summary>
internal static class DomainVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var (project, environment, yes) = (Args.Project(), Args.Environment(), Args.Yes());
        var (added, removed) = (Args.Word("HOST", "The domain, such as app.acme.org."), Args.Word("HOST", "The domain."));
        Task<ExitCode> List(Call call) => ListAsync(call, call.Value(project));
        return new Verb("domains", "List the domains of a project; add or remove one.", "crew domains acme/web", "crew domains acme/web add app.acme.org", "crew domains acme/web remove app.acme.org --yes") { Group = Groups.Operate }
            .With(project,
                new Verb("list", "List the domains.").Does(root, List),
                new Verb("add", "Lead a domain to an environment of the project.").With(added, environment).Does(root, async call => call.Show(
                    await call.Client.PostAsync<DomainView>($"{call.Value(project).Path}/domains", new AddDomain(call.Value(added), call.Value(environment)), call.Cancellation),
                    domain => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {domain.Host} leads to {domain.Org}/{domain.Project} in {domain.Environment}. Point its DNS record to the edge."))),
                new Verb("remove", "Lead a domain nowhere.").With(removed, yes).Does(root, async call =>
                {
                    call.Confirm(call.Value(yes), $"Requests to {call.Value(removed)} are not answered any more.", call.Value(removed));
                    await call.Client.DeleteAsync($"{call.Value(project).Path}/domains/{Args.Escape(call.Value(removed))}", call.Cancellation);
                    call.Words.Line($"{call.Words.Ink.Of(Tone.Good, "✓")} {call.Value(removed)} is removed");
                    return ExitCode.Ok;
                }))
            .Does(root, List);
    }

    private static async Task<ExitCode> ListAsync(Call call, ProjectName project) => call.List(
        (await call.GetAsync<string[]>($"{project.Path}/domains")).Order(StringComparer.Ordinal).ToArray(), $"No domains of its own. Add one: crew domains {project} add HOST", list =>
        {
            var table = new Listing(new Column("DOMAIN"));
            foreach (var host in list)
                table.Add(host);
            return table;
        });
}
