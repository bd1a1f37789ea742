using System.Security.Cryptography;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// The secrets of instances: asked for once, kept sealed beside the instance, so that it starts again with the control
/// plane dead. Unsealed they are in memory only. Thread-safe.
/// </summary>
internal sealed class SealedSecrets(ISecretSource source, SealedBox box, DurableFiles files)
{
    /// <summary>The secrets that a spec names.</summary>
    /// <exception cref="IOException">They are not kept, and cannot be had now.</exception>
    public async Task<IReadOnlyDictionary<string, Secret>> GetAsync(InstanceSpec spec, InstanceFolder folder, CancellationToken cancellation)
    {
        if (spec.SecretVariables.Count == 0)
            return new Dictionary<string, Secret>();
        if (Kept(spec.InstanceId, folder) is { } kept && spec.SecretVariables.All(kept.ContainsKey))
            return kept;
        var answer = await source.AskAsync(spec.InstanceId, cancellation);
        var missing = spec.SecretVariables.Where(n => !answer.ContainsKey(n)).ToList();
        if (missing.Count > 0)
            throw new IOException($"The control plane gave no value for the secret {string.Join(", ", missing)}: set it in the project's settings.");
        var wanted = spec.SecretVariables.Distinct(StringComparer.Ordinal).ToDictionary(n => n, n => answer[n]);
        var plain = new Secret(JsonSerializer.Serialize(wanted.ToDictionary(s => s.Key, s => s.Value.Reveal()), Json.Options));
        files.Replace(folder.SecretsFile, box.Seal(plain, Context(spec.InstanceId)));
        return wanted;
    }

    /// <summary>What is kept of an instance; null for nothing, or nothing that opens.</summary>
    public IReadOnlyDictionary<string, Secret>? Kept(Guid instance, InstanceFolder folder)
    {
        if (!File.Exists(folder.SecretsFile))
            return null;
        try
        {
            var plain = box.Unseal(File.ReadAllBytes(folder.SecretsFile), Context(instance));
            return JsonSerializer.Deserialize<Dictionary<string, Secret>>(plain.Reveal(), Json.Options);
        }
        catch (Exception e) when (e is CryptographicException or JsonException)
        {
            return null; // Sealed under another key: it is asked for anew.
        }
    }

    /// <summary>Forgets what is kept, as a newer generation may come with other values.</summary>
    public void Forget(InstanceFolder folder)
    {
        if (File.Exists(folder.SecretsFile))
            files.Delete(folder.SecretsFile);
    }

    private static string Context(Guid instance) => $"instance-secrets:{instance:N}";
}
