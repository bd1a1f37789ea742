using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Journeys.Stage;

/// <summary>
/// The real program as an edge and nothing else: no control plane, no agent, only the table on its disk and one instance,
/// which is this process.
/// </summary>
public sealed class LoneEdge : IAsyncDisposable
{
    public const string Host = "lone.localhost";
    private static readonly Guid Platform = Ids.New(TimeProvider.System);
    private readonly TempFolder _folder = new();
    private readonly StringBuilder _said = new();
    private readonly WebApplication _instance;
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, PooledConnectionIdleTimeout = TimeSpan.FromHours(1) }) { Timeout = Eventually.Limit };
    private Process? _process;

    private LoneEdge(WebApplication instance)
    {
        _instance = instance;
        Directory.CreateDirectory(State);
    }

    public int Port { get; } = FreePort.Next();

    public int StatusPort { get; } = FreePort.Next();

    /// <summary>The edge's own folder.</summary>
    public string State => _folder[Path.Combine("data", "edge")];

    public int Pid => _process!.Id;

    public bool IsAlive => _process is { HasExited: false };

    /// <summary>What it wrote to its log.</summary>
    public string Said
    {
        get
        {
            lock (_said)
                return _said.ToString();
        }
    }

    /// <summary>Makes the folder and the instance; <see cref="StartAsync"/> comes next.</summary>
    public static async Task<LoneEdge> MakeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var instance = builder.Build();
        instance.Run(c => c.Response.WriteAsync("well"));
        await instance.StartAsync(Token);
        return new LoneEdge(instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Leaves a table on the disk, as an edge does, and starts one that finds it.</summary>
    public async Task StartAsync()
    {
        var target = new Target(Ids.New(TimeProvider.System), $"127.0.0.1:{new Uri(_instance.Urls.First()).Port}", "local");
        var table = new EdgeTable(new EdgeOptions { StateFolder = State }, DurableFiles.Real, new MetricRegistry(), new SeenSignals(), TimeProvider.System);
        if (table.Current is null)
            Assert.IsType<ApplyOutcome.Applied>(table.Apply(new RouteTable(1, Platform, [new Route(Host, "acme", "lone", "production", "lone-1", [target])])));
        _process = CrewProgram.Start(CrewProgram.File,
        [
            "serve", "--role", "edge", "--data", _folder["data"], "--edge-port", $"{Port}", "--edge-status-port", $"{StatusPort}",
            "--control-port", $"{FreePort.Next()}", "--agent-port", $"{FreePort.Next()}",
        ]);
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.TrueAsync(async () => await StatusAsync("health/ready") is not null, $"the edge is ready: {Said}");
    }

    /// <summary>A page of the status door; null while nobody answers.</summary>
    public async Task<string?> StatusAsync(string page)
    {
        try
        {
            return await _http.GetStringAsync(new Uri($"http://127.0.0.1:{StatusPort}/{page}"), Token);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>How many descriptors it has.</summary>
    public int OpenFiles => Directory.GetFiles($"/proc/{Pid}/fd").Length;

    /// <summary>The value of the first series whose line starts so; 0 when there is none. Its status door has to answer.</summary>
    public async Task<double> MetricAsync(string start)
    {
        var line = (await StatusAsync("metrics") ?? throw new InvalidOperationException($"The status door does not answer; {OpenFiles} descriptors are open: {Said}")).Split('\n').FirstOrDefault(l => l.StartsWith(start, StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
    }

    /// <summary>A request through it.</summary>
    public async Task<(int Status, string Body)> GetAsync(string path = "/")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{Port}{path}")) { Headers = { Host = Host } };
        using var response = await _http.SendAsync(request, Token);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Token));
    }

    /// <summary>Ends it the hard way.</summary>
    public async Task KillAsync()
    {
        ProcessSignals.Send(Pid, ProcessSignals.Kill);
        await _process!.WaitForExitAsync(Token);
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await KillAsync();
        _http.Dispose();
        await _instance.DisposeAsync();
        _folder.Dispose();
    }

    private void Keep(string? line)
    {
        lock (_said)
            _said.AppendLine(line);
    }
}
