using System.Security.Cryptography;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The secrets of clusters: asked for with each new task, kept sealed beside the server, so that it starts again with the
/// control plane dead. Unsealed they are in memory only. Thread-safe.
/// </summary>
internal sealed class ClusterSecretsKeeper(IClusterSecretSource source, SealedBox box, DurableFiles files)
{
    /// <summary>The secrets of a cluster: fresh ones, or those that are kept when they are wanted so or the fresh cannot be had.</summary>
    /// <param name="spec">Whose, and which.</param>
    /// <param name="folder">Where they are kept.</param>
    /// <param name="isNew">Ask for fresh ones, since a new task may come with other values.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="IOException">They are not kept, and cannot be had now.</exception>
    public async Task<IReadOnlyDictionary<string, Secret>> GetAsync(ClusterSpec spec, ServerFolder folder, bool isNew, CancellationToken cancellation)
    {
        var wanted = NamesOf(spec);
        var kept = Kept(spec.ClusterId, folder);
        if (kept is not null && !isNew && wanted.All(kept.ContainsKey))
            return kept;
        try
        {
            var answer = await source.AskClusterAsync(spec.ClusterId, cancellation);
            var missing = wanted.Where(n => !answer.ContainsKey(n)).ToList();
            if (missing.Count > 0)
                throw new IOException($"The control plane gave no value for the secret {string.Join(", ", missing)} of the cluster.");
            Keep(spec.ClusterId, folder, answer);
            return answer;
        }
        catch (IOException) when (kept is not null && wanted.All(kept.ContainsKey))
        {
            return kept;
        }
    }

    /// <summary>The names that a server cannot do without.</summary>
    private static List<string> NamesOf(ClusterSpec spec) =>
    [
        .. spec.Roles.Where(r => !r.IsGone).Select(r => r.SecretName).OfType<string>(),
        .. spec.Role == ServerRole.Standby ? [ClusterSecrets.Replication] : Array.Empty<string>(),
        .. spec.Archive is { IsEncrypted: true } ? [ClusterSecrets.BackupKey] : Array.Empty<string>(),
    ];

    private Dictionary<string, Secret>? Kept(Guid cluster, ServerFolder folder)
    {
        if (!File.Exists(folder.SecretsFile))
            return null;
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, Secret>>(box.Unseal(File.ReadAllBytes(folder.SecretsFile), Context(cluster)).Reveal(), Json.Options);
        }
        catch (Exception e) when (e is CryptographicException or JsonException)
        {
            return null; // Sealed under another key: they are asked for anew.
        }
    }

    private void Keep(Guid cluster, ServerFolder folder, IReadOnlyDictionary<string, Secret> secrets)
    {
        var plain = new Secret(JsonSerializer.Serialize(secrets.ToDictionary(s => s.Key, s => s.Value.Reveal()), Json.Options));
        files.Replace(folder.SecretsFile, box.Seal(plain, Context(cluster)));
    }

    private static string Context(Guid cluster) => $"cluster-secrets:{cluster:N}";
}
