using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>Puts together what was decided about a cluster and what its nodes observe. Thread-safe.</summary>
internal sealed class DatabaseReading(Store store, Nodes nodes, Link link)
{
    /// <summary>The key of a server's task and report.</summary>
    public static string KeyOfServer(Guid serverId) => $"cluster-{serverId:D}";

    /// <summary>The lease of what changes a cluster's servers.</summary>
    public static string LeaseOf(Guid clusterId) => $"database/{clusterId:D}";

    /// <summary>The lease of what writes into, or deletes from, a cluster's archive.</summary>
    public static string BackupLeaseOf(Guid clusterId) => $"database-backup/{clusterId:D}";

    /// <summary>The lease of what reads a cluster's archive and must not find it shrinking.</summary>
    public static string RestoreLeaseOf(Guid clusterId) => $"database-restore/{clusterId:D}";

    public static DatabaseSettings SettingsOf(ClusterRow row) => JsonSerializer.Deserialize<DatabaseSettings>(row.Settings, Json.Options)!;

    public static string Written(DatabaseSettings settings) => JsonSerializer.Serialize(settings, Json.Options);

    public Task<DatabaseInfo?> FindAsync(string org, string name, CancellationToken cancellation) =>
        store.ReadAsync(async (db, cancel) =>
            await db.Set<ClusterRow>().SingleOrDefaultAsync(c => c.Org == org && c.Name == name, cancel) is { } row ? await InfoAsync(db, row, cancel) : null, cancellation);

    public Task<DatabaseInfo> GetAsync(Guid clusterId, CancellationToken cancellation) =>
        store.ReadAsync((db, cancel) => GetAsync(db, clusterId, cancel), cancellation);

    public async Task<DatabaseInfo> GetAsync(StoreContext db, Guid clusterId, CancellationToken cancellation) =>
        await InfoAsync(db, await db.Set<ClusterRow>().SingleAsync(c => c.Id == clusterId, cancellation), cancellation);

    public Task<IReadOnlyList<DatabaseInfo>> ListAsync(string? org, CancellationToken cancellation) =>
        store.ReadAsync<IReadOnlyList<DatabaseInfo>>(async (db, cancel) =>
        {
            var rows = await db.Set<ClusterRow>().Where(c => org == null || c.Org == org).ToListAsync(cancel);
            var infos = new List<DatabaseInfo>();
            foreach (var row in rows.OrderBy(r => r.Org, StringComparer.Ordinal).ThenBy(r => r.Name, StringComparer.Ordinal))
                infos.Add(await InfoAsync(db, row, cancel));
            return infos;
        }, cancellation);

    public async Task<DatabaseInfo> InfoAsync(StoreContext db, ClusterRow row, CancellationToken cancellation)
    {
        // What this transaction changed and did not save yet counts.
        await Saved(db, cancellation);
        var servers = await db.Set<ServerRow>().Where(s => s.ClusterId == row.Id && s.Desire != ClusterDesire.Removed).ToListAsync(cancellation);
        var hostnames = servers.Count == 0 ? [] : (await nodes.ListAsync(db, cancellation)).ToDictionary(n => n.Id, n => n.Hostname);
        var moving = await Leases.HolderAsync(db, LeaseOf(row.Id), cancellation) ?? await Leases.HolderAsync(db, BackupLeaseOf(row.Id), cancellation);
        return new DatabaseInfo(
            row.Id, row.Org, row.Name, row.State, row.IsExternal, SettingsOf(row), row.Why, row.Operation, row.Actor, row.CreatedAt, row.RestoredFrom,
            [
                .. servers.OrderBy(s => s.Role).ThenBy(s => s.CreatedAt).ThenBy(s => s.Id).Select(s => new DatabaseServerInfo(
                    s.Id, s.NodeId, hostnames.GetValueOrDefault(s.NodeId, "(removed)"), s.Role, s.Port, s.Desire, StatusOf(s.NodeId, s.Id))),
            ], moving);
    }

    /// <summary>What a node observed of a server last; null when it has not reported since this control plane started.</summary>
    public ServerStatus? StatusOf(Guid nodeId, Guid serverId) => ReportOf(nodeId, serverId)?.Status;

    /// <summary>The same, with the generation of the task that it is about.</summary>
    public (ServerStatus Status, long Generation)? ReportOf(Guid nodeId, Guid serverId) =>
        link.ReportOf(nodeId, KeyOfServer(serverId)) is { } report && report.Status.Deserialize<ServerStatus>(Json.Options) is { } status
            ? (status, report.Generation) : null;

    private static async Task Saved(StoreContext db, CancellationToken cancellation)
    {
        if (db.ChangeTracker.HasChanges())
            await db.SaveChangesAsync(cancellation);
    }
}
