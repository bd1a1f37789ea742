using System.CommandLine;
using System.Globalization;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew db restore</c>: beside what is there, unless it is said otherwise; with a plan first.</summary>
internal static class DatabaseRestoreVerb
{
    public static Verb Of(CrewRoot root)
    {
        var (name, yes, wait) = (DatabaseVerbs.Name(), Args.Yes(), Args.Wait());
        var time = Time("--to-time", "To this moment, such as 2026-11-22T02:00:00Z");
        var lsn = Args.Text("--to-lsn", "PLACE", "To this place of the log, such as 16/B374D848");
        var point = Args.Text("--to-name", "NAME", "To this named point (pg_create_restore_point)");
        var dump = Args.Text("--dump", "NAME", "A dump, as another database of the same cluster");
        var history = Args.Text("--history", "ID", "Which history of the archive, when the database was made anew under its name. Default: the newest");
        var copy = Args.Text("--as", "NAME", "The name of the copy. Default: NAME-copy");
        var node = Args.Text("--node", "HOSTNAME", "A copy: its node");
        var inPlace = new Option<bool>("--in-place") { Description = "Replace what is there: services are stopped, a safety backup is taken first." };
        var without = new Option<bool>("--without-safety-backup") { Description = "In place: what is there now may be lost." };
        var plan = new Option<bool>("--plan") { Description = "Show what would be done and lost, and do nothing." };
        return new Verb("restore", "Bring a database back: as a copy beside it, or in its place.",
            "crew db restore acme/main --plan", "crew db restore acme/main --to-time 2026-11-22T02:00:00Z --as main-before", "crew db restore acme/main --dump zmos_backup_20261122_020000",
            "crew db restore acme/main --in-place --to-time 2026-11-22T02:00:00Z")
            .With(name, time, lsn, point, dump, history, copy, node, inPlace, without, plan, yes, wait).Does(root, async call =>
            {
                var wanted = call.Value(name);
                var request = new RestoreDatabase
                {
                    ToTime = call.Value(time), ToLsn = call.Value(lsn), ToName = call.Value(point), Dump = call.Value(dump), SystemId = call.Value(history), As = call.Value(copy),
                    Node = call.Value(node), InPlace = call.Value(inPlace) ? true : null, WithoutSafetyBackup = call.Value(without) ? true : null,
                };
                var view = await call.Client.PostAsync<RestorePlanView>($"{wanted.Path}/restore/plan", request, call.Cancellation);
                if (call.Value(plan))
                    return call.Show(view, p => Write(call.Out, p));
                if (!call.IsJson)
                    Write(call.Words, view);
                if (call.Value(inPlace))
                    call.Confirm(call.Value(yes), $"What is in {wanted} now is replaced.", wanted.ToString());
                return await DatabaseVerbs.ChangeAsync(call, wanted, "/restore", request with { Confirm = call.Value(inPlace) ? wanted.Name : null }, call.Value(wait),
                    call.Value(inPlace) ? $"{wanted} is as it was before, as far as its words say. Look: crew db info {wanted}" : $"{wanted} was not touched.");
            });
    }

    /// <summary>A moment; one without a zone is in UTC, as everything here.</summary>
    public static Option<DateTimeOffset?> Time(string name, string description) => new(name)
    {
        Description = description, HelpName = "TIME",
        CustomParser = result =>
        {
            if (DateTimeOffset.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
                return time;
            result.AddError($"'{result.Tokens[0].Value}' is not a moment. Write it as 2026-11-22T02:00:00Z.");
            return null;
        },
    };

    private static void Write(Screen screen, RestorePlanView plan)
    {
        screen.Field("restore", $"{plan.Database}, {plan.Target}", Tone.Strong);
        screen.Field("into", plan.Into);
        screen.Field("from", $"{plan.Backup}{(plan.WalPieces > 0 ? $" and {Text.Count(plan.WalPieces, "piece")} of the log, timeline {plan.Timeline}" : "")}, {Text.Bytes(plan.Bytes)} to fetch");
        foreach (var lost in plan.Lost)
            screen.Field("lost", lost, Tone.Warning);
        screen.Field("stops", plan.Stops.Count > 0 ? string.Join(", ", plan.Stops) : null, Tone.Warning);
        screen.Field("steps", string.Join(" → ", plan.Steps));
    }
}
