using System.Net;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>An edge that can take over and be replaced, put together as the daemon does, with a process of its own name.</summary>
internal sealed class TakingHost : IAsyncDisposable
{
    private readonly WebApplication _app;
#pragma warning disable CA2213 // Its state is asked for after the end.
    private readonly CancellationTokenSource _stop = new();
#pragma warning restore CA2213
    private Task _draining = Task.CompletedTask;

    private TakingHost(WebApplication app) => _app = app;

    public EdgeCertificates Certificates => _app.Services.GetRequiredService<EdgeCertificates>();

    public EdgeTable Table => _app.Services.GetRequiredService<EdgeTable>();

    public EdgeHandover Handover => _app.Services.GetRequiredService<EdgeHandover>();

    public EdgeListeners Listeners => _app.Services.GetRequiredService<EdgeListeners>();

    /// <summary>Why it does not serve; null when it does.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Completes when it was replaced and has nothing left.</summary>
    public Task Drained => _draining;

    /// <summary>Takes the sockets, and does not begin.</summary>
    public static async Task<TakingHost> TakeAsync(string folder, int port, ProcessIdentity? process = null, Func<EdgeOptions, EdgeOptions>? change = null, int? tlsPort = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ISignals>(new SeenSignals());
        var options = new EdgeOptions { StateFolder = folder, Process = process ?? ProcessIdentity.Self, CloseQuietAfter = TimeSpan.FromMilliseconds(300) };
        builder.Services.AddEdge(change?.Invoke(options) ?? options);
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, port, l =>
            {
                if (tlsPort is not null)
                    l.UseEdge();
            });
            if (tlsPort is { } tls)
                k.Listen(IPAddress.Loopback, tls, l => l.UseEdgeTls());
        });
        var app = builder.Build();
        var host = new TakingHost(app);
        host.Refusal = await host.Handover.TakeAsync(TestContext.Current.CancellationToken);
        if (host.Refusal is not null)
            return host;
        app.MapEdge();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }

    public static async Task<TakingHost> StartAsync(string folder, int port, ProcessIdentity? process = null, Func<EdgeOptions, EdgeOptions>? change = null, int? tlsPort = null)
    {
        var host = await TakeAsync(folder, port, process, change, tlsPort);
        if (host.Refusal is null)
            await host.BeginAsync();
        return host;
    }

    public async Task BeginAsync(Func<Task>? beforeLeaving = null)
    {
        Refusal = await Handover.BeginAsync(beforeLeaving ?? (() => Task.CompletedTask), () => { }, TestContext.Current.CancellationToken);
        _draining = DrainAsync();
    }

    /// <summary>May be called again.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        try
        {
            await _draining;
        }
        catch (OperationCanceledException)
        {
            // It was never replaced, or still had something open.
        }
        await _app.DisposeAsync();
    }

    private async Task DrainAsync()
    {
        await Handover.Left.WaitAsync(_stop.Token);
        await Handover.DrainAsync(_stop.Token);
        await _app.StopAsync(_stop.Token);
    }
}
