using Microsoft.Extensions.DependencyInjection;

namespace Groundcrew.Fleet;

/// <summary>How the room is put into a control plane.</summary>
public static class FleetServices
{
    /// <summary>Adds the registries of nodes and instances and the control plane's end of the link.</summary>
    public static IServiceCollection AddFleet(this IServiceCollection services) => services
        .AddSingleton<Nodes>()
        .AddSingleton<Instances>()
        .AddSingleton<Link>();
}
