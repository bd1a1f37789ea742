using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew instances</c>.</summary>
internal static class InstanceVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var of = new Argument<string?>("ORG/PROJECT|LABEL") { Description = "Only of this project or deployment.", Arity = ArgumentArity.ZeroOrOne };
        return new Verb("instances", "List running copies, where they run and how they are.", "crew instances", "crew instances acme/web", "crew instances web-3k9x2mp-acme") { Group = Groups.Look }
            .With(of)
            .Does(root, async call =>
            {
                var all = await call.GetAsync<InstanceView[]>(PathOf(call.Parsed.GetValue(of)));
                var sorted = all.OrderBy(i => i.Org, StringComparer.Ordinal).ThenBy(i => i.Project, StringComparer.Ordinal)
                    .ThenByDescending(i => i.Deployment, StringComparer.Ordinal).ThenBy(i => i.Id).ToArray();
                call.List(sorted, "No instances. Deploy something: crew deploy DIR", list => Table(list, call.Now));
                if (!call.IsJson)
                    foreach (var i in sorted.Where(i => i.Reason is not null))
                        call.Out.Line($"  {call.Out.Ink.Of(Tone.Warning, "!")} {i.Id.ToString()[^6..]}: {Text.FirstLine(i.Reason!)}");
                return ExitCode.Ok;
            });
    }

    private static string PathOf(string? of) => of is null ? "instances"
        : ProjectName.Parse(of) is { } project ? $"instances?org={Args.Escape(project.Org)}&project={Args.Escape(project.Project)}"
        : $"deployments/{Args.Escape(of)}/instances";

    private static Listing Table(IReadOnlyList<InstanceView> instances, DateTimeOffset now)
    {
        // An instance that traffic is led away from is that first, whatever its process does.
        var table = new Listing(
            new("INSTANCE"), new("DEPLOYMENT", Least: 12), new("NODE", Least: 6), new("STATE"), new("RESTARTS", IsNumber: true), new("SINCE"));
        foreach (var i in instances)
            table.Add(i.Id.ToString()[^6..], i.Deployment, i.Node, Cell.State(i.Phase == "serving" ? i.State : i.Phase), i.Restarts, Text.Ago(i.Since, now));
        return table;
    }
}
