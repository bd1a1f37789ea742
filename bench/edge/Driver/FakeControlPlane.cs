using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Groundcrew.Bedrock;
using Groundcrew.Deploys;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Bench.Edge;

/// <summary>
/// A control plane of a few lines: hands an edge one route table after the other and hears its word on each. Tables are
/// written out beforehand, so that what it costs here is the sending.
/// </summary>
internal sealed class FakeControlPlane : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly WebApplication _app;
    private readonly Guid _platform;
    private readonly Channel<EdgeReport> _reports = Channel.CreateBounded<EdgeReport>(1024);
    private readonly Lock _gate = new();
    private readonly Nudge _said = new();
    private (long Generation, byte[] Tail) _table;

    private FakeControlPlane(WebApplication app, Guid platform) => (_app, _platform) = (app, platform);

    public static async Task<FakeControlPlane> StartAsync(int port, Guid platform, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(o => Json.Configure(o.SerializerOptions));
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}").ConfigureKestrel(k => k.Limits.MinResponseDataRate = null);
        var app = builder.Build();
        var plane = new FakeControlPlane(app, platform);
        app.MapPost("/link/v1/hello", (LinkHello _) => new LinkWelcome(Guid.NewGuid(), platform));
        app.MapGet("/link/v1/nodes/{id:guid}/tasks", plane.TasksAsync);
        app.MapPost("/link/v1/nodes/{id:guid}/reports", plane.Heard);
        await app.StartAsync(cancellation);
        return plane;
    }

    /// <summary>A table without its generation, ready to be sent under any.</summary>
    public static byte[] Write(RouteTable table)
    {
        var text = JsonSerializer.Serialize(table with { Generation = 1 }, Json.Options);
        const string head = """{"generation":1,""";
        return text.StartsWith(head, StringComparison.Ordinal)
            ? Encoding.UTF8.GetBytes(text[head.Length..])
            : throw new InvalidDataException("A table's first member is no longer its generation.");
    }

    /// <summary>Offers a table and returns when the edge says that it serves.</summary>
    public async Task SwapAsync(long generation, byte[] table, CancellationToken cancellation)
    {
        lock (_gate)
            _table = (generation, table);
        _said.Set();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Patience);
        while (await _reports.Reader.ReadAsync(limit.Token) is var report)
        {
            if (report.Problem is { } problem)
                throw new InvalidDataException($"The edge did not take table {generation}: {problem}");
            if (report.Serving >= generation)
                return;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task TasksAsync(long after, HttpContext http)
    {
        while (true)
        {
            var next = _said.Next;
            (long Generation, byte[] Tail) table;
            lock (_gate)
                table = _table;
            if (table.Generation > after)
            {
                await SendAsync(table.Generation, table.Tail, http.Response, http.RequestAborted);
                return;
            }
            await next.WaitAsync(http.RequestAborted);
        }
    }

    private async Task SendAsync(long generation, byte[] rest, HttpResponse to, CancellationToken cancellation)
    {
        var head = Encoding.UTF8.GetBytes(
            $$"""{"revision":{{generation}},"platform":"{{_platform}}","tasks":[{"key":"{{EdgeReport.Key}}","kind":"{{EdgeReport.Kind}}","generation":{{generation}},"payload":{"generation":{{generation}},""");
        var tail = """}],"streams":[]}"""u8.ToArray();
        to.ContentType = "application/json";
        to.ContentLength = head.Length + rest.Length + tail.Length;
        await to.Body.WriteAsync(head, cancellation);
        await to.Body.WriteAsync(rest, cancellation);
        await to.Body.WriteAsync(tail, cancellation);
    }

    private async Task Heard(LinkReports reports)
    {
        foreach (var report in reports.Reports.Where(r => r.Key == EdgeReport.Key))
            await _reports.Writer.WriteAsync(report.Status.Deserialize<EdgeReport>(Json.Options)!);
    }
}
