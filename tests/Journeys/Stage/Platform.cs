using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys.Stage;

/// <summary>A whole platform of its own: free ports, a temporary data folder, started and ended by the real program.</summary>
public class Platform : IAsyncLifetime, IDisposable
{
    private static readonly string[] Roles = ["control", "agent", "edge"];
    private readonly TempFolder _folder = new();
    private readonly Lazy<CrewClient> _client;
    private readonly Lazy<HttpClient> _http;
    private readonly HttpClient _edge;

    public Platform()
    {
        _client = new Lazy<CrewClient>(() => new CrewClient(new Uri($"http://127.0.0.1:{ControlPort}/"), AdminToken));
        _http = new Lazy<HttpClient>(() => HttpAs(AdminToken.Reveal()));
        _edge = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Eventually.Limit };
    }

    public int ControlPort { get; protected init; } = FreePort.Next();

    public int AgentPort { get; } = FreePort.Next();

    public int EdgePort { get; } = FreePort.Next();

    public int EdgeHttpsPort { get; } = FreePort.Next();

    public int EdgeStatusPort { get; } = FreePort.Next();

    public string Data => _folder["data"];

    public Secret AdminToken => new(File.ReadAllText(PlatformFile.AdminTokenOf(Data)).Trim());

    /// <summary>The typed client, as admin.</summary>
    public CrewClient Client => _client.Value;

    /// <summary>Plain HTTP to the control plane's API, as admin.</summary>
    public HttpClient Http => _http.Value;

    protected virtual IReadOnlyList<string> Options => [];

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync() => Expect.Ok(await UpAsync());

    public async ValueTask DisposeAsync()
    {
        var down = await DownAsync();
        Dispose();
        GC.SuppressFinalize(this);
        Assert.True(down.Code == 0, down.All);
    }

    public void Dispose()
    {
        if (_client.IsValueCreated)
            _client.Value.Dispose();
        if (_http.IsValueCreated)
            _http.Value.Dispose();
        _edge.Dispose();
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    public Task<Ran> UpAsync(params string[] more) => CrewProgram.RunAsync(
        ["up", "--detach", "--data", Data, "--control-port", $"{ControlPort}", "--agent-port", $"{AgentPort}", "--edge-port", $"{EdgePort}",
            "--edge-https-port", $"{EdgeHttpsPort}", "--edge-status-port", $"{EdgeStatusPort}", .. Options, .. more]);

    public Task<Ran> DownAsync(params string[] more) => CrewProgram.RunAsync(["down", "--data", Data, .. more]);

    /// <summary>A command of the CLI for this platform.</summary>
    public Task<Ran> CrewAsync(params string[] words) => CrewProgram.RunAsync([.. words, "--data", Data]);

    /// <summary>Plain HTTP to the control plane's API with another token, or with none.</summary>
    public HttpClient HttpAs(string? token)
    {
        var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{ControlPort}/api/v1/"), Timeout = Eventually.Limit };
        if (token is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return http;
    }

    /// <summary>Deploys a folder; it must succeed. Returns what became of it.</summary>
    public async Task<DeploymentView> DeployAsync(string folder, params string[] more)
    {
        var ran = Expect.Ok(await CrewAsync(["deploy", folder, "--json", .. more]));
        return JsonSerializer.Deserialize<DeploymentView[]>(ran.Out, Json.Options)!.Single();
    }

    public Task<InstanceView[]> InstancesAsync(string label) => Client.GetAsync<InstanceView[]>($"deployments/{label}/instances", Token);

    public Task<DeploymentView> CurrentAsync(string project) => Client.GetAsync<DeploymentView>($"projects/{project}/deployments/current", Token);

    /// <summary>A request through the edge.</summary>
    public async Task<(int Status, string Body)> GetAsync(string host, string path = "/")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{EdgePort}{path}")) { Headers = { Host = host } };
        using var response = await _edge.SendAsync(request, Token);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Token));
    }

    public Load Load(string host, string path = "/", int connections = 16) => Stage.Load.Start(EdgePort, host, path, connections);

    /// <summary>The process of a role or of the supervisor, from the file that the next <c>crew up</c> reads too.</summary>
    public ProcessIdentity? ProcessOf(string role)
    {
        var file = role == "supervisor" ? Path.Combine(Data, "supervisor.json") : Path.Combine(Data, role, "process.json");
        return File.Exists(file) ? JsonSerializer.Deserialize<ProcessIdentity>(File.ReadAllText(file), Json.Options) : null;
    }

    /// <summary>kill -9, and waits until it is gone.</summary>
    public async Task KillAsync(params string[] roles)
    {
        var killed = roles.Select(r => ProcessOf(r) ?? throw new InvalidOperationException($"No {r} runs.")).ToList();
        foreach (var process in killed.Where(p => p.IsAlive()))
            ProcessSignals.Send(process.Pid, ProcessSignals.Kill);
        await Eventually.TrueAsync(() => killed.All(p => !p.IsAlive()), "the killed processes are gone");
    }

    /// <summary>Waits until every role answers that it is ready.</summary>
    public Task ReadyAsync() => Eventually.TrueAsync(async () =>
    {
        foreach (var port in (int[])[ControlPort, AgentPort, EdgeStatusPort])
            if (!await AnswersAsync(port))
                return false;
        return true;
    }, "all roles are ready");

    /// <summary>Whether a role says that it is ready.</summary>
    public async Task<bool> AnswersAsync(int port)
    {
        try
        {
            using var response = await _edge.GetAsync(new Uri($"http://127.0.0.1:{port}/health/ready"), Token);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public string LogOf(string role)
    {
        var file = Path.Combine(Data, role, $"{role}.log");
        return File.Exists(file) ? File.ReadAllText(file) : "";
    }

    /// <summary>A problem answer of the API.</summary>
    public static async Task<ProblemView> ProblemAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        return (await response.Content.ReadFromJsonAsync<ProblemView>(Json.Options, Token))!;
    }
}

/// <summary>A platform whose API takes calls of this machine without a token.</summary>
public sealed class TrustingPlatform : Platform
{
    protected override IReadOnlyList<string> Options => ["--trust-loopback"];
}

/// <summary>A platform that the test itself starts.</summary>
public sealed class UnstartedPlatform : Platform
{
    public override ValueTask InitializeAsync() => ValueTask.CompletedTask;
}

/// <summary>What is expected, with all that was said when it is not so.</summary>
public static class Expect
{
    public static Ran Ok(Ran ran) => Code(0, ran);

    public static Ran Code(int code, Ran ran)
    {
        Assert.True(ran.Code == code, $"expected exit code {code}, not: {ran.All}");
        return ran;
    }
}
