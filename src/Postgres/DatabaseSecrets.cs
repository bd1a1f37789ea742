using System.Security.Cryptography;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>
/// The secrets of databases: made here, sealed in the store of their organization under names that no manifest can say, and given
/// to the nodes that have a server or a job of the cluster. Thread-safe.
/// </summary>
/// <param name="store">Where clusters are.</param>
/// <param name="secrets">The sealed secrets.</param>
public sealed class DatabaseSecrets(Store store, SecretStore secrets)
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    private const int Characters = 40;

    /// <summary>The name of the secret that holds the address, with its password, of a login; the first login of the cluster when it is null.</summary>
    public static string UrlOf(string cluster, string? login = null) => DatabaseSecretNames.Of(cluster, login is null ? "url" : $"url/{login}");

    /// <summary>The secrets of a cluster as a node asks for them; null when that node has nothing of it.</summary>
    public async Task<IReadOnlyDictionary<string, Secret>?> ForAsync(Guid nodeId, Guid clusterId, CancellationToken cancellation)
    {
        var row = await store.ReadAsync(async (db, cancel) =>
            await db.Set<ServerRow>().AnyAsync(s => s.ClusterId == clusterId && s.NodeId == nodeId, cancel)
            || await db.Set<JobRow>().AnyAsync(j => j.ClusterId == clusterId && j.NodeId == nodeId && j.DroppedAt == null, cancel)
                ? await db.Set<ClusterRow>().SingleOrDefaultAsync(c => c.Id == clusterId, cancel) : null, cancellation);
        return row is null ? null : await OfAsync(row.Org, row.Name, DatabaseReading.SettingsOf(row), cancellation);
    }

    internal async Task<IReadOnlyDictionary<string, Secret>> OfAsync(string org, string name, DatabaseSettings settings, CancellationToken cancellation)
    {
        string[] names =
        [
            ClusterSecrets.Replication, ClusterSecrets.Admin, ClusterSecrets.BackupKey, ClusterSecrets.Storage,
            .. settings.Logins.Select(l => DatabaseSecretNames.OfRole(l.Role)), .. settings.GoneRoles.Select(DatabaseSecretNames.OfRole),
        ];
        var values = new Dictionary<string, Secret>(StringComparer.Ordinal);
        foreach (var secret in names)
            if (await secrets.RevealAsync(org, DatabaseSecretNames.Of(name, secret), null, cancellation) is { } value)
                values[secret] = value;
        return values;
    }

    /// <summary>Makes what a cluster lacks; what it has stays, above all the key of its backups.</summary>
    internal async Task MakeAsync(
        StoreContext db, string org, string name, DatabaseSettings settings, Actor actor, CancellationToken cancellation, bool hasKeyOfAnother = false)
    {
        foreach (var secret in (string[])[ClusterSecrets.Replication, ClusterSecrets.Admin, .. settings.Logins.Select(l => DatabaseSecretNames.OfRole(l.Role))])
            await EnsureAsync(db, org, name, secret, () => new Secret(RandomNumberGenerator.GetString(Letters, Characters)), actor, cancellation);
        if (!hasKeyOfAnother)
            await EnsureAsync(db, org, name, ClusterSecrets.BackupKey, () => new Secret(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))), actor, cancellation);
    }

    /// <summary>Keeps one that somebody gave.</summary>
    internal Task SetAsync(StoreContext db, string org, string name, string secret, Secret value, Actor actor, CancellationToken cancellation) =>
        secrets.SetAsync(db, org, DatabaseSecretNames.Of(name, secret), value, actor, cancellation);

    /// <summary>Gives a copy of a cluster what it needs to read the archive of the first.</summary>
    internal async Task CopyArchiveAsync(StoreContext db, string org, string from, string to, Actor actor, CancellationToken cancellation)
    {
        foreach (var secret in (string[])[ClusterSecrets.BackupKey, ClusterSecrets.Storage])
            if (await secrets.RevealAsync(org, DatabaseSecretNames.Of(from, secret), null, cancellation) is { } value)
                await SetAsync(db, org, to, secret, value, actor, cancellation);
    }

    /// <summary>
    /// Writes the addresses of every login, as they are now: what instances get that start from now on. The passwords were
    /// committed before.
    /// </summary>
    internal async Task SetUrlsAsync(StoreContext db, DatabaseInfo cluster, Actor actor, CancellationToken cancellation)
    {
        var settings = cluster.Settings;
        var servers = cluster.Servers.Where(s => s.Desire != ClusterDesire.Removed).OrderBy(s => s.Role).Select(s => (HostOf(settings, s), s.Port)).ToList();
        foreach (var (index, login) in settings.Logins.Index())
        {
            if (await RevealAsync(cluster.Org, DatabaseSecretNames.OfRole(cluster.Name, login.Role), cancellation) is not { } password)
                continue;
            var url = new Secret(DatabaseRules.UrlOf(login.Role, password, servers, login.Databases.Count > 0 ? login.Databases[0] : settings.Databases[0].Name));
            if (index == 0)
                await secrets.SetAsync(db, cluster.Org, UrlOf(cluster.Name), url, actor, cancellation);
            await secrets.SetAsync(db, cluster.Org, UrlOf(cluster.Name, login.Name), url, actor, cancellation);
        }
    }

    internal Task<Secret?> RevealAsync(string org, string name, CancellationToken cancellation) => secrets.RevealAsync(org, name, null, cancellation);

    /// <summary>The host by which services reach a server.</summary>
    internal static string HostOf(DatabaseSettings settings, DatabaseServerInfo server) =>
        settings.Listen.All(a => System.Net.IPAddress.TryParse(a, out var address) && System.Net.IPAddress.IsLoopback(address)) ? "127.0.0.1" : server.Hostname;

    private async Task EnsureAsync(StoreContext db, string org, string name, string secret, Func<Secret> make, Actor actor, CancellationToken cancellation)
    {
        if (await secrets.RevealAsync(org, DatabaseSecretNames.Of(name, secret), null, cancellation) is null)
            await SetAsync(db, org, name, secret, make(), actor, cancellation);
    }
}
