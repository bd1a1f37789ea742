using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.Extensions.DependencyInjection;

namespace Groundcrew.Deploys;

/// <summary>How the room is put into a control plane.</summary>
public static class DeploysServices
{
    /// <summary>
    /// Adds projects, artifacts, deployments, routes, certificates and the room's loops. Needs the Journal's and the Fleet's
    /// services and a <see cref="DeploysOptions"/>.
    /// </summary>
    public static IServiceCollection AddDeploys(this IServiceCollection services) => services
        .AddSingleton<Routes>()
        .AddSingleton<Projects>()
        .AddSingleton<DomainLook>()
        .AddSingleton<SiteCheck>()
        .AddSingleton(s => new Domains(
            s.GetRequiredService<Store>(), s.GetRequiredService<Routes>(), s.GetRequiredService<DomainLook>(), s.GetRequiredService<SiteCheck>(), s.GetRequiredService<TimeProvider>()))
        .AddSingleton<Holds>()
        .AddSingleton<Splits>()
        .AddSingleton<MaintenanceTimes>()
        .AddSingleton<Drains>()
        .AddSingleton<Artifacts>()
        .AddSingleton<InstanceSecrets>()
        .AddSingleton<Retirement>()
        .AddSingleton<Rollout>()
        .AddSingleton(s => new Deployments(
            s.GetRequiredService<Store>(), s.GetRequiredService<Operations>(), s.GetRequiredService<Nodes>(), s.GetRequiredService<Instances>(),
            s.GetRequiredService<Projects>(), s.GetRequiredService<Domains>(), s.GetRequiredService<SecretStore>(), s.GetRequiredService<Audit>(), s.GetRequiredService<Rollout>(), s.GetRequiredService<Retirement>(), s.GetRequiredService<TimeProvider>()))
        .AddSingleton<ILoop, RoutesLoop>()
        .AddSingleton<ILoop, RetireLoop>()
        .AddSingleton<ILoop, RepairLoop>()
        .AddSingleton<ILoop, PruneLoop>()
        .AddSingleton<ILoop, DomainLoop>()
        .AddCertificates();

    /// <summary>The one store of certificates and its loop; needs the metrics, the signals and the sealed box.</summary>
    private static IServiceCollection AddCertificates(this IServiceCollection services) => services
        .AddSingleton<Certificates>()
        .AddSingleton<CertificateAuthorities>()
        .AddSingleton<EdgeChallenges>()
        .AddSingleton<AcmeOrders>()
        .AddSingleton<CertificateUpkeep>()
        .AddSingleton<CertificateMaking>()
        .AddSingleton<ExpiryWatch>()
        .AddSingleton<ILoop, CertificatesLoop>();
}
