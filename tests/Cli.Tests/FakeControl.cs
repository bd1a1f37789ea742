using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Cli.Tests;

/// <summary>
/// A control plane of one test: a real server on loopback that answers what the test puts in, and keeps what it was asked.
/// It can be stopped and started again on its port, with what it holds kept.
/// </summary>
internal sealed class FakeControl : IAsyncDisposable
{
    public const string Token = "gct_marked-token-of-the-test";
    private readonly ConcurrentDictionary<string, Func<HttpContext, Task>> _answers = new();
    private WebApplication? _app;

    public int Port { get; } = FreePort.Next();

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    /// <summary>Each request: method, path with query, body, idempotency key.</summary>
    public ConcurrentQueue<(string Line, string Body, string? Key)> Asked { get; } = new();

    public ConcurrentDictionary<string, byte[]> Artifacts { get; } = new();

    public static async Task<FakeControl> StartAsync()
    {
        var control = new FakeControl();
        await control.StartAgainAsync();
        return control;
    }

    /// <summary>Answers a call such as <c>GET projects</c> with a view.</summary>
    public FakeControl Says<T>(string call, T view, int status = 200) => Does(call, http => WriteAsync(http, view, status));

    public FakeControl Refuses(string call, int status, string code, string detail, params Problem[] problems) => Does(call, http =>
        WriteAsync(http, new ProblemView($"urn:groundcrew:problem:{code}", code, status, detail, code, problems), status, "application/problem+json"));

    public FakeControl Does(string call, Func<HttpContext, Task> answer)
    {
        _answers[call] = answer;
        return this;
    }

    /// <summary>Answers with a view, for calls whose answer changes.</summary>
    public static Task AnswerAsync<T>(HttpContext http, T view) => WriteAsync(http, view, 200);

    public static Task EventAsync(HttpContext http, OperationStatusView view) =>
        http.Response.WriteAsync($"data: {JsonSerializer.Serialize(view, Json.Options)}\n\n");

    public async Task StartAgainAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(k => k.ListenLocalhost(Port));
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(o => o.ShutdownTimeout = TimeSpan.Zero);
        _app = builder.Build();
        _app.Run(AnswerAsync);
        await _app.StartAsync();
    }

    /// <summary>Dies: every connection breaks.</summary>
    public async Task DieAsync()
    {
        await _app!.StopAsync();
        await _app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await DieAsync();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        // Below Prometheus' API: GET metrics/labels for /prometheus/api/v1/labels.
        var path = http.Request.Path.Value!.Replace("/prometheus/api/v1/", "/api/v1/metrics/", StringComparison.Ordinal)["/api/v1/".Length..];
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        Asked.Enqueue(($"{http.Request.Method} {path}{http.Request.QueryString}", path.StartsWith("artifacts/", StringComparison.Ordinal) ? "" : System.Text.Encoding.UTF8.GetString(body.ToArray()), http.Request.Headers["Idempotency-Key"]));
        if (http.Request.Headers.Authorization != $"Bearer {Token}")
            await WriteAsync(http, new ProblemView("", "", 401, "This call needs a token.", ProblemCodes.Unauthenticated, []), 401, "application/problem+json");
        else if (_answers.TryGetValue($"{http.Request.Method} {path}", out var answer))
            await answer(http);
        else if (path.StartsWith("artifacts/sha256:", StringComparison.Ordinal))
            await ArtifactAsync(http, path["artifacts/".Length..], body.ToArray());
        else
            await WriteAsync(http, new ProblemView("", "", 404, $"There is no {path}.", ProblemCodes.NotFound, []), 404, "application/problem+json");
    }

    private async Task ArtifactAsync(HttpContext http, string digest, byte[] body)
    {
        if (http.Request.Method == "PUT")
        {
            var actual = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(body));
            if (actual != digest)
            {
                await WriteAsync(http, new ProblemView("", "", 422, "Wrong digest.", ProblemCodes.DigestMismatch, []), 422, "application/problem+json");
                return;
            }
            Artifacts[digest] = body;
            await WriteAsync(http, new ArtifactView(digest, body.Length, DateTimeOffset.UnixEpoch), 201);
        }
        else
            http.Response.StatusCode = Artifacts.ContainsKey(digest) ? 200 : 404;
    }

    private static Task WriteAsync<T>(HttpContext http, T view, int status, string type = "application/json")
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = type;
        return http.Response.WriteAsync(JsonSerializer.Serialize(view, Json.Options));
    }
}
