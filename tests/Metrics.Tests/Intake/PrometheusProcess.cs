using System.Diagnostics;
using System.Text.Json;
using Groundcrew.Tests.Support;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>The real Prometheus, in a folder and on a port of its own, for one test.</summary>
internal sealed class PrometheusProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly TempFolder _folder;
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });

    private PrometheusProcess(Process process, TempFolder folder, int port) => (_process, _folder, Port) = (process, folder, port);

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    public static async Task<PrometheusProcess> StartAsync(string config)
    {
        var folder = new TempFolder();
        var port = FreePort.Next();
        File.WriteAllText(folder["prometheus.yml"], config);
        var process = Process.Start(new ProcessStartInfo("prometheus",
            [$"--config.file={folder["prometheus.yml"]}", $"--storage.tsdb.path={folder["data"]}", $"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--enable-feature=native-histograms", "--log.level=error"])
        { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var started = new PrometheusProcess(process, folder, port);
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                using var ready = await started._http.GetAsync($"http://{started.Address}/-/ready");
                return ready.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "Prometheus is ready");
        return started;
    }

    public async Task<JsonElement> GetAsync(string path)
    {
        using var json = JsonDocument.Parse(await _http.GetStringAsync($"http://{Address}{path}"));
        return json.RootElement.GetProperty("data").Clone();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Dispose();
    }
}
