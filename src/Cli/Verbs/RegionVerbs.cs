using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew regions</c> (ZW-48).</summary>
internal static class RegionVerbs
{
    public static Verb Of(CrewRoot root)
    {
        var (code, name, country) = (Args.Word("CODE", "Its code, such as us-west."), Args.Text("--name", "NAME", "Its name, such as 'US West'. Default: the code"), Args.Text("--country", "COUNTRY", "The country"));
        return new Verb("regions", "List regions, or add one.", "crew regions", "crew regions add us-west --name 'US West' --country US") { Group = Groups.Operate }
            .With(
                new Verb("list", "List regions.").Does(root, ListAsync),
                new Verb("add", "Add a region.").With(code, name, country).Does(root, async call => call.Show(
                    await call.Client.PostAsync<RegionView>("regions", new CreateRegion(call.Value(code), call.Value(name) ?? call.Value(code), call.Value(country)), call.Cancellation),
                    region => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} Region {region.Code} is there. Agents join it with their region setting."))))
            .Does(root, ListAsync);
    }

    private static async Task<ExitCode> ListAsync(Call call) => call.List(
        (await call.GetAsync<RegionView[]>("regions")).OrderBy(r => r.Code, StringComparer.Ordinal).ToArray(), "No regions yet. Add one: crew regions add CODE", list =>
        {
            var table = new Listing(new("REGION"), new("NAME", Least: 10), new("COUNTRY"), new("NODES", IsNumber: true));
            foreach (var r in list)
                table.Add(r.Code, r.Name, r.Country ?? "-", r.Nodes);
            return table;
        });
}
