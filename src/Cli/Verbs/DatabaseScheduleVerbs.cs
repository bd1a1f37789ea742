using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew db schedules</c> and <c>crew db retention</c>.</summary>
internal static class DatabaseScheduleVerbs
{
    public static Verb Schedules(CrewRoot root)
    {
        var name = DatabaseVerbs.Name();
        return new Verb("schedules", "List what is done by itself, and how it ended last; add or remove a schedule.",
            "crew db schedules acme/main", "crew db schedules acme/main add dump '0 */6 * * *' --zone Europe/Berlin --name loyalty_YYYYMMDD_HHMMSS", "crew db schedules acme/main remove 4f1c2a90")
            .With(name, Add(root, name), Remove(root, name)).Does(root, call => ListAsync(call, call.Value(name)));
    }

    public static Verb Retention(CrewRoot root)
    {
        var (name, wait) = (DatabaseVerbs.Name(), Args.Wait());
        var plan = new Option<bool>("--plan") { Description = "Show what would be deleted, and why the rest stays. This is what happens without --apply." };
        var apply = new Option<bool>("--apply") { Description = "Delete it: what stays is looked at first." };
        return new Verb("retention", "Show what is older than asked, or delete it. The newest backup that is known to be good always stays.", "crew db retention acme/main --plan", "crew db retention acme/main --apply")
            .With(name, plan, apply, wait).Does(root, async call =>
            {
                var wanted = call.Value(name);
                if (call.Value(apply) && !call.Value(plan))
                    return await DatabaseVerbs.ChangeAsync(call, wanted, "/retention", null, call.Value(wait), "Every backup that is still listed is whole: crew db backups.");
                return call.Show(await call.GetAsync<RetentionView>($"{wanted.Path}/retention"), r =>
                {
                    call.Out.Line(r.Delete.Count == 0 ? "Nothing is older than asked." : $"{Text.Count(r.Delete.Count, "backup")} would go, {Text.Count(r.Objects, "object")} with {Text.Bytes(r.Bytes)}:");
                    foreach (var gone in r.Delete)
                        call.Out.Line($"  {Text.Clean(gone)}");
                    foreach (var (backup, why) in r.Kept.OrderBy(k => k.Key, StringComparer.Ordinal))
                        call.Out.Line($"{Text.Clean(backup)} stays: {Text.Clean(why)}");
                });
            });
    }

    private static Verb Add(CrewRoot root, Argument<DatabaseName> name)
    {
        var (does, cron) = (Args.Word("WHAT", "backup, dump, verify, drill, upkeep or retention."), Args.Word("CRON", "Minute, hour, day, month and weekday, in quotes."));
        var (zone, jitter) = (Args.Text("--zone", "NAME", "The time zone. Default: UTC"), Args.Text("--jitter", "TIME", "Begin up to so much later. Default: 0s"));
        var (database, template) = (Args.Text("--database", "NAME", "Dumps and upkeep: the database. Default: the first"), Args.Text("--name", "TEMPLATE", "Dumps: their names"));
        return new Verb("add", "Add a schedule.").With(does, cron, zone, jitter, database, template).Does(root, call => SetAsync(call, call.Value(name), all =>
            [.. all, new SchedulePart(call.Value(does), call.Value(cron), call.Value(zone), call.Value(jitter) ?? "0s", call.Value(database), call.Value(template))], []));
    }

    private static Verb Remove(CrewRoot root, Argument<DatabaseName> name)
    {
        var id = Args.Word("ID", "The schedule, or the end of its id.");
        return new Verb("remove", "Remove a schedule.").With(id).Does(root, async call =>
        {
            var before = await call.GetAsync<ScheduleView[]>($"{call.Value(name).Path}/schedules");
            var gone = before.Where(s => s.Id.ToString().EndsWith(call.Value(id), StringComparison.OrdinalIgnoreCase)).ToList();
            if (gone.Count != 1)
                throw new CrewFailedException(gone.Count == 0 ? ExitCode.NotFound : ExitCode.Usage, $"{gone.Count} schedules of {call.Value(name)} end in '{call.Value(id)}'. 'crew db schedules {call.Value(name)}' lists them.");
            return await SetAsync(call, call.Value(name), all => [.. all], gone);
        });
    }

    private static async Task<ExitCode> SetAsync(Call call, DatabaseName name, Func<IEnumerable<SchedulePart>, IReadOnlyList<SchedulePart>> change, IReadOnlyList<ScheduleView> without)
    {
        var before = await call.GetAsync<ScheduleView[]>($"{name.Path}/schedules");
        var kept = before.Where(b => without.All(w => w.Id != b.Id)).Select(s => new SchedulePart(s.Does, s.Cron, s.Zone, s.Jitter, s.Database, s.Template));
        return Show(call, name, await call.Client.PutAsync<ScheduleView[]>($"{name.Path}/schedules", change(kept), call.Cancellation));
    }

    private static async Task<ExitCode> ListAsync(Call call, DatabaseName name) => Show(call, name, await call.GetAsync<ScheduleView[]>($"{name.Path}/schedules"));

    private static ExitCode Show(Call call, DatabaseName name, IReadOnlyList<ScheduleView> schedules) => call.List(
        schedules, $"Nothing is done by itself. Add a schedule: crew db schedules {name} add backup '0 2 * * *'", list =>
        {
            var table = new Listing(new("ID"), new("DOES"), new("CRON"), new("ZONE"), new("NEXT"), new("LAST"), new("STATE"), new("WORDS", Least: 12));
            foreach (var s in list)
                table.Add(Text.Short(s.Id), s.Does + (s.Database is null ? "" : $" {s.Database}"), s.Cron, s.Zone, s.NextAt is { } next ? Text.Ago(next, call.Now) : "never",
                    s.LastAt is { } last ? Text.Ago(last, call.Now) : "not yet", s.LastState is { } state ? Cell.State(state) : "-", s.LastWords ?? "");
            return table;
        });
}
