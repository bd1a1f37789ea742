using System.Text.Json;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Edge;

/// <summary>What one run of wrk saw. Latencies are in milliseconds; errors are answers of 400 and above, and socket errors by kind.</summary>
internal sealed record WrkResult(double Requests, double Seconds, double Bytes, double P50, double P99, IReadOnlyDictionary<string, double> Errors)
{
    public double PerSecond => Requests / Seconds;
}

/// <summary>Runs wrk on two threads and gives its own numbers, unrounded.</summary>
internal sealed class Wrk(Stage stage)
{
    private const int Threads = 2;
    private static readonly string[] Kinds = ["connect", "read", "write", "timeout", "status"];

    /// <summary>Asks for <paramref name="address"/> again and again.</summary>
    public Task<WrkResult> GetAsync(Uri address, int connections, int seconds) => RunAsync(address, connections, seconds, "");

    /// <summary>The same with a new connection for every request; over TLS wrk resumes its session.</summary>
    public Task<WrkResult> ConnectAsync(Uri address, int connections, int seconds) =>
        RunAsync(address, connections, seconds, """wrk.headers["Connection"] = "close" """);

    /// <summary>Sends a mebibyte with every request.</summary>
    public Task<WrkResult> PostAsync(Uri address, int connections, int seconds) => RunAsync(address, connections, seconds, $"""
        wrk.method = "POST"
        wrk.body = string.rep("x", {Correctness.Large.Length})
        """);

    private async Task<WrkResult> RunAsync(Uri address, int connections, int seconds, string setup)
    {
        var script = Path.Combine(stage.Folder, "wrk.lua");
        await File.WriteAllTextAsync(script, setup + """

            done = function(summary, latency, requests)
                local e = summary.errors
                io.write(string.format('\nJSON {"requests":%.0f,"us":%.0f,"bytes":%.0f,"p50":%.0f,"p99":%.0f,"connect":%.0f,"read":%.0f,"write":%.0f,"timeout":%.0f,"status":%.0f}\n',
                    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), e.connect, e.read, e.write, e.timeout, e.status))
            end

            """);
        // Twice the time that it should take: a load that hangs must not hang the figures.
        var output = await Tools.RunAsync("timeout",
            ["-k", "2", $"{(2 * seconds) + 20}", "wrk", "-t", $"{Threads}", "-c", $"{connections}", "-d", $"{seconds}s", "--timeout", "10s", "--latency", "-s", script, address.ToString()]);
        using var json = JsonDocument.Parse(output.Split('\n').Last(l => l.StartsWith("JSON ", StringComparison.Ordinal))[5..]);
        double Number(string name) => json.RootElement.GetProperty(name).GetDouble();
        return new WrkResult(
            Number("requests"), Number("us") / 1e6, Number("bytes"), Number("p50") / 1000, Number("p99") / 1000,
            Kinds.Where(k => Number(k) > 0).ToDictionary(k => k, Number, StringComparer.Ordinal));
    }
}
