using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Keeps the logs of primaries in their storages. Implementations are thread-safe, and <see cref="Keep"/> returns at once.</summary>
internal interface IArchiveKeeper
{
    /// <summary>
    /// The server is a primary that answers, and its log should go to <see cref="ClusterSpec.Archive"/>. Called again and again,
    /// also with another spec or other secrets: idempotent.
    /// </summary>
    void Keep(NodeServer server, IReadOnlyDictionary<string, Secret> secrets);

    /// <summary>The server's log is not to be kept from here any more: it is stopped, a standby, or without an archive. Waits until nothing is under way.</summary>
    Task LeaveAsync(Guid serverId);

    /// <summary>How the archive of a server stands; null when it is not kept.</summary>
    ArchiveStatus? StatusOf(Guid serverId);
}
