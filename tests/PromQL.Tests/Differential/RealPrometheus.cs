using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Groundcrew.PromQL.Tests.Differential;

/// <summary>A Prometheus from Debian's packages, with a folder and a port of its own, ended with this object.</summary>
internal sealed class RealPrometheus : IAsyncDisposable
{
    private readonly Process _process;
    private readonly HttpClient _http;

    private RealPrometheus(Process process, int port)
    {
        _process = process;
        _http = new(new SocketsHttpHandler()) { BaseAddress = new Uri($"http://127.0.0.1:{port}/"), Timeout = TimeSpan.FromSeconds(60) };
    }

    public static async Task<RealPrometheus> StartAsync(string folder, int port, CancellationToken cancellation)
    {
        var config = Path.Combine(folder, "prometheus.yml");
        await File.WriteAllTextAsync(config, "global:\n  evaluation_interval: 1m\n", cancellation);
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false };
        foreach (var word in (string[])["-c", "exec prometheus \"$@\" </dev/null >\"$0\" 2>&1", Path.Combine(folder, "prometheus.log"),
            "--config.file=" + config, "--storage.tsdb.path=" + Path.Combine(folder, "data"), $"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver"])
            start.ArgumentList.Add(word);
        var real = new RealPrometheus(Process.Start(start)!, port);
        try
        {
            await real.ReadyAsync(Path.Combine(folder, "prometheus.log"), cancellation);
            return real;
        }
        catch
        {
            await real.DisposeAsync();
            throw;
        }
    }

    public async Task WriteAsync(byte[] request, CancellationToken cancellation)
    {
        using var content = new ByteArrayContent(request);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        content.Headers.Add("X-Prometheus-Remote-Write-Version", "0.1.0");
        using var answer = await _http.PostAsync(new Uri("api/v1/write", UriKind.Relative), content, cancellation);
        if (!answer.IsSuccessStatusCode)
            throw new IOException($"Prometheus refused a write: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellation)}");
    }

    public Task<JsonDocument> InstantAsync(string query, long time, CancellationToken cancellation) =>
        AskAsync("api/v1/query", [new("query", query), new("time", Seconds(time))], cancellation);

    public Task<JsonDocument> RangeAsync(string query, long start, long end, long step, CancellationToken cancellation) =>
        AskAsync("api/v1/query_range", [new("query", query), new("start", Seconds(start)), new("end", Seconds(end)), new("step", Seconds(step))], cancellation);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<JsonDocument> AskAsync(string path, KeyValuePair<string, string>[] form, CancellationToken cancellation)
    {
        using var content = new FormUrlEncodedContent(form);
        using var answer = await _http.PostAsync(new Uri(path, UriKind.Relative), content, cancellation);
        return JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation));
    }

    private async Task ReadyAsync(string log, CancellationToken cancellation)
    {
        while (true)
        {
            if (_process.HasExited)
                throw new IOException($"Prometheus ended: {await File.ReadAllTextAsync(log, cancellation)}");
            try
            {
                using var answer = await _http.GetAsync(new Uri("-/ready", UriKind.Relative), cancellation);
                if (answer.StatusCode == HttpStatusCode.OK)
                    return;
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }
            await Task.Delay(50, cancellation);
        }
    }

    private static string Seconds(long milliseconds) => (milliseconds / 1000m).ToString("0.###", CultureInfo.InvariantCulture);
}
