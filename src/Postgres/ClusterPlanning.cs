using Groundcrew.Bedrock;
using Groundcrew.Fleet;

namespace Groundcrew.Postgres;

/// <summary>Settings of the room that the daemon gives.</summary>
public sealed record DatabasesOptions
{
    /// <summary>The first port that a server may get.</summary>
    public int FirstPort { get; init; } = 15432;

    /// <summary>How many ports there are for one node.</summary>
    public int Ports { get; init; } = 500;

    /// <summary>Where backups go of a cluster that says nothing else; null for nowhere.</summary>
    public string? BackupUrl { get; init; }

    /// <summary>How long a server may take until it answers, from the moment that its node was told.</summary>
    public TimeSpan ServerLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a job may go without a word from its node.</summary>
    public TimeSpan SilenceLimit { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a job may take at all.</summary>
    public TimeSpan JobLimit { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a node is waited for when a job is broken off; after it the node does so once it is back.</summary>
    public TimeSpan CancelLimit { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How often what is waited for is looked at when nothing wakes the waiter.</summary>
    public TimeSpan LookEvery { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>Where a server is to run: every choice made before anything happens.</summary>
/// <param name="ServerId">Its id.</param>
/// <param name="NodeId">Its node.</param>
/// <param name="Hostname">The node's machine.</param>
/// <param name="Port">Its port.</param>
internal sealed record PlacedServer(Guid ServerId, Guid NodeId, string Hostname, int Port);

/// <summary>Chooses nodes and ports for servers, and says what a server should be: pure, and only from what it is given.</summary>
internal static class ClusterPlanning
{
    /// <summary>
    /// The node with the most memory that nobody was promised, and its first free port.
    /// </summary>
    /// <param name="workers">Workers that are up and take new work.</param>
    /// <param name="taken">The servers that there are: their node, port and memory.</param>
    /// <param name="memory">What the new one needs.</param>
    /// <param name="node">The hostname that was asked for; null for any.</param>
    /// <param name="port">The port that was asked for; null for any.</param>
    /// <param name="not">A node that is not to be used if another one can be.</param>
    /// <param name="options">The ports.</param>
    /// <param name="newId">Makes an id.</param>
    public static Judged<PlacedServer> Place(
        IReadOnlyList<NodeInfo> workers, IReadOnlyList<(Guid Node, int Port, long Memory)> taken, long memory, string? node, int? port, Guid? not,
        DatabasesOptions options, Func<Guid> newId)
    {
        if (node is not null && workers.All(w => w.Hostname != node))
            return Bad("no-node", "node", $"There is no node '{node}' that is up and takes new work.", workers.Count == 0
                ? "Start an agent ('crew up'), or enable a drained node." : $"Name one of: {string.Join(", ", workers.Select(w => w.Hostname))}.");
        if (workers.Count == 0)
            return Bad("no-node", "", "No node can take a database: none is up and ready.", "Start an agent ('crew up'), or enable a drained node.");
        var fitting = workers.Where(w => node is null || w.Hostname == node)
            .Select(w => (Node: w, Free: w.Capacity.MemoryBytes - w.UsedBytes - taken.Where(t => t.Node == w.Id).Sum(t => t.Memory)))
            .Where(w => w.Free >= memory).OrderBy(w => w.Node.Id == not).ThenByDescending(w => w.Free).ThenBy(w => w.Node.Hostname, StringComparer.Ordinal).ToList();
        if (fitting.Count == 0)
            return Bad("no-capacity", "memory", $"No node has {Quantity.FormatBytes(memory)} of memory left that nobody was promised.", "Ask for less memory, or add a node.");
        var chosen = fitting[0].Node;
        var used = taken.Where(t => t.Node == chosen.Id).Select(t => t.Port).ToHashSet();
        if (port is { } asked)
            return used.Contains(asked)
                ? Bad("port-taken", "port", $"Port {asked} of {chosen.Hostname} belongs to another database.", "Name another one, or none.")
                : Judged<PlacedServer>.Good(new PlacedServer(newId(), chosen.Id, chosen.Hostname, asked));
        var free = Enumerable.Range(options.FirstPort, options.Ports).Where(p => !used.Contains(p)).Cast<int?>().FirstOrDefault();
        return free is { } first
            ? Judged<PlacedServer>.Good(new PlacedServer(newId(), chosen.Id, chosen.Hostname, first))
            : Bad("no-port", "port", $"All {options.Ports} ports for databases of {chosen.Hostname} are taken.", "Remove a database, or name a port.");
    }

    /// <summary>The address by which a server of one node is reached from another; loopback on the same node.</summary>
    public static string HostOf(Guid node, string hostname, Guid from) => node == from ? "127.0.0.1" : hostname;

    /// <summary>What the node of a server has to make so.</summary>
    public static ClusterSpec SpecOf(DatabaseInfo cluster, DatabaseServerInfo server)
    {
        var settings = cluster.Settings;
        var primary = cluster.Servers.FirstOrDefault(s => s.Role == ServerRole.Primary && s.Id != server.Id);
        var isStandby = server.Role == ServerRole.Standby && primary is not null;
        return new ClusterSpec
        {
            ServerId = server.Id, ClusterId = cluster.Id, Name = cluster.ArchiveName, Version = settings.Version, Desire = server.Desire, Role = server.Role,
            PrimaryHost = isStandby ? HostOf(primary!.NodeId, primary.Hostname, server.NodeId) : null, PrimaryPort = isStandby ? primary!.Port : null,
            Port = server.Port, Listen = settings.Listen, Networks = settings.Networks, MemoryBytes = settings.MemoryBytes, Settings = settings.Parameters,
            Databases = [.. settings.Databases.Select(d => new DatabaseSpec(d.Name, settings.Owner, d.Extensions))],
            Roles = RolesOf(settings),
            Archive = server.Role == ServerRole.Primary ? settings.Archive : null,
        };
    }

    /// <summary>A name of PostgreSQL from a slug.</summary>
    public static string IdentifierOf(string slug)
    {
        var name = slug.Replace('-', '_');
        return char.IsAsciiDigit(name[0]) ? $"d{name}" : name;
    }

    private static List<RoleSpec> RolesOf(DatabaseSettings settings)
    {
        var owner = settings.Owner;
        string[] all = [.. settings.Databases.Select(d => d.Name)];
        List<RoleSpec> roles = [new(owner, null, [])];
        roles.AddRange(settings.Logins.Select(l => new RoleSpec(
            l.Role, DatabaseSecretNames.OfRole(l.Role), l.Databases.Count == 0 ? all : l.Databases, l.ConnectionLimit, ActsAs: owner)));
        roles.AddRange(settings.GoneRoles.Select(r => new RoleSpec(r, DatabaseSecretNames.OfRole(r), all, IsGone: true, ActsAs: owner)));
        return roles;
    }

    private static Judged<PlacedServer> Bad(string code, string path, string message, string fix) => Judged<PlacedServer>.Bad([new Problem(code, path, message, fix)]);
}
