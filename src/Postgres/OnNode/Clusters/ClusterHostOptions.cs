using System.Collections.Concurrent;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Where a node keeps its clusters, and how patient it is with them.</summary>
internal sealed record ClusterHostOptions
{
    /// <summary>
    /// The agent's folder. <c>clusters/</c> below it has a folder for each server. It, and <see cref="PassableFrom"/> down to it,
    /// are made passable (not readable) for the user that PostgreSQL runs as.
    /// </summary>
    public required string StateFolder { get; init; }

    /// <summary>The first folder on the way to <see cref="StateFolder"/> that is the platform's own, such as the data folder; null for the state folder itself.</summary>
    public string? PassableFrom { get; init; }

    /// <summary>How often a server is asked how it is.</summary>
    public TimeSpan LookEvery { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often it is seen whether its process is still there.</summary>
    public TimeSpan WatchEvery { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>How long a start is waited for before it is told that it goes on.</summary>
    public TimeSpan StartLimit { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long an orderly stop may take before it is made a hard one.</summary>
    public TimeSpan StopLimit { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a promotion may take.</summary>
    public TimeSpan PromoteLimit { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a standby that its primary will not serve waits before it is rewound or copied anew.</summary>
    public TimeSpan FollowLimit { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The longest wait between two tries of what failed.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How files are made durable.</summary>
    public DurableFiles Files { get; init; } = DurableFiles.Real;
}

/// <summary>What all actors of a node share.</summary>
internal sealed record ClusterParts(ClusterHostOptions Options, ClusterSecretsKeeper Secrets, IArchiveKeeper Archive, TimeProvider Clock, ILogger Log, Action Changed)
{
    private readonly ConcurrentDictionary<Guid, SemaphoreSlim> _hands = new();

    /// <summary>Who has it, has the data folder of that server; one at a time.</summary>
    public SemaphoreSlim HandsOf(Guid serverId) => _hands.GetOrAdd(serverId, _ => new(1));

    /// <summary>Lets the server's user pass the platform's own folders on the way to its data, and read none of them.</summary>
    public void LetPass(ServerUser user)
    {
        var top = Path.GetFullPath(Options.PassableFrom ?? Options.StateFolder);
        for (var folder = Path.Combine(Path.GetFullPath(Options.StateFolder), "clusters"); folder.StartsWith(top, StringComparison.Ordinal); folder = Path.GetDirectoryName(folder)!)
            user.LetPass(folder);
    }
}
