using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Where artifacts come from.</summary>
public interface IArtifactSource
{
    /// <summary>Opens the bytes of an artifact (<c>sha256:…</c>). Whatever it gives is verified by the reader.</summary>
    /// <exception cref="IOException">It cannot be had now; trying again may help.</exception>
    Task<Stream> OpenAsync(string digest, CancellationToken cancellation);
}

/// <summary>Where the values of secrets come from.</summary>
public interface ISecretSource
{
    /// <summary>The secrets of one instance, by the name of the environment variable.</summary>
    /// <exception cref="IOException">They cannot be had now; trying again may help.</exception>
    Task<IReadOnlyDictionary<string, Secret>> AskAsync(Guid instanceId, CancellationToken cancellation);
}

/// <summary>Where an edge's certificates come from.</summary>
public interface ICertificateSource
{
    /// <summary>Certificates with their keys; those that are not there any more are left out.</summary>
    /// <param name="ids">Which ones, at most <see cref="CertificatesQuestion.MaxIds"/>.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="IOException">They cannot be had now; trying again may help.</exception>
    Task<IReadOnlyList<CertificateMaterial>> AskAsync(IReadOnlyList<Guid> ids, CancellationToken cancellation);
}

/// <summary>All of them, over the link. Thread-safe.</summary>
/// <param name="link">The link.</param>
public sealed class LinkSources(NodeLink link) : IArtifactSource, ISecretSource, ICertificateSource
{
    /// <inheritdoc/>
    public async Task<Stream> OpenAsync(string digest, CancellationToken cancellation)
    {
        try
        {
            return await link.Calls.OpenAsync($"/link/v1/artifacts/{digest}", cancellation);
        }
        catch (LinkException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, Secret>> AskAsync(Guid instanceId, CancellationToken cancellation) =>
        await AskAsync<Dictionary<string, Secret>>("secrets", new SecretsQuestion(instanceId), cancellation);

    /// <summary>The secrets of a database cluster, by their names.</summary>
    /// <exception cref="IOException">They cannot be had now; trying again may help.</exception>
    public async Task<IReadOnlyDictionary<string, Secret>> AskClusterAsync(Guid clusterId, CancellationToken cancellation) =>
        await AskAsync<Dictionary<string, Secret>>("cluster-secrets", new ClusterSecretsQuestion(clusterId), cancellation);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<CertificateMaterial>> AskAsync(IReadOnlyList<Guid> ids, CancellationToken cancellation) =>
        await AskAsync<List<CertificateMaterial>>("certificates", new CertificatesQuestion(ids), cancellation);

    private async Task<T> AskAsync<T>(string what, object question, CancellationToken cancellation)
    {
        if (link.NodeId is not { } node)
            throw new IOException("The link to the control plane does not stand yet.");
        try
        {
            return await link.Calls.PostAsync<T>($"/link/v1/nodes/{node}/{what}", question, cancellation);
        }
        catch (LinkException e)
        {
            throw new IOException(e.Message, e);
        }
    }
}
