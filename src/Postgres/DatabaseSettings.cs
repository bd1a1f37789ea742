namespace Groundcrew.Postgres;

/// <summary>One database of a cluster.</summary>
/// <param name="Name">Its name in PostgreSQL.</param>
/// <param name="Extensions">Extensions to be created in it.</param>
public sealed record WantedDatabase(string Name, IReadOnlyList<string> Extensions);

/// <summary>
/// A login that services use. Its role in PostgreSQL is <c>NAME_TURN</c>: each rotation takes the next turn, so that the new
/// password works beside the old one until nobody uses that any more.
/// </summary>
/// <param name="Name">Its name, without the turn.</param>
/// <param name="Databases">The databases that it may use; empty for all of the cluster.</param>
/// <param name="ConnectionLimit">How many connections it may have; null for no limit.</param>
/// <param name="Turn">From 1; grows with each rotation.</param>
public sealed record DatabaseLogin(string Name, IReadOnlyList<string> Databases, int? ConnectionLimit = null, int Turn = 1)
{
    /// <summary>The role in PostgreSQL.</summary>
    public string Role => RoleOf(Turn);

    internal string RoleOf(int turn) => $"{Name}_{turn}";
}

/// <summary>How soon data has to be back, and how much of it may be lost (ZM-57..62).</summary>
/// <param name="RecoveryTime">RTO: from the failure to a server that answers; null when nothing is asked.</param>
/// <param name="RecoveryPoint">RPO: how much of the newest changes may be lost; null when nothing is asked.</param>
public sealed record RecoveryObjectives(TimeSpan? RecoveryTime = null, TimeSpan? RecoveryPoint = null);

/// <summary>What a cluster should be, as it was asked for with the defaults filled in. Immutable; kept with the cluster. It holds no secrets.</summary>
public sealed record DatabaseSettings
{
    /// <summary>The memory of a cluster that nothing is said of.</summary>
    public const long DefaultMemory = 256L * 1024 * 1024;

    /// <summary>PostgreSQL's major version.</summary>
    public int Version { get; init; } = 15;

    /// <summary>The memory that each server may plan with, in bytes.</summary>
    public long MemoryBytes { get; init; } = DefaultMemory;

    /// <summary>Settings of <c>postgresql.conf</c> that go before the derived ones.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();

    /// <summary>The role that owns every database; nobody logs in as it. A copy has that of the first.</summary>
    public string Owner { get; init; } = "";

    /// <summary>The databases; at least one.</summary>
    public IReadOnlyList<WantedDatabase> Databases { get; init; } = [];

    /// <summary>The logins; at least one, and the first is the one that a connection without a name means.</summary>
    public IReadOnlyList<DatabaseLogin> Logins { get; init; } = [];

    /// <summary>Roles that were replaced, and go once nobody uses them.</summary>
    public IReadOnlyList<string> GoneRoles { get; init; } = [];

    /// <summary>The addresses that a server listens on beside its socket.</summary>
    public IReadOnlyList<string> Listen { get; init; } = ["127.0.0.1"];

    /// <summary>Networks that may connect with a password.</summary>
    public IReadOnlyList<string> Networks { get; init; } = ["127.0.0.1/32"];

    /// <summary>How many standbys follow the primary: 0 or 1.</summary>
    public int Standbys { get; init; }

    /// <summary>Where its log and its backups go; null for nowhere.</summary>
    public ArchiveSpec? Archive { get; init; }

    /// <summary>How long backups are kept.</summary>
    public RetentionPolicy Retention { get; init; } = new(TimeSpan.FromDays(30), null, TimeSpan.FromDays(30));

    /// <summary>What recovery has to achieve.</summary>
    public RecoveryObjectives Objectives { get; init; } = new();

    /// <summary>The system's own checks of a restored copy.</summary>
    public IReadOnlyList<SqlCheck> Checks { get; init; } = [];
}

/// <summary>The names that a cluster's secrets have among those of its organization. No manifest can name them: of a secret it takes slugs only.</summary>
internal static class DatabaseSecretNames
{
    /// <summary>One of the cluster's own secrets, see <see cref="ClusterSecrets"/>.</summary>
    public static string Of(string cluster, string secret) => $"database/{cluster}/{secret}";

    /// <summary>The password of a role.</summary>
    public static string OfRole(string cluster, string role) => Of(cluster, OfRole(role));

    /// <summary>The same, as the node names it.</summary>
    public static string OfRole(string role) => $"role/{role}";
}
