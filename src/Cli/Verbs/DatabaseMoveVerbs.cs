using System.CommandLine;
using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary><c>crew db switchover</c>, <c>failover</c>, <c>standby</c>, <c>rotate</c>, <c>cancel</c>.</summary>
internal static class DatabaseMoveVerbs
{
    public static Verb Switchover(CrewRoot root)
    {
        var (name, wait) = (DatabaseVerbs.Name(), Args.Wait());
        return new Verb("switchover", "Let the standby take over without loss; the primary follows it.", "crew db switchover acme/main").With(name, wait).Does(root, call =>
            DatabaseVerbs.ChangeAsync(call, call.Value(name), "/switchover", null, call.Value(wait), $"The primary is who it was: crew db info {call.Value(name)}"));
    }

    public static Verb Failover(CrewRoot root)
    {
        var (name, yes, wait) = (DatabaseVerbs.Name(), Args.Yes(), Args.Wait());
        var off = new Option<bool>("--old-is-off") { Description = "The old primary's machine is off and stays off: its node's word is not waited for." };
        return new Verb("failover", "Let the standby take over after a loss. The old primary is fenced first; changes that had not reached the standby are lost.", "crew db failover acme/main", "crew db failover acme/main --old-is-off")
            .With(name, off, yes, wait).Does(root, call =>
            {
                var wanted = call.Value(name);
                call.Confirm(call.Value(yes), $"The standby of {wanted} takes over{(call.Value(off) ? ", on your word that the old primary is off: if it is not, there are two that take writes" : "")}.", wanted.ToString());
                return DatabaseVerbs.ChangeAsync(call, wanted, "/failover", new FailoverDatabase(call.Value(off) ? true : null), call.Value(wait), $"The primary is who it was: crew db info {wanted}");
            });
    }

    public static Verb Standby(CrewRoot root)
    {
        var (name, node, wait) = (DatabaseVerbs.Name(), Args.Text("--node", "HOSTNAME", "Its node. Default: another one than the primary's, if it can be reached"), Args.Wait());
        var (removed, removedWait) = (DatabaseVerbs.Name(), Args.Wait());
        return new Verb("standby", "Add a standby, or remove it.", "crew db standby add acme/main", "crew db standby remove acme/main").With(
            new Verb("add", "Add a standby, which can take over.").With(name, node, wait).Does(root, call =>
                DatabaseVerbs.ChangeAsync(call, call.Value(name), "/standby", new AddStandby(call.Value(node)), call.Value(wait), "There is no standby.")),
            new Verb("remove", "Remove the standby.").With(removed, removedWait).Does(root, call =>
                DatabaseVerbs.ChangeAsync(call, call.Value(removed), "/standby/remove", null, call.Value(removedWait), "The standby is still there.")));
    }

    public static Verb Rotate(CrewRoot root)
    {
        var (name, login, wait) = (DatabaseVerbs.Name(), Args.Text("--login", "NAME", "Which login. Default: the first"), Args.Wait());
        return new Verb("rotate", "Change a password without a failed query: a second role, instances renewed one after the other, the first role revoked when nobody uses it.", "crew db rotate acme/main")
            .With(name, login, wait).Does(root, call => DatabaseVerbs.ChangeAsync(
                call, call.Value(name), "/rotate", new RotateDatabase(call.Value(login)), call.Value(wait), "The password of before works on."));
    }

    public static Verb Cancel(CrewRoot root)
    {
        var name = DatabaseVerbs.Name();
        var operation = new Argument<Guid?>("OPERATION") { Description = "Which operation. Default: the one that works on the database now", Arity = ArgumentArity.ZeroOrOne };
        return new Verb("cancel", "Break off a backup, a restore, a drill or upkeep; what it made is removed.", "crew db cancel acme/main").With(name, operation).Does(root, async call =>
        {
            var wanted = call.Value(name);
            var moving = call.Value(operation) ?? (await call.GetAsync<DatabaseView>(wanted.Path)).Moving
                ?? throw new CrewFailedException(ExitCode.Usage, $"Nothing works on {wanted} now.");
            var change = await call.Client.PostAsync<DatabaseChangeView>($"{wanted.Path}/cancel", new CancelDatabaseWork(moving), call.Cancellation);
            return call.Show(change, _ => call.Out.Line($"{call.Out.Ink.Of(Tone.Good, "✓")} Asked. It ends once its node has broken it off: crew operations watch {moving}"));
        });
    }
}
