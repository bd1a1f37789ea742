using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew db backup</c>, <c>dump</c>, <c>backups</c>, <c>verify</c>, <c>drill</c>, <c>drills</c>.</summary>
internal static class DatabaseBackupVerbs
{
    private const string NothingHalf = "Nothing half is listed: crew db backups shows what there is.";

    public static Verb Backup(CrewRoot root)
    {
        var (name, rate, reason, wait) = (DatabaseVerbs.Name(), Args.Text("--max-rate", "SIZE", "How fast at most, in bytes a second, such as 50Mi"), Args.Text("--reason", "TEXT", "Why, for the record"), Args.Wait());
        return new Verb("backup", "Take a base backup of the whole cluster, and compare its checksums.", "crew db backup acme/main", "crew db backup acme/main --max-rate 50Mi --reason 'before the upgrade'")
            .With(name, rate, reason, wait).Does(root, call => DatabaseVerbs.ChangeAsync(
                call, call.Value(name), "/backup", new BackupDatabase(call.Value(rate), call.Value(reason)), call.Value(wait), NothingHalf));
    }

    public static Verb Dump(CrewRoot root)
    {
        var (name, database, template, wait) = (DatabaseVerbs.Name(), Args.Text("--database", "NAME", "Which database. Default: the first"),
            Args.Text("--name", "TEMPLATE", "Its name, such as loyalty_YYYYMMDD_HHMMSS"), Args.Wait());
        return new Verb("dump", "Take a dump of one database in pg_dump's custom format, and read it back.", "crew db dump acme/main", "crew db dump acme/main --name zmos_backup_YYYYMMDD_HHMMSS")
            .With(name, database, template, wait).Does(root, call => DatabaseVerbs.ChangeAsync(
                call, call.Value(name), "/dump", new DumpDatabase(call.Value(database), call.Value(template), null), call.Value(wait), NothingHalf));
    }

    public static Verb Backups(CrewRoot root)
    {
        var name = DatabaseVerbs.Name();
        return new Verb("backups", "List backups, and draw the times that can be restored, from what the storage holds.", "crew db backups acme/main", "crew db backups acme/main --json | jq '.windows'")
            .With(name).Does(root, async call => call.Show(await call.GetAsync<BackupsView>($"{call.Value(name).Path}/backups"), view => Write(call, call.Value(name), view)));
    }

    public static Verb Verify(CrewRoot root)
    {
        var (name, wait) = (DatabaseVerbs.Name(), Args.Wait());
        var backup = new Argument<string?>("BACKUP") { Description = "Which backup. Default: the newest", Arity = ArgumentArity.ZeroOrOne };
        var tool = new Option<bool>("--tool") { Description = "With PostgreSQL's own tool besides: pg_verifybackup, pg_restore --list." };
        return new Verb("verify", "Look at a backup where it lies: is it as it was written?", "crew db verify acme/main", "crew db verify acme/main base-20261122-020000 --tool")
            .With(name, backup, tool, wait).Does(root, call => DatabaseVerbs.ChangeAsync(
                call, call.Value(name), "/verify", new VerifyDatabase(call.Value(backup), call.Value(tool) ? "tool" : "checksums"), call.Value(wait), "It is marked as damaged, and not used any more: take a new one."));
    }

    public static Verb Drill(CrewRoot root)
    {
        var (name, time, wait) = (DatabaseVerbs.Name(), DatabaseRestoreVerb.Time("--to-time", "The moment to aim at. Default: the latest"), Args.Wait());
        return new Verb("drill", "Prove that a database comes back: restore it into a scratch cluster, check it, measure, and remove it.", "crew db drill acme/main")
            .With(name, time, wait).Does(root, call => DatabaseVerbs.ChangeAsync(
                call, call.Value(name), "/drill", new DrillDatabase(call.Value(time)), call.Value(wait), "What did not pass is kept: crew db drills."));
    }

    public static Verb Drills(CrewRoot root)
    {
        var name = DatabaseVerbs.Name();
        return new Verb("drills", "List drills: how long recovery took, and what did not pass.").With(name).Does(root, async call => call.List(
            await call.GetAsync<DrillView[]>($"{call.Value(name).Path}/drills"), $"No drills yet: nobody has seen {call.Value(name)} come back. Prove it: crew db drill {call.Value(name)}", list =>
            {
                var table = new Listing(new("WHEN"), new("PASSED"), new("BACKUP", Least: 12), new("RECOVERY", IsNumber: true), new("LOST", IsNumber: true), new("FINDINGS", Least: 20));
                foreach (var d in list)
                    table.Add(Text.Ago(d.EndedAt, call.Now), d.Good ? new Cell("yes", Tone.Good) : new Cell("no", Tone.Bad), d.Backup ?? "-", Text.Took(TimeSpan.FromSeconds(d.RecoverySeconds)),
                        Text.Took(TimeSpan.FromSeconds(d.LostSeconds)), string.Join("; ", d.Findings));
                return table;
            }));
    }

    private static void Write(Call call, DatabaseName name, BackupsView view)
    {
        foreach (var problem in view.Problems)
            call.Words.Line($"{call.Words.Ink.Of(Tone.Warning, "!")} {Text.Clean(problem)}");
        if (view.Backups.Count == 0)
        {
            call.Words.Line($"No backups yet. Take one: crew db backup {name}");
            return;
        }
        var table = new Listing(new("BACKUP", Least: 16), new("KIND"), new("STATE"), new("TAKEN"), new("SIZE", IsNumber: true), new("DATA", IsNumber: true), new("FOR", Least: 6), new("REASON", Least: 8));
        foreach (var b in view.Backups)
            table.Add(b.Name, b.Kind, new Cell(b.State, b.State switch { "restored" or "verified" => Tone.Good, "damaged" => Tone.Bad, _ => Tone.Plain }), Text.Ago(b.StoppedAt, call.Now),
                Text.Bytes(b.Bytes), Text.Bytes(b.PlainBytes), b.Database ?? "everything", b.Reason + (b.IsKept ? " (kept)" : ""));
        table.Write(call.Out);
        call.Out.Line();
        foreach (var line in RecoveryChart.Draw(view, Math.Min(call.Out.Width, 100), call.Out.Ink))
            call.Out.Line(line);
        call.Out.Line();
        call.Out.Line($"{Text.Bytes(view.Bytes)} in the storage, {Text.Bytes(view.WalBytes)} of it log{(view.Unfinished > 0 ? $"; {view.Unfinished} objects of backups that are being taken or were broken off" : "")}.");
        if (view.RestorableUntil is { } until)
            call.Out.Line($"Every change before {until.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC ({Text.Ago(until, call.Now)}) can be restored.");
    }
}

/// <summary>Draws the times that can be restored, and those that cannot. Pure.</summary>
internal static class RecoveryChart
{
    /// <summary>One line of blocks, a line of marks for base backups, and the ends of each window and gap in words.</summary>
    public static IEnumerable<string> Draw(BackupsView view, int width, Ink ink)
    {
        if (view.Windows.Count == 0)
        {
            yield return "No moment can be restored: there is no base backup with the log that it needs.";
            yield break;
        }
        var (start, end) = (view.Windows.Min(w => w.From), view.Windows.Max(w => w.To));
        if (view.Uncovered is [.., { To: null } open] && open.From >= end)
            end = view.ReadAt is { } now && now > open.From ? now : end;
        var cells = Math.Max(10, width - 2);
        var span = (end - start).Ticks == 0 ? 1 : (end - start).Ticks;
        int At(DateTimeOffset time) => (int)Math.Clamp((time - start).Ticks * (cells - 1) / span, 0, cells - 1);
        var line = new char[cells];
        Array.Fill(line, '█');
        foreach (var gap in view.Uncovered)
            for (var cell = At(gap.From); cell <= At(gap.To ?? end); cell++)
                line[cell] = '·';
        var marks = new char[cells];
        Array.Fill(marks, ' ');
        foreach (var backup in view.Backups.Where(b => b.Kind == "base" && b.State != "damaged" && b.StoppedAt >= start && b.StoppedAt <= end))
            marks[At(backup.StoppedAt)] = '▲';
        yield return ink.Of(Tone.Good, new string(line));
        yield return new string(marks).TrimEnd();
        yield return $"{Moment(start)}{Moment(end).PadLeft(cells - Moment(start).Length)}";
        yield return "█ every moment can be restored   · none can   ▲ base backup";
        foreach (var gap in view.Uncovered)
            yield return ink.Of(Tone.Bad, gap.To is { } to
                ? $"Not restorable: {Moment(gap.From)} to {Moment(to)}."
                : $"Not restorable: from {Moment(gap.From)} on, until the next base backup.");
    }

    private static string Moment(DateTimeOffset time) => $"{time.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z";
}
