using System.Net;
using Groundcrew.Bedrock;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Edge;
using Groundcrew.Fleet;

namespace Groundcrew.Daemon.Roles;

/// <summary>The edge: carries traffic from the table on its disk, and learns of newer ones over the link.</summary>
internal static class EdgeRole
{
    public static async Task<int> RunAsync(RoleSettings settings, CancellationToken stop)
    {
        var folder = settings.FolderOf("edge");
        var platform = settings.Platform;
        var builder = RoleHost.Builder(settings, "edge", platform.EdgePort, IPAddress.IPv6Any, endpoint => endpoint.UseEdge());
        // Nothing that a request does on its way blocks: it runs where its bytes arrive, without a hop between threads.
        builder.WebHost.UseSockets(sockets => (sockets.UnsafePreferInlineScheduling, sockets.WaitForDataBeforeAllocatingBuffer) = (true, false));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Parse(settings.Listen), platform.EdgeStatusPort));
        builder.Services.AddEdge(new EdgeOptions { StateFolder = folder });
        await using var app = builder.Build();
        app.MapWhen(
            http => http.Connection.LocalPort == platform.EdgeStatusPort,
            status => status.UseRouting().UseEndpoints(endpoints => endpoints.MapEdgeStatus()));
        app.MapEdge();
        if (!await RoleHost.TryStartAsync(app, "edge", platform.EdgePort, stop))
            return RoleEnds.PortTaken;

        if (!await NodeToken.WaitAsync(settings, stop))
            return 0;
        var logs = app.Services.GetRequiredService<ILoggerFactory>();
        await using var link = NodeToken.Link(settings, NodeRole.Edge, folder, app.Services.GetRequiredService<MetricRegistry>(), logs);
        link.Register(new EdgeTasks(app.Services.GetRequiredService<EdgeTable>(), logs.CreateLogger<EdgeTasks>()));
        link.Start();
        await RoleHost.UntilStoppedAsync(app, stop);
        return 0;
    }
}
