using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Doors;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;

namespace Groundcrew.Daemon.Roles;

/// <summary>The control plane: store, planning and loops behind one door. Reads top to bottom in start order.</summary>
internal static class ControlRole
{
    public static async Task<int> RunAsync(RoleSettings settings, CancellationToken stop)
    {
        var clock = TimeProvider.System;
        var folder = settings.FolderOf("control");
        var opened = await Store.OpenAsync(
            new StoreOptions { Folder = folder, Connection = settings.Store }, [new FleetTables(), new DeploysTables(), new DatabasesTables()], clock, stop);
        if (opened.Value is not { } store)
            return RoleEnds.CannotStart("control", opened.Problems);
        await using var _ = store;

        await using var app = Compose(settings, store);
        var access = app.Services.GetRequiredService<Access>();
        await access.EnsureTokenFileAsync(PlatformFile.AdminTokenOf(settings.Data), "admin", Role.Admin, stop);
        await access.EnsureTokenFileAsync(settings.NodeTokenFile, "node", Role.Node, stop);
        var loops = app.Services.GetRequiredService<Loops>();
        foreach (var loop in app.Services.GetServices<ILoop>().Concat(JournalLoops.Make(access, app.Services.GetRequiredService<RequestKeys>())))
            loops.Add(loop);
        var operations = app.Services.GetRequiredService<Operations>();
        if (Opened(app) is not { } monitoring)
            return RoleEnds.CannotStartCode;

        if (!await RoleHost.TryStartAsync(app, "control", stop, settings.Platform.ControlPort))
            return RoleEnds.PortTaken;
        await operations.StartAsync(stop);
        await loops.StartAsync();
        var measuring = monitoring.RunAsync(stop);
        await RoleHost.UntilStoppedAsync(app, stop);
        await loops.StopAsync();
        await operations.StopAsync();
        await measuring;
        return 0;
    }

    /// <summary>The metrics, with their log read back; null, with words why, when their folder cannot be used.</summary>
    private static Monitoring? Opened(WebApplication app)
    {
        try
        {
            return app.Services.GetRequiredService<Monitoring>();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            RoleEnds.CannotStart("control", $"its metrics cannot be opened: {e.Message}");
            return null;
        }
    }

    /// <summary>The control plane over its store, not started yet. A test changes the builder last.</summary>
    internal static WebApplication Compose(RoleSettings settings, Store store, Action<WebApplicationBuilder>? change = null)
    {
        var folder = settings.FolderOf("control");
        var builder = RoleHost.Builder(settings, "control", settings.Platform.ControlPort);
        Add(builder.Services, settings, store, SealedBox.Open(Path.Combine(folder, "seal.key"), DurableFiles.Real), folder);
        change?.Invoke(builder);
        var app = builder.Build();
        Map(app, store);
        // Every operation is registered by the room that owns it, before the journal resumes what a crash left.
        app.Services.GetRequiredService<Deployments>();
        app.Services.RegisterDatabaseOperations();
        return app;
    }

    /// <summary>Every route of the control plane, for the door itself and for the check of its description.</summary>
    internal static void Map(WebApplication app, Store store)
    {
        app.UseMiddleware<Faults>();
        app.UseRouting();
        app.UseMiddleware<Gate>();
        app.UseMiddleware<Idempotency>();
        app.MapHealth("control", new HealthCheck("store", c => StoreCheck.LookAsync(store, c)));
        app.MapOpenApi("/openapi/v1.json").OpenToAll();
        var api = app.MapGroup("/api/v1");
        api.MapStatus();
        api.MapFleet();
        api.MapProjects();
        api.MapDomains();
        api.MapDeployments();
        api.MapEdge();
        api.MapCertificates();
        api.MapDatabases();
        api.MapOperations();
        api.MapArtifacts();
        api.MapAccess();
        app.MapPrometheus();
        app.MapBreakersOfTheGuide();
        app.MapLink();
    }

    internal static void Add(IServiceCollection services, RoleSettings settings, Store store, SealedBox box, string folder)
    {
        services.AddSingleton(settings).AddSingleton(store).AddSingleton(box).AddSingleton(DurableFiles.Real);
        services.AddSingleton<ISignals, LoggedSignals>();
        services.AddSingleton<Access>().AddSingleton<Audit>().AddSingleton<SecretStore>().AddSingleton<RequestKeys>(s => new RequestKeys(store, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new Operations(
            store, s.GetRequiredService<ISignals>(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<Operations>>(), s.GetRequiredService<MetricRegistry>()));
        services.AddSingleton<Loops>();
        services.AddFleet();
        services.AddSingleton(new DeploysOptions(settings.Platform.BaseDomain, Path.Combine(folder, "artifacts")) { Domains = DomainsOf(settings.Platform) }).AddDeploys();
        services.AddSingleton(new DatabasesOptions { FirstPort = settings.Platform.DatabasePort, BackupUrl = Path.Combine(settings.Data, "backups") }).AddDatabases();
        services.AddSingleton<IDatabaseClients, DatabaseClients>().AddSingleton<DatabasesOfManifests>();
        services.AddSingleton<Views>().AddSingleton<AskedEdges>();
        services.AddSingleton<Monitoring>().AddSingleton<PlatformTargets>().AddSingleton<ILoop, ScrapeTargetsLoop>();
        // A parameter of a wrong type is a problem with words, as every other one is.
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.AddOpenApi("v1", ApiDescription.Configure);
    }

    private static DomainOptions DomainsOf(PlatformFile platform) => new()
    {
        EdgeName = platform.EdgeName, Servers = platform.DnsServers is { } servers ? DnsServers.Parse(servers) : null, LocalEdgePort = platform.EdgePort,
    };
}
