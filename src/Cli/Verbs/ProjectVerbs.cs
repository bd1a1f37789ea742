using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew projects</c>.</summary>
internal static class ProjectVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var project = Args.Project();
        return new Verb("projects", "List projects, show one, register one, change its settings.",
            "crew projects", "crew projects show acme/web", "crew projects create acme/web --repo acme/web --branch main", "crew projects set acme/web --vcpu 2 --memory 1024")
        { Group = Groups.Look }
            .With(
                new Verb("list", "List all projects.").Does(root, ListAsync),
                new Verb("show", "Show one project.").With(project).Does(root, async call => call.Show(await call.GetAsync<ProjectView>(call.Value(project).Path), p => Write(call, p))),
                Create(root), Set(root))
            .Does(root, ListAsync);
    }

    private static async Task<ExitCode> ListAsync(Call call)
    {
        var all = (await call.GetAsync<ProjectView[]>("projects?limit=1000")).OrderBy(p => p.Org, StringComparer.Ordinal).ThenBy(p => p.Name, StringComparer.Ordinal).ToArray();
        return call.List(all, "No projects yet. Deploy one: crew deploy DIR", list =>
        {
            var table = new Listing(new("PROJECT", Least: 12), new("PRODUCTION", Least: 10), new("URL", Least: 40), new("CREATED"));
            foreach (var p in list)
                table.Add($"{p.Org}/{p.Name}", p.Current ?? "-", p.Url, Text.Ago(p.CreatedAt, call.Now));
            return table;
        });
    }

    private static void Write(Call call, ProjectView project)
    {
        var screen = call.Out;
        screen.Line(screen.Ink.Of(Tone.Strong, $"{project.Org}/{project.Name}"));
        screen.Field("production", project.Current ?? "nothing yet: crew deploy DIR");
        screen.Field("url", project.Url, Tone.Cyan);
        screen.Field("domains", string.Join(", ", project.Domains));
        screen.Field("repository", project.GithubRepo);
        screen.Field("branch", project.Branch);
        screen.Field("on push", project.AutoDeploy ? "deploys by itself" : null);
        screen.Field("processors", project.Resources?.Vcpu?.ToString());
        screen.Field("memory", project.Resources?.Memory is { } memory ? $"{memory} MB" : null);
        screen.Field("registered", Text.Ago(project.CreatedAt, call.Now));
    }

    private static Verb Create(CrewRoot root)
    {
        var (project, settings) = (Args.Project(), new Settings());
        return new Verb("create", "Register a project before its first deploy.", "crew projects create acme/web --repo acme/web --auto-deploy true")
            .With([project, .. settings.All])
            .Does(root, async call => Saved(call, await call.Client.PostAsync<ProjectView>("projects", new CreateProject
            {
                Org = call.Value(project).Org, Name = call.Value(project).Project, GithubRepo = call.Value(settings.Repo), Branch = call.Value(settings.Branch),
                AutoDeploy = call.Value(settings.AutoDeploy), Resources = settings.Resources(call),
            }, call.Cancellation), "registered"));
    }

    private static Verb Set(CrewRoot root)
    {
        var (project, settings) = (Args.Project(), new Settings());
        return new Verb("set", "Change settings of a project; what is not named stays as it is.", "crew projects set acme/web --branch release")
            .With([project, .. settings.All])
            .Does(root, async call =>
            {
                if (!settings.All.Any(call.Has))
                    throw new CrewFailedException(ExitCode.Usage, "Nothing is named to change. Add one of --repo, --branch, --auto-deploy, --vcpu, --memory.");
                return Saved(call, await call.Client.PatchAsync<ProjectView>(call.Value(project).Path, new PatchProject
                {
                    GithubRepo = call.Value(settings.Repo), Branch = call.Value(settings.Branch), AutoDeploy = call.Value(settings.AutoDeploy), Resources = settings.Resources(call),
                }, call.Cancellation), "changed; it counts from the next deploy on");
            });
    }

    private static ExitCode Saved(Call call, ProjectView saved, string how) => call.Show(saved, project =>
    {
        call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} {project.Org}/{project.Name} is {how}");
        Write(call, project);
    });

    private sealed class Settings
    {
        public Option<string?> Repo { get; } = Args.Text("--repo", "OWNER/NAME", "The repository");

        public Option<string?> Branch { get; } = Args.Text("--branch", "NAME", "The branch that goes to production");

        public Option<bool?> AutoDeploy { get; } = new("--auto-deploy") { Description = "Whether a push deploys by itself.", HelpName = "true|false" };

        public Option<decimal?> Vcpu { get; } = new("--vcpu") { Description = "Processors of each instance.", HelpName = "N" };

        public Option<long?> Memory { get; } = new("--memory") { Description = "Memory of each instance, in megabytes.", HelpName = "MB" };

        public Option[] All => [Repo, Branch, AutoDeploy, Vcpu, Memory];

        public ResourcesView? Resources(Call call) =>
            call.Value(Vcpu) is null && call.Value(Memory) is null ? null : new ResourcesView(call.Value(Vcpu), call.Value(Memory));
    }
}
