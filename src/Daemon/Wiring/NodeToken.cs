using Groundcrew.Bedrock;
using Groundcrew.Daemon.Settings;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;

namespace Groundcrew.Daemon.Wiring;

/// <summary>How a role of this machine gets onto the link.</summary>
internal static class NodeToken
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    /// <summary>Waits for the token that the control plane leaves in the data folder at its first start; false when stopped before that.</summary>
    public static async Task<bool> WaitAsync(RoleSettings settings, CancellationToken stop)
    {
        try
        {
            while (!File.Exists(settings.NodeTokenFile))
                await Task.Delay(LookEvery, TimeProvider.System, stop);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        return true;
    }

    public static NodeLink Link(RoleSettings settings, NodeRole role, string folder, MetricRegistry metrics, ILoggerFactory logs) => new(
        new NodeLinkOptions
        {
            ControlPlane = settings.ControlAddress,
            Token = () => new Secret(File.ReadAllText(settings.NodeTokenFile).Trim()),
            Hostname = settings.Hostname,
            Role = role,
            Region = settings.Platform.Region,
            Capacity = new NodeCapacity(Environment.ProcessorCount * 1000, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes),
            Version = ProgramVersion.Text,
            StateFolder = folder,
        },
        metrics, TimeProvider.System, logs.CreateLogger<NodeLink>());
}
