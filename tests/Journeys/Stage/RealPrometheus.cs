using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Groundcrew.Tests.Support;

namespace Groundcrew.Journeys.Stage;

/// <summary>A Prometheus from Debian's packages with a folder and a port of its own; it may be killed and started again.</summary>
public sealed class RealPrometheus : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Eventually.Limit };
    private Process? _process;

    public int Port { get; } = FreePort.Next();

    /// <summary>The folder that its configuration names files in.</summary>
    public string Folder => _folder.Path;

    /// <summary>Starts it (again, on what it has on disk) and waits until it is ready.</summary>
    public async Task StartAsync(string config = "global: {scrape_interval: 1h}\n")
    {
        await File.WriteAllTextAsync(_folder["prometheus.yml"], config, Platform.Token);
        _process = CrewProgram.Start("prometheus",
        [
            $"--config.file={_folder["prometheus.yml"]}", $"--storage.tsdb.path={_folder["data"]}", $"--web.listen-address=127.0.0.1:{Port}",
            "--web.enable-remote-write-receiver", "--log.level=error",
        ]);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                using var ready = await _http.GetAsync(new Uri($"http://127.0.0.1:{Port}/-/ready"), Platform.Token);
                return ready.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "Prometheus is ready");
    }

    /// <summary>Ends it without a word of warning.</summary>
    public async Task KillAsync()
    {
        if (_process is null)
            return;
        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
        _process = null;
    }

    /// <summary>The samples of a range such as <c>up[1h]</c>, of all its series together, in the order of time.</summary>
    public async Task<IReadOnlyList<(long Time, double Value)>> SamplesAsync(string range) => Samples(await QueryAsync(range));

    /// <summary>The answer to a query.</summary>
    public async Task<JsonElement> QueryAsync(string query)
    {
        using var json = JsonDocument.Parse(await _http.GetStringAsync(new Uri($"http://127.0.0.1:{Port}/api/v1/query?query={Uri.EscapeDataString(query)}"), Platform.Token));
        return json.RootElement.GetProperty("data").Clone();
    }

    /// <summary>The samples of a matrix, in the order of time.</summary>
    public static IReadOnlyList<(long Time, double Value)> Samples(JsonElement data) =>
    [
        .. data.GetProperty("result").EnumerateArray().SelectMany(s => s.GetProperty("values").EnumerateArray())
            .Select(p => ((long)Math.Round(p[0].GetDouble() * 1000), double.Parse(p[1].GetString()!, CultureInfo.InvariantCulture))).Order(),
    ];

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _http.Dispose();
        _folder.Dispose();
    }
}
