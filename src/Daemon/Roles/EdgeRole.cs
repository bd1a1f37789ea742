using System.Net;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Supervising;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Edge;

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
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.IPv6Any, platform.EdgeHttpsPort, endpoint => endpoint.UseEdgeTls());
            kestrel.Listen(IPAddress.Parse(settings.Listen), platform.EdgeStatusPort);
        });
        builder.Services.AddEdge(new EdgeOptions { StateFolder = folder, HttpsPort = platform.EdgeHttpsPort, TrustedProxies = platform.TrustedProxies });
        await using var app = builder.Build();
        var handover = app.Services.GetRequiredService<EdgeHandover>();
        if (await handover.TakeAsync(stop) is { } unwilling)
            return RoleEnds.CannotStart("edge", unwilling);
        app.MapWhen(
            http => http.Connection.LocalPort == platform.EdgeStatusPort,
            status => status.UseRouting().UseEndpoints(endpoints => endpoints.MapEdgeStatus()));
        app.MapEdge();
        if (!await RoleHost.TryStartAsync(app, "edge", stop, platform.EdgePort, platform.EdgeHttpsPort, platform.EdgeStatusPort))
            return RoleEnds.PortTaken;

        await using var link = new EdgeLink(settings, folder, handover, app.Services);
        if (await handover.BeginAsync(link.EndAsync, () => RoleProcess.Succeed(settings.Data, "edge"), stop) is { } unready)
        {
            await app.StopAsync(CancellationToken.None);
            return RoleEnds.CannotStart("edge", unready);
        }
        link.Start();
        await RoleHost.UntilStoppedAsync(app, handover, stop);
        return 0;
    }
}
