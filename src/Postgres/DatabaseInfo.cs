using Groundcrew.Bedrock;
using Groundcrew.Journal;

namespace Groundcrew.Postgres;

/// <summary>A server of a cluster as others see it: what was decided, and what its node observed last.</summary>
/// <param name="Id">Its id.</param>
/// <param name="NodeId">Its node.</param>
/// <param name="Hostname">The node's machine.</param>
/// <param name="Role">What it should be.</param>
/// <param name="Port">The port that it listens on.</param>
/// <param name="Desire">What should become of it.</param>
/// <param name="Status">What its node observed; null when it has not reported since the control plane started.</param>
public sealed record DatabaseServerInfo(Guid Id, Guid NodeId, string Hostname, ServerRole Role, int Port, ClusterDesire Desire, ServerStatus? Status);

/// <summary>A cluster as others see it. It holds no secrets.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Org">The organization.</param>
/// <param name="Name">Its name in the organization.</param>
/// <param name="State">Where it stands.</param>
/// <param name="IsExternal">Somebody else runs it.</param>
/// <param name="Settings">What it should be.</param>
/// <param name="Why">Why it stands there; null when there is nothing to say.</param>
/// <param name="Operation">The operation that changed it last.</param>
/// <param name="Actor">Who asked for it.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="RestoredFrom">What it was restored from; null for a new one.</param>
/// <param name="Servers">Its servers, the primary first.</param>
/// <param name="Moving">The operation that moves it now; null when none does.</param>
public sealed record DatabaseInfo(
    Guid Id, string Org, string Name, DatabaseState State, bool IsExternal, DatabaseSettings Settings, string? Why, Guid Operation, string Actor,
    DateTimeOffset CreatedAt, string? RestoredFrom, IReadOnlyList<DatabaseServerInfo> Servers, Guid? Moving)
{
    /// <summary>Its name on the whole platform, by which people name it.</summary>
    public string Subject => $"{Org}/{Name}";

    /// <summary>Its name in the storage.</summary>
    public string ArchiveName => $"{Org}-{Name}";

    /// <summary>The server that should take writes; null when there is none.</summary>
    public DatabaseServerInfo? Primary => Servers.FirstOrDefault(s => s.Role == ServerRole.Primary && s.Desire == ClusterDesire.Running)
        ?? Servers.FirstOrDefault(s => s.Role == ServerRole.Primary);

    /// <summary>
    /// One word for the whole: <c>creating</c>, <c>ready</c>, <c>degraded</c>, <c>starting</c>, <c>unknown</c> (its node has not
    /// reported), <c>stopped</c>, <c>failed</c> or <c>removed</c>; <c>external</c> for one that somebody else runs.
    /// </summary>
    public string Health => (State, IsExternal) switch
    {
        (DatabaseState.Removed, _) => "removed",
        (DatabaseState.Creating, _) => "creating",
        (DatabaseState.Failed, _) => "failed",
        (_, true) => "external",
        _ => HealthOfServers(),
    };

    private string HealthOfServers()
    {
        var word = Primary?.Status?.State switch
        {
            null => "unknown",
            ServerState.Ready => "ready",
            ServerState.Degraded => "degraded",
            ServerState.Preparing or ServerState.Starting => "starting",
            ServerState.Stopped => "stopped",
            _ => "failed",
        };
        return word == "ready" && Servers.Any(s => s.Desire == ClusterDesire.Running && s.Status?.State != ServerState.Ready) ? "degraded" : word;
    }
}

/// <summary>What became of asking for a change of a database: a closed set.</summary>
public abstract record DatabaseAnswer
{
    private DatabaseAnswer()
    {
    }

    /// <summary>An operation does it.</summary>
    /// <param name="Subject">The database, as <c>acme/main</c>.</param>
    /// <param name="Operation">The operation.</param>
    public sealed record Accepted(string Subject, OperationView Operation) : DatabaseAnswer;

    /// <summary>It was done at once.</summary>
    /// <param name="Subject">The database.</param>
    public sealed record Done(string Subject) : DatabaseAnswer;

    /// <summary>The request has problems, all of them listed.</summary>
    /// <param name="Problems">The problems.</param>
    public sealed record Refused(IReadOnlyList<Problem> Problems) : DatabaseAnswer;

    /// <summary>There is no such thing.</summary>
    /// <param name="What">What there is none of.</param>
    public sealed record NotFound(string What) : DatabaseAnswer;

    /// <summary>Another operation holds it.</summary>
    /// <param name="Holder">That operation.</param>
    public sealed record Busy(OperationView Holder) : DatabaseAnswer;

    /// <summary>It cannot be done as things stand, and what to do first.</summary>
    /// <param name="Words">For a person.</param>
    public sealed record Conflict(string Words) : DatabaseAnswer;
}

/// <summary>A new cluster, or one that somebody else runs.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Name">Its name there; a slug.</param>
/// <param name="Settings">What it should be.</param>
/// <param name="Node">The hostname of the node; null to have it chosen.</param>
/// <param name="Port">The port; null to have it chosen.</param>
/// <param name="StorageCredentials">The storage's credentials, as <c>access key:secret key</c>; null for none or those of before.</param>
/// <param name="ExternalUrl">The address, with its password, of a server that somebody else runs; null for one of our own.</param>
public sealed record CreateDatabase(string Org, string Name, DatabaseSettings Settings, string? Node, int? Port, Secret? StorageCredentials, Secret? ExternalUrl);

/// <summary>How to connect. Given to who may, and written into the audit.</summary>
/// <param name="Login">The login.</param>
/// <param name="Role">Its role in PostgreSQL now.</param>
/// <param name="Database">The database.</param>
/// <param name="Url">The address with the password (libpq, section 34.1.1.2).</param>
public sealed record DatabaseConnection(string Login, string Role, string Database, Secret Url);
