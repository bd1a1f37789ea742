using Groundcrew.Bedrock;
using Groundcrew.Daemon.Settings;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;

namespace Groundcrew.Daemon.Wiring;

/// <summary>
/// The link of an edge, from the moment that it can be dialled to the moment that another edge takes over: the control
/// plane hears one edge at a time. Thread-safe.
/// </summary>
internal sealed class EdgeLink(RoleSettings settings, string folder, EdgeHandover handover, IServiceProvider services) : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private Task _running = Task.CompletedTask;

    /// <summary>Dials as soon as there is a token, and the edges that were replaced have said what they still use.</summary>
    public void Start() => _running = RunAsync(_end.Token);

    /// <summary>Ends it. May be called before it was started, and again.</summary>
    public async Task EndAsync()
    {
        await _end.CancelAsync();
        await _running;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _end.Dispose();
    }

    private async Task RunAsync(CancellationToken end)
    {
        if (!await NodeToken.WaitAsync(settings, end))
            return;
        var logs = services.GetRequiredService<ILoggerFactory>();
        try
        {
            await handover.HearReplacedAsync(end);
            await using var link = NodeToken.Link(settings, NodeRole.Edge, folder, services.GetRequiredService<MetricRegistry>(), logs);
            var table = services.GetRequiredService<EdgeTable>();
            link.Register(new EdgeTasks(table, logs.CreateLogger<EdgeTasks>()));
            link.Register(new EdgeAspects(table));
            using var relay = new ScrapeRelay(new Uri($"http://{TargetTransport.LocalHost(settings.Listen)}:{settings.Platform.EdgeStatusPort}"), TimeProvider.System);
            link.Register(relay);
            var certificates = new CertificateTasks(
                services.GetRequiredService<EdgeCertificates>(), new LinkSources(link), TimeProvider.System, logs.CreateLogger<CertificateTasks>());
            link.Register(certificates);
            link.Start();
            await certificates.RunAsync(end);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The way that it ends.
        }
    }
}
