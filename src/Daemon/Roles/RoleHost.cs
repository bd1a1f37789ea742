using System.Net;
using Groundcrew.Bedrock;
using Groundcrew.Daemon.Doors;
using Groundcrew.Daemon.Settings;
using Groundcrew.Edge;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Groundcrew.Daemon.Roles;

/// <summary>What the three roles share: a small host with JSON logs, metrics, the clock, and one port.</summary>
internal static class RoleHost
{
    public static WebApplicationBuilder Builder(RoleSettings settings, string role, int port, IPAddress? address = null, Action<ListenOptions>? endpoint = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory, Args = [] });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.Logging.AddJsonConsole(o =>
        {
            o.UseUtcTimestamp = true;
            o.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
            o.IncludeScopes = false;
        });
        builder.Logging.SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("System", LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 16 * 1024 * 1024;
            kestrel.Listen(address ?? IPAddress.Parse(settings.Listen), port, endpoint ?? (_ => { }));
        });
        var metrics = new MetricRegistry();
        HealthDoor.ObserveProcess(metrics, role);
        builder.Services.AddSingleton(metrics).AddSingleton(TimeProvider.System);
        builder.Services.ConfigureHttpJsonOptions(o => Json.Configure(o.SerializerOptions));
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(5));
        return builder;
    }

    /// <summary>Starts the host; false, with words about who has it, when one of its ports is taken.</summary>
    public static async Task<bool> TryStartAsync(WebApplication app, string role, CancellationToken stop, params IReadOnlyList<int> ports)
    {
        try
        {
            await app.StartAsync(stop);
            return true;
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            // The message names the address that was tried.
            var port = ports.FirstOrDefault(p => e.Message.Contains($":{p}:", StringComparison.Ordinal), ports[0]);
            await Console.Error.WriteLineAsync($"crew: the {role} cannot listen on port {port}: {Supervising.PortOwner.Describe(port)}");
            return false;
        }
    }

    public static async Task UntilStoppedAsync(WebApplication app, CancellationToken stop)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
        }
        catch (OperationCanceledException)
        {
            await app.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>The same for an edge, which also ends when it was replaced and has nothing left.</summary>
    public static async Task UntilStoppedAsync(WebApplication app, EdgeHandover handover, CancellationToken stop)
    {
        try
        {
            await handover.Left.WaitAsync(stop);
            await handover.DrainAsync(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to stop, replaced or not.
        }
        await app.StopAsync(CancellationToken.None);
    }
}

/// <summary>How a role ends when it cannot start: words for a person on stderr, and a code that its supervisor knows.</summary>
internal static class RoleEnds
{
    /// <summary>Trying again will not help before somebody acts.</summary>
    public const int CannotStartCode = 70;

    /// <summary>The port is somebody else's.</summary>
    public const int PortTaken = 71;

    public static int CannotStart(string role, string why)
    {
        Console.Error.WriteLine($"crew: the {role} cannot start: {why}");
        return CannotStartCode;
    }

    public static int CannotStart(string role, IReadOnlyList<Problem> problems)
    {
        foreach (var problem in problems)
            Console.Error.WriteLine($"crew: the {role} cannot start: {problem}");
        return CannotStartCode;
    }
}
