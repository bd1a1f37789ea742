using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Postgres.OnNode;

namespace Groundcrew.Daemon.Wiring;

/// <summary>The secrets of a node's clusters, over the link. Thread-safe.</summary>
internal sealed class LinkClusterSecrets(LinkSources sources) : IClusterSecretSource
{
    public Task<IReadOnlyDictionary<string, Secret>> AskClusterAsync(Guid clusterId, CancellationToken cancellation) =>
        sources.AskClusterAsync(clusterId, cancellation);
}
