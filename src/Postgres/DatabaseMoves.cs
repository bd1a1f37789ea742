using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Postgres;

/// <summary>Moves of a database between its servers and its passwords: standbys, switchover, failover, rotation. Thread-safe.</summary>
public sealed class DatabaseMoves
{
    private readonly DatabaseChange _change;
    private readonly DatabaseSecrets _secrets;
    private readonly Nodes _nodes;
    private readonly DatabasesOptions _options;
    private readonly MoveOperations _moves;
    private readonly StandbyOperations _standbys;
    private readonly RotateOperation _rotate;

    internal DatabaseMoves(
        Operations operations, DatabaseChange change, DatabaseSecrets secrets, Nodes nodes, DatabasesOptions options, MoveOperations moves, StandbyOperations standbys, RotateOperation rotate)
    {
        (_change, _secrets, _nodes, _options, _moves, _standbys, _rotate) = (change, secrets, nodes, options, moves, standbys, rotate);
        operations.Register(moves.Switchover);
        operations.Register(moves.Failover);
        operations.Register(standbys.Adding);
        operations.Register(standbys.Removing);
        operations.Register(rotate.Definition);
    }

    /// <summary>The standby takes over without loss, and the primary follows it.</summary>
    public Task<DatabaseAnswer> SwitchoverAsync(string org, string name, Actor actor, CancellationToken cancellation) =>
        MoveAsync("database.switchover", org, name, _moves.Switchover, "switch over", false, actor, cancellation);

    /// <summary>The standby takes over once the old primary is fenced.</summary>
    /// <param name="org">The organization.</param>
    /// <param name="name">The database.</param>
    /// <param name="isOffForSure">The caller vouches that the old primary's machine is off and stays off.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="cancellation">Gives up.</param>
    public Task<DatabaseAnswer> FailoverAsync(string org, string name, bool isOffForSure, Actor actor, CancellationToken cancellation) =>
        MoveAsync("database.failover", org, name, _moves.Failover, isOffForSure ? "fail over, the old primary being off" : "fail over", isOffForSure, actor, cancellation);

    /// <summary>Adds a standby on a node, or on the one with the most memory free.</summary>
    public Task<DatabaseAnswer> AddStandbyAsync(string org, string name, string? node, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync("database.standby-add", org, name, actor, async (db, row, info, cancel) =>
        {
            if (Databases.NotOurs(info, "copy") is { } words)
                return new DatabaseAnswer.Conflict(words);
            if (info is not { State: DatabaseState.Ready, Primary: { } primary } || info.Servers.Count > 1)
                return new DatabaseAnswer.Conflict(info.Servers.Count > 1 ? $"{info.Subject} has a standby already." : $"{info.Subject} is {info.Health}: there is nothing to follow.");
            var isLocal = info.Settings.Listen.All(a => a is "127.0.0.1" or "::1");
            if (isLocal && node is not null && node != primary.Hostname)
                return new DatabaseAnswer.Refused([new Problem("not-reachable", "node", $"{info.Subject} listens on its own machine only: a standby on {node} could not reach it.",
                    $"Let it listen: crew db change {info.Subject} --listen ADDRESS --network NETWORK; or leave the node out.")]);
            var workers = (await _nodes.ListAsync(db, cancel)).Where(n => n.Role == NodeRole.Worker && n.State == NodeState.Ready && !_nodes.IsDown(n) && (!isLocal || n.Id == primary.NodeId)).ToList();
            var judged = ClusterPlanning.Place(workers, await Databases.TakenAsync(db, cancel), info.Settings.MemoryBytes, node, null, primary.NodeId, _options, () => Ids.New(_change.Clock));
            return judged.Value is not { } placed
                ? new DatabaseAnswer.Refused(judged.Problems)
                : await _change.BeginAsync(db, _standbys.Adding, new StandbyPlan(row.Id, info.Subject, placed), info.Subject, $"add a standby of {info.Subject} on {placed.Hostname}", actor,
                    [DatabaseReading.LeaseOf(row.Id)], cancel);
        }, cancellation);

    /// <summary>Takes the standby away.</summary>
    public Task<DatabaseAnswer> RemoveStandbyAsync(string org, string name, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync("database.standby-remove", org, name, actor, async (db, row, info, cancel) =>
        {
            if (info.Servers.FirstOrDefault(s => s.Role == ServerRole.Standby) is not { } standby)
                return new DatabaseAnswer.Conflict($"{info.Subject} has no standby.");
            return await _change.BeginAsync(db, _standbys.Removing, new StandbyPlan(row.Id, info.Subject, Placed(standby)), info.Subject, $"remove the standby of {info.Subject}", actor,
                [DatabaseReading.LeaseOf(row.Id)], cancel);
        }, cancellation);

    /// <summary>Gives a login another role and password; the first login when none is named.</summary>
    public Task<DatabaseAnswer> RotateAsync(string org, string name, string? login, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync("database.rotate", org, name, actor, async (db, row, info, cancel) =>
        {
            if (info.IsExternal)
                return new DatabaseAnswer.Conflict($"{info.Subject} is run by somebody else. Change the password there, and give its new address: crew db create {info.Subject} --url-file FILE");
            if (info.State != DatabaseState.Ready)
                return new DatabaseAnswer.Conflict($"{info.Subject} is {info.Health}: its passwords cannot be changed now.");
            if ((login is null ? info.Settings.Logins[0] : info.Settings.Logins.FirstOrDefault(l => l.Name == login)) is not { } found)
                return new DatabaseAnswer.NotFound($"login '{login}' of {info.Subject}; it has {string.Join(", ", info.Settings.Logins.Select(l => l.Name))}");
            var turned = found with { Turn = found.Turn + 1 };
            var plan = new RotatePlan(row.Id, org, info.Subject, found.Name, found.Role, turned.Role, turned.Turn,
                [.. found == info.Settings.Logins[0] ? [DatabaseSecrets.UrlOf(name)] : Array.Empty<string>(), DatabaseSecrets.UrlOf(name, found.Name)]);
            await _secrets.MakeAsync(db, org, name, info.Settings with { Logins = [turned] }, actor, cancel);
            return await _change.BeginAsync(db, _rotate.Definition, plan, info.Subject, $"change the password of {found.Name} of {info.Subject}", actor, [DatabaseReading.LeaseOf(row.Id)], cancel);
        }, cancellation);

    private Task<DatabaseAnswer> MoveAsync(
        string action, string org, string name, OperationDefinition<MovePlan> definition, string summary, bool isOffForSure, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync(action, org, name, actor, async (db, row, info, cancel) =>
        {
            if (Databases.NotOurs(info, "move") is { } words)
                return new DatabaseAnswer.Conflict(words);
            if (info.State != DatabaseState.Ready || info.Servers.FirstOrDefault(s => s.Role == ServerRole.Primary) is not { } primary)
                return new DatabaseAnswer.Conflict($"{info.Subject} is {info.Health}: there is nothing to move.");
            if (info.Servers.FirstOrDefault(s => s.Role == ServerRole.Standby) is not { } standby)
                return new DatabaseAnswer.Conflict($"{info.Subject} has no standby that could take over. Add one (crew db standby add {info.Subject}), or restore it from its backups: crew db restore {info.Subject}");
            var plan = new MovePlan
            {
                ClusterId = row.Id, Subject = info.Subject, Org = org, Old = Placed(primary), New = Placed(standby), IsOffForSure = isOffForSure, Secrets = DatabaseRestores.SecretsOf(info),
            };
            return await _change.BeginAsync(db, definition, plan, info.Subject, $"{summary}: {info.Subject} to {standby.Hostname}, port {standby.Port}", actor, [DatabaseReading.LeaseOf(row.Id)], cancel);
        }, cancellation);

    private static PlacedServer Placed(DatabaseServerInfo server) => new(server.Id, server.NodeId, server.Hostname, server.Port);
}
