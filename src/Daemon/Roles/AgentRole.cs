using Groundcrew.Bedrock;
using Groundcrew.Daemon.Doors;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Postgres.OnNode;

namespace Groundcrew.Daemon.Roles;

/// <summary>The agent of a node: runs instances, keeps their output, and dials the control plane.</summary>
internal static class AgentRole
{
    public static async Task<int> RunAsync(RoleSettings settings, CancellationToken stop)
    {
        var builder = RoleHost.Builder(settings, "agent", settings.Platform.AgentPort);
        await using var app = builder.Build();
        var metrics = app.Services.GetRequiredService<MetricRegistry>();
        var logs = app.Services.GetRequiredService<ILoggerFactory>();
        var folder = settings.FolderOf("agent");

        if (!await NodeToken.WaitAsync(settings, stop))
            return 0;
        await using var link = NodeToken.Link(settings, NodeRole.Worker, folder, metrics, logs);
        var sources = new LinkSources(link);
        await using var host = new InstanceHost(
            new InstanceHostOptions { StateFolder = folder }, sources, sources, metrics, TimeProvider.System, logs.CreateLogger<InstanceHost>());
        await host.StartAsync();
        await using var databases = new NodeDatabases(folder, settings.Data, new LinkClusterSecrets(sources), metrics, TimeProvider.System, logs);
        databases.Start();
        link.Register((INodeTaskHandler)host);
        link.Register((INodeStreamSource)host);
        using var relay = new ScrapeRelay(new Uri($"http://{TargetTransport.LocalHost(settings.Listen)}:{settings.Platform.AgentPort}"), TimeProvider.System);
        link.Register(relay);
        link.Register(databases.Clusters);
        link.Register(databases.Jobs);
        link.Register(databases.Looks);
        link.Start();

        app.MapHealth("agent", new NodeMeasures(host, TimeProvider.System).WriteTo,
            new HealthCheck("control plane", _ => Task.FromResult(link.Connected ? null : "the link to the control plane does not stand; instances run on")));
        app.MapGet("/instances", () => Answers.View(host.Snapshot()));
        if (!await RoleHost.TryStartAsync(app, "agent", stop, settings.Platform.AgentPort))
            return RoleEnds.PortTaken;
        await RoleHost.UntilStoppedAsync(app, stop);
        return 0;
    }
}
