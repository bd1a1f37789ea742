using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Answers a node that asks for the secrets of an instance it was given. Thread-safe.</summary>
/// <param name="store">Where deployments and sealed secrets are.</param>
/// <param name="instances">Which node was given what.</param>
/// <param name="secrets">The sealed secrets.</param>
public sealed class InstanceSecrets(Store store, Instances instances, SecretStore secrets)
{
    /// <summary>Variable to value; null when the node was not given that instance.</summary>
    public async Task<IReadOnlyDictionary<string, Secret>?> ForAsync(Guid nodeId, Guid instanceId, CancellationToken cancellation)
    {
        if (await instances.SpecAsync(nodeId, instanceId, cancellation) is not { } spec)
            return null;
        var settings = await store.ReadAsync(async (db, cancel) =>
            Deployments.SettingsOf(await db.Set<DeploymentRow>().SingleAsync(d => d.Label == spec.Deployment, cancel)), cancellation);
        var values = new Dictionary<string, Secret>(StringComparer.Ordinal);
        foreach (var (variable, name) in settings.Secrets)
            if (await secrets.RevealAsync(spec.Org, name, null, cancellation) is { } value)
                values[variable] = value;
        return values;
    }
}
