using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew db health</c>, <c>statements</c>, <c>tables</c>, <c>vacuum</c>, <c>reindex</c>.</summary>
internal static class DatabaseLookVerbs
{
    public static Verb Health(CrewRoot root)
    {
        var name = DatabaseVerbs.Name();
        return new Verb("health", "The daily look at a server: connections, sizes, long and blocked statements, who follows; ends with 1 when something needs a look.", "crew db health acme/main")
            .With(name).Does(root, async call =>
            {
                var health = await call.GetAsync<DatabaseHealthView>($"{call.Value(name).Path}/health");
                call.Show(health, h => Write(call, h));
                return health.Findings.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
            });
    }

    public static Verb Statements(CrewRoot root)
    {
        var (name, database, limit) = (DatabaseVerbs.Name(), Args.Text("--database", "NAME", "Which database. Default: the first"), Args.Limit());
        var order = Args.Text("--order", "BY", "mean, total, longest, calls, rows or reads. Default: total");
        return new Verb("statements", "Rank the statements of a database by what they cost.", "crew db statements acme/main", "crew db statements acme/main --order mean --limit 10").With(name, database, order, limit)
            .Does(root, async call =>
            {
                var query = $"?limit={call.Value(limit)}&order={Args.Escape(call.Value(order) ?? "total")}{(call.Value(database) is { } one ? $"&database={Args.Escape(one)}" : "")}";
                return call.Show(await call.GetAsync<DatabaseStatementsView>($"{call.Value(name).Path}/statements{query}"), view =>
                {
                    if (view.Problem is { } problem)
                    {
                        call.Words.Line(Text.Clean(problem));
                        return;
                    }
                    var table = new Listing(new("CALLS", IsNumber: true), new("TOTAL MS", IsNumber: true), new("MEAN MS", IsNumber: true), new("MAX MS", IsNumber: true), new("ROWS", IsNumber: true), new("STATEMENT", Least: 20));
                    foreach (var s in view.Statements)
                        table.Add(Graph.Number(s.Calls), Graph.Number(s.TotalTime), Graph.Number(s.MeanTime), Graph.Number(s.MaxTime), Graph.Number(s.Rows), s.Query.ReplaceLineEndings(" "));
                    table.Write(call.Out);
                });
            });
    }

    public static Verb Tables(CrewRoot root)
    {
        var (name, database, limit) = (DatabaseVerbs.Name(), Args.Text("--database", "NAME", "Which database. Default: the first"), Args.Limit());
        return new Verb("tables", "List tables by size with their dead rows and bloat, indexes that nothing uses, and where one may be missing.", "crew db tables acme/main").With(name, database, limit).Does(root, async call =>
        {
            var query = $"?limit={call.Value(limit)}{(call.Value(database) is { } one ? $"&database={Args.Escape(one)}" : "")}";
            return call.Show(await call.GetAsync<DatabaseTablesView>($"{call.Value(name).Path}/tables{query}"), view => WriteTables(call, view));
        });
    }

    public static Verb Upkeep(CrewRoot root, string work)
    {
        var (name, database, wait) = (DatabaseVerbs.Name(), Args.Text("--database", "NAME", "Which database. Default: the first"), Args.Wait());
        var only = new Option<string[]>(work == "vacuum" ? "--table" : "--index") { Description = "Only this one; may be repeated. Default: all that need it", HelpName = "NAME" };
        return new Verb(work, work == "vacuum" ? "VACUUM (ANALYZE) what needs it, table by table; safe to break off." : "REINDEX CONCURRENTLY what is bloated, index by index; safe to break off.", $"crew db {work} acme/main")
            .With(name, database, only, wait).Does(root, call => DatabaseVerbs.ChangeAsync(
                call, call.Value(name), "/upkeep", new UpkeepDatabase(work, call.Value(database), call.Value(only) is { Length: > 0 } named ? named : null), call.Value(wait), "What was done before is done."));
    }

    private static void Write(Call call, DatabaseHealthView h)
    {
        var screen = call.Out;
        screen.Field("version", $"{h.Version}, up since {Text.Ago(h.StartedAt, call.Now)}");
        screen.Field("connections", $"{h.Connections.Total} of {h.Connections.Max} ({h.Connections.PercentOfMax:0}%): {h.Connections.Active} active, {h.Connections.Idle} idle, {h.Connections.IdleInTransaction} idle in a transaction, {h.Connections.WaitingForLocks} waiting for locks");
        foreach (var d in h.Databases)
            screen.Field("database", $"{d.Name}: {Text.Bytes(d.Bytes)}, {d.Connections} connections{(d.HitPercent is { } hit ? $", {hit:0.0}% from memory" : "")}, wrap-around {d.WrapAroundPercent:0.0}%");
        foreach (var f in h.Replication.Followers)
            screen.Field("follower", $"{f.Name} {f.State}, {f.SyncState}, {Text.Bytes(f.LagBytes)} behind");
        foreach (var s in h.Replication.Slots.Where(s => !s.IsActive))
            screen.Field("slot", $"{s.Name} is not used and keeps {Text.Bytes(s.RetainedBytes)} of log", Tone.Warning);
        foreach (var s in h.LongRunning)
            screen.Field("long", $"{s.Seconds:0} s, {s.Role} in {s.Database}: {s.Query}", Tone.Warning);
        foreach (var b in h.Blocked)
            screen.Field("blocked", $"{b.Waiting.Query} waits for {b.Lock} of {string.Join(", ", b.Blockers.Select(x => x.Pid))}", Tone.Bad);
        screen.Line();
        if (h.Findings.Count == 0)
            screen.Line($"{screen.Ink.Of(Tone.Good, "✓")} Nothing needs a look.");
        foreach (var finding in h.Findings)
            screen.Line($"{screen.Ink.Of(Tone.Warning, "!")} {Text.Clean(finding)}");
    }

    private static void WriteTables(Call call, DatabaseTablesView view)
    {
        if (view.Tables.Count == 0)
        {
            call.Words.Line("No tables yet.");
            return;
        }
        var table = new Listing(new("TABLE", Least: 12), new("SIZE", IsNumber: true), new("INDEXES", IsNumber: true), new("ROWS", IsNumber: true), new("DEAD", IsNumber: true), new("BLOAT", IsNumber: true), new("VACUUMED"), new("ANALYZED"));
        foreach (var t in view.Tables)
            table.Add($"{t.Schema}.{t.Name}", Text.Bytes(t.TotalBytes), Text.Bytes(t.IndexBytes), Graph.Number(t.LiveRows), new Cell($"{t.DeadPercent:0}%", t.DeadPercent >= 20 ? Tone.Warning : Tone.Plain),
                Text.Bytes(t.BloatBytes), t.VacuumedAt is { } v ? Text.Ago(v, call.Now) : "never", t.AnalyzedAt is { } a ? Text.Ago(a, call.Now) : "never");
        table.Write(call.Out);
        foreach (var i in view.Indexes.Where(i => i.IsUnused || !i.IsValid || i.SameAs is not null))
            call.Out.Line($"{call.Out.Ink.Of(Tone.Warning, "!")} Index {i.Schema}.{i.Name} of {i.Table} ({Text.Bytes(i.Bytes)}) {(!i.IsValid ? "is not valid" : i.SameAs is { } same ? $"does what {same} does" : "is used by nothing")}.");
        foreach (var m in view.Missing)
            call.Out.Line($"{call.Out.Ink.Of(Tone.Warning, "!")} {Text.Clean(m.Words)}{(m.Statement is { } sql ? $" {Text.Clean(sql)}" : "")}");
    }
}
