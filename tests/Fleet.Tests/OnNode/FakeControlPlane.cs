using System.Collections.Concurrent;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.Tests.OnNode;

/// <summary>A control plane of a few lines on a real socket: what a test tells it to say.</summary>
internal sealed class FakeControlPlane : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private readonly Nudge _changed = new();
    private LinkTasks _tasks;

    private FakeControlPlane(WebApplication app, int port)
    {
        (_app, Port) = (app, port);
        _tasks = new LinkTasks(1, Platform, [], []);
    }

    public int Port { get; }

    public Uri Address => new($"http://127.0.0.1:{Port}");

    public Guid Platform { get; set; } = Guid.NewGuid();

    public Guid Node { get; } = Guid.NewGuid();

    public string Token { get; set; } = "right-token";

    public Dictionary<string, byte[]> Artifacts { get; } = [];

    public Dictionary<string, string> Secrets { get; } = [];

    /// <summary>Chain and key by id; what is not here is left out of answers.</summary>
    public ConcurrentDictionary<Guid, (string Chain, string Key)> Certificates { get; } = new();

    /// <summary>How many were asked for at once, each time.</summary>
    public ConcurrentQueue<int> CertificateQuestions { get; } = new();

    public System.Net.HttpStatusCode? FailCertificatesWith { get; set; }

    public ConcurrentQueue<LinkReports> Reports { get; } = new();

    public ConcurrentDictionary<string, TaskReport> Latest { get; } = new();

    public ConcurrentDictionary<Guid, byte[]> Streams { get; } = new();

    public int Hellos;

    public int ArtifactCalls;

    public System.Net.HttpStatusCode? FailTasksWith { get; set; }

    public static async Task<FakeControlPlane> StartAsync(int? port = null, Guid? platform = null)
    {
        var chosen = port ?? FreePort.Next();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(o => Json.Configure(o.SerializerOptions));
        builder.WebHost.UseUrls($"http://127.0.0.1:{chosen}");
        var app = builder.Build();
        var fake = new FakeControlPlane(app, chosen);
        if (platform is { } known)
            fake.Platform = known;
        fake.Map();
        await app.StartAsync();
        return fake;
    }

    public void Say(long revision, IReadOnlyList<NodeTask> tasks, params StreamRequest[] streams)
    {
        lock (_gate)
            _tasks = new LinkTasks(revision, Platform, tasks, streams);
        _changed.Set();
    }

    public async ValueTask DisposeAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(soon.Token);
        await _app.DisposeAsync();
    }

    private void Map()
    {
        _app.Use(async (context, next) =>
        {
            if (context.Request.Headers.Authorization != $"Bearer {Token}")
                context.Response.StatusCode = 401;
            else
                await next(context);
        });
        _app.MapPost("/link/v1/hello", (LinkHello _) =>
        {
            Interlocked.Increment(ref Hellos);
            return new LinkWelcome(Node, Platform);
        });
        _app.MapGet("/link/v1/nodes/{id}/tasks", TasksAsync);
        _app.MapPost("/link/v1/nodes/{id}/reports", (LinkReports reports) =>
        {
            Reports.Enqueue(reports);
            foreach (var report in reports.Reports)
                Latest[report.Key] = report;
        });
        _app.MapPost("/link/v1/nodes/{id}/secrets", (SecretsQuestion _) => Secrets);
        _app.MapPost("/link/v1/nodes/{id}/certificates", (CertificatesQuestion question) =>
        {
            CertificateQuestions.Enqueue(question.Ids.Count);
            // Keys are written opened here, as by the real one; a record would write them redacted.
            return FailCertificatesWith is { } status
                ? Results.StatusCode((int)status)
                : Results.Json(question.Ids.Where(Certificates.ContainsKey).Select(id => new { id, chain = Certificates[id].Chain, key = Certificates[id].Key }), Json.Options);
        });
        _app.MapGet("/link/v1/artifacts/{digest}", (string digest) =>
        {
            Interlocked.Increment(ref ArtifactCalls);
            return Artifacts.TryGetValue(digest, out var bytes) ? Results.Bytes(bytes) : Results.NotFound();
        });
        _app.MapPost("/link/v1/streams/{id:guid}", async (Guid id, HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            Streams[id] = body.ToArray();
        });
    }

    private async Task<IResult> TasksAsync(long after, HttpContext context)
    {
        if (FailTasksWith is { } status)
            return Results.StatusCode((int)status);
        while (true)
        {
            var next = _changed.Next;
            LinkTasks now;
            lock (_gate)
            {
                now = _tasks with { Platform = Platform };
                if (now.Revision > after)
                {
                    _tasks = _tasks with { Streams = [] };
                    return Results.Json(now, Json.Options);
                }
            }
            await next.WaitAsync(context.RequestAborted);
        }
    }
}
