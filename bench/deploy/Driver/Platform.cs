using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Groundcrew.Bench.Deploy;

/// <summary>A platform of ours in a temporary folder, started and stopped as a user does it, spoken to over its API.</summary>
internal sealed class Platform : IAsyncDisposable
{
    public const string Org = "bench";
    public const string Project = "web";
    private static readonly TimeSpan EndsWithin = TimeSpan.FromSeconds(90);
    private readonly Options _options;
    private readonly string _data = Directory.CreateTempSubdirectory("deploy-bench-").FullName;
    private readonly int[] _ports = Tools.FreePorts(5);
    private readonly HttpClient _api;

    public Platform(Options options)
    {
        _options = options;
        _api = new HttpClient(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(1) })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{_ports[0]}"),
            Timeout = TimeSpan.FromSeconds(20),
        };
    }

    public IPEndPoint Edge => new(IPAddress.Loopback, _ports[2]);

    public string Host => $"{Project}-{Org}.localhost";

    /// <summary>Milliseconds from the command to its end, which comes when everything is ready.</summary>
    public async Task<double> UpAsync()
    {
        var start = Stopwatch.GetTimestamp();
        await Tools.RunAsync(_options.Crew,
        [
            "up", "--detach", "--data", _data, "--trust-loopback", "--control-port", $"{_ports[0]}", "--agent-port", $"{_ports[1]}",
            "--edge-port", $"{_ports[2]}", "--edge-https-port", $"{_ports[4]}", "--edge-status-port", $"{_ports[3]}",
        ]);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    public Task DownAsync() => Tools.RunAsync(_options.Crew, ["down", "--data", _data]);

    /// <summary>The process of a role now, as the platform wrote it down.</summary>
    public int PidOf(string role)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(_data, role, "process.json")));
        return json.RootElement.GetProperty("pid").GetInt32();
    }

    /// <summary>Waits until every role answers that it is ready: what was killed is back.</summary>
    public async Task ReadyAsync(CancellationToken cancellation)
    {
        foreach (var port in (int[])[_ports[0], _ports[1], _ports[3]])
            while (!await IsReadyAsync(port, cancellation))
                await Tools.PauseAsync(50, cancellation);
    }

    public async Task<string> UploadAsync(int version, CancellationToken cancellation)
    {
        var (bytes, digest) = Tools.Package(_options.Service, version);
        using var content = new ByteArrayContent(bytes);
        using var answer = await _api.PutAsync($"/api/v1/artifacts/{digest}", content, cancellation);
        answer.EnsureSuccessStatusCode();
        return digest;
    }

    public async Task<Move> DeployAsync(int from, int to, CancellationToken cancellation, Func<Task>? meanwhile = null)
    {
        var digest = await UploadAsync(to, cancellation);
        var body = new Dictionary<string, object>(StringComparer.Ordinal) { ["manifest"] = Manifest, ["artifact"] = digest };
        return await MoveAsync("deploy", "/api/v1/deployments", body, from, to, meanwhile, cancellation);
    }

    public Task<Move> RollbackAsync(int from, int to, CancellationToken cancellation) =>
        MoveAsync("rollback", $"/api/v1/projects/{Org}/{Project}/rollback", new Dictionary<string, object>(StringComparer.Ordinal), from, to, null, cancellation);

    public async ValueTask DisposeAsync()
    {
        _api.Dispose();
        await DownAsync();
        if (_options.Keep)
            await Console.Error.WriteLineAsync($"kept: {_data}");
        else
            Directory.Delete(_data, recursive: true);
    }

    private async Task<bool> IsReadyAsync(int port, CancellationToken cancellation)
    {
        try
        {
            using var answer = await _api.GetAsync($"http://127.0.0.1:{port}/health/ready", cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private string Manifest => $"""
        system: {Org}
        services:
          {Project}:
            package: .
            run: ./bench-service
            health:
              readiness: /ready
              period: 1s
            instances: 3
            drain: 5s
            rollbackWindow: 8s
        """;

    private async Task<Move> MoveAsync(
        string kind, string path, Dictionary<string, object> body, int from, int to, Func<Task>? meanwhile, CancellationToken cancellation)
    {
        var key = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));
        var requested = Stopwatch.GetTimestamp();
        var other = meanwhile is null ? Task.CompletedTask : Task.Run(meanwhile, cancellation);
        var operation = await PostAsync(path, body, key, cancellation);
        var accepted = Stopwatch.GetTimestamp();
        var (outcome, ended, steps) = await EndOfAsync(operation, cancellation);
        await other;
        return new Move(kind, from, to, requested, accepted, ended, outcome, steps);
    }

    /// <summary>Sends until an answer comes, under one idempotency key: the control plane may just have been killed.</summary>
    private async Task<string> PostAsync(string path, Dictionary<string, object> body, string key, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
            request.Headers.Add("Idempotency-Key", key);
            try
            {
                using var answer = await _api.SendAsync(request, cancellation);
                var text = await answer.Content.ReadAsStringAsync(cancellation);
                if (answer.IsSuccessStatusCode)
                    return JsonDocument.Parse(text).RootElement.GetProperty("operation").GetString()!;
                throw new InvalidDataException($"{path}: {(int)answer.StatusCode} {text}");
            }
            catch (Exception e) when (e is HttpRequestException or IOException && Stopwatch.GetElapsedTime(started) < EndsWithin)
            {
                await Tools.PauseAsync(50, cancellation);
            }
        }
    }

    private async Task<(string Outcome, long Ended, IReadOnlyDictionary<string, double> Steps)> EndOfAsync(string operation, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < EndsWithin)
        {
            try
            {
                if (await FollowAsync(operation, cancellation) is { } end)
                    return end;
            }
            catch (Exception e) when (e is HttpRequestException or IOException || (e is TaskCanceledException && !cancellation.IsCancellationRequested))
            {
                // The control plane was killed; it comes back.
            }
            await Tools.PauseAsync(50, cancellation);
        }
        return ("never ended", Stopwatch.GetTimestamp(), new Dictionary<string, double>(StringComparer.Ordinal));
    }

    private async Task<(string, long, IReadOnlyDictionary<string, double>)?> FollowAsync(string operation, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/operations/{operation}/events");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        using var answer = await _api.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        answer.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellation));
        while (await reader.ReadLineAsync(cancellation) is { } line)
        {
            if (!line.StartsWith("data:", StringComparison.Ordinal))
                continue;
            using var json = JsonDocument.Parse(line.AsMemory(5));
            var root = json.RootElement;
            if (root.GetProperty("state").GetString() is not ("ended" or "stuck"))
                continue;
            var why = root.TryGetProperty("why", out var w) ? w.GetString() : null;
            var outcome = root.GetProperty("outcome").GetString()!;
            return (outcome == "succeeded" ? outcome : $"{outcome}: {why}", Stopwatch.GetTimestamp(), StepsOf(root));
        }
        return null;
    }

    private static Dictionary<string, double> StepsOf(JsonElement operation)
    {
        var steps = new Dictionary<string, double>(StringComparer.Ordinal);
        if (!operation.TryGetProperty("steps", out var list))
            return steps;
        foreach (var step in list.EnumerateArray())
            if (step.TryGetProperty("startedAt", out var s) && s.TryGetDateTimeOffset(out var from)
                && step.TryGetProperty("endedAt", out var e) && e.ValueKind == JsonValueKind.String && e.TryGetDateTimeOffset(out var to))
                steps[step.GetProperty("name").GetString()!] = (to - from).TotalMilliseconds;
        return steps;
    }
}
