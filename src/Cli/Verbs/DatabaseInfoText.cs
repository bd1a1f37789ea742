using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary>A database in words.</summary>
internal static class DatabaseInfoText
{
    public static void Write(Call call, DatabaseView d)
    {
        var screen = call.Out;
        screen.Field("database", $"{d.Org}/{d.Name}", Tone.Strong);
        screen.Field("state", d.State + (d.Why is null ? "" : $": {d.Why}"), Ink.OfState(d.State));
        screen.Field("made", $"{Text.Ago(d.CreatedAt, call.Now)} by {d.Actor}{(d.RestoredFrom is null ? "" : $", restored from {d.RestoredFrom}")}");
        if (d.State == "external")
            return;
        screen.Field("postgresql", $"{d.Version}, plans with {Text.Bytes(d.MemoryBytes)}");
        screen.Field("databases", string.Join(", ", d.Databases.Select(x => x.Name + (x.Extensions is { Count: > 0 } e ? $" ({string.Join(", ", e)})" : ""))));
        screen.Field("logins", string.Join(", ", d.Logins.Select(l => $"{l.Name} (now {l.Role})")));
        screen.Field("listens on", $"{string.Join(", ", d.Listen)}, for {string.Join(", ", d.Networks)}");
        screen.Field("objectives", string.Join(", ", new[] { d.Objectives.Rto is { } rto ? $"back within {rto}" : null, d.Objectives.Rpo is { } rpo ? $"at most {rpo} of changes lost" : null }.OfType<string>()));
        screen.Field("backups", d.Backups is { } b ? $"{b.To}, {(b.Synchronous == true ? "commits wait for it" : $"at most {b.Every} behind")}{(b.Encrypted == true ? ", encrypted" : "")}" : "nowhere", d.Backups is null ? Tone.Warning : Tone.Plain);
        screen.Field("kept", d.Retention.Backups is { } kept ? $"base backups {kept}{(d.Retention.BackupCount is { } n ? $" and at most {n}" : "")}, dumps {d.Retention.Dumps ?? "for ever"}" : null);
        screen.Field("moving", d.Moving is { } operation ? $"operation {operation}" : null, Tone.Cyan);
        if (d.Servers.Count == 0)
            return;
        screen.Line();
        var table = new Listing(new("SERVER", Least: 12), new("ROLE"), new("STATE"), new("POSITION"), new("BEHIND", IsNumber: true), new("ARCHIVED"), new("WORDS", Least: 10));
        foreach (var s in d.Servers)
            table.Add($"{s.Node}:{s.Port}", s.Role, Cell.State(s.State), s.Position ?? "-", s.LagBytes is { } lag ? Text.Bytes(lag) : "-",
                s.ArchiveProblem is not null ? new Cell("failing", Tone.Bad) : s.ArchivedUntil is { } at ? Text.Ago(at, call.Now) : "-", s.ArchiveProblem ?? s.Words ?? "");
        table.Write(screen);
        var derived = d.Servers[0].Derived;
        if (derived.Count == 0)
            return;
        screen.Line();
        screen.Line("Settings in force, derived from the machine and the memory where nothing was asked:");
        foreach (var (name, value) in derived.OrderBy(s => s.Key, StringComparer.Ordinal))
            screen.Line($"  {Text.Clean(name)} = {Text.Clean(value)}{(d.Settings.ContainsKey(name) ? "  (asked for)" : "")}");
    }
}
