using System.Diagnostics;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode.Measuring;

/// <summary>The real node_exporter beside our measures of the same machine (U-24, AZ-24).</summary>
public sealed class NodeExporterTests
{
    /// <summary>The names of our own sources, which are not its collectors.</summary>
    private static readonly string[] OurSources = ["kernel", "network", "instances"];

    /// <summary>What does not move while both are asked.</summary>
    private static readonly string[] Stable =
    [
        "node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes", "node_boot_time_seconds", "node_uname_info", "node_filesystem_size_bytes", "node_filesystem_files",
        "node_filesystem_readonly", "node_filefd_maximum", "node_network_up", "node_network_speed_bytes",
    ];

    [Fact]
    public async Task Every_series_that_we_give_is_one_of_node_exporter_and_what_stands_still_is_equal()
    {
        var port = FreePort.Next();
        // Debian's package leaves out more than the program does by itself: the loopback device, and what is mounted below /mnt, /media and /run.
        using var process = Process.Start(new ProcessStartInfo("prometheus-node-exporter",
        [
            $"--web.listen-address=127.0.0.1:{port}", "--collector.netdev.device-exclude=^$",
            "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
        ])
        { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true })!;
        try
        {
            process.BeginErrorReadLine();
            process.BeginOutputReadLine();
            // What was mounted or came up between the two questions may differ, but not time after time.
            for (var left = 5; ; left--)
            {
                var differences = Differences(await AskAsync(port), Ours());
                if (differences.Count == 0)
                    break;
                Assert.True(left > 0, string.Join('\n', differences));
            }
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static Dictionary<string, double> Ours() => Machine.Samples(new NodeMeasures("/", () => [], DiskSpace.Of, TimeProvider.System).Text())
        .Where(s => s.Key.StartsWith("node_", StringComparison.Ordinal) && !OurSources.Any(o => s.Key == $"node_scrape_collector_success{{collector=\"{o}\"}}")).ToDictionary();

    private static List<string> Differences(Dictionary<string, double> theirs, Dictionary<string, double> ours)
    {
        Assert.True(ours.Count > 100, $"only {ours.Count} series");
        var compared = ours.Where(s => Stable.Contains(s.Key.Split('{')[0])).ToList();
        Assert.True(compared.Count >= 8, $"only {compared.Count} compared");
        return
        [
            .. ours.Keys.Where(k => !theirs.ContainsKey(k)).Select(k => $"{k} is not one of theirs"),
            .. compared.Where(s => theirs.TryGetValue(s.Key, out var value) && value != s.Value).Select(s => $"{s.Key} is {s.Value} and theirs {theirs[s.Key]}"),
            // And nothing is left out of what both count, so that a query sees the same devices.
            .. ((string[])["node_cpu_seconds_total", "node_network_receive_bytes_total", "node_filesystem_size_bytes"])
                .SelectMany(metric => Of(theirs.Keys, metric).Except(Of(ours.Keys, metric), StringComparer.Ordinal)).Select(k => $"{k} is theirs only"),
        ];
    }

    private static IEnumerable<string> Of(IEnumerable<string> series, string metric) => series.Where(s => s.StartsWith(metric + "{", StringComparison.Ordinal));

    private static async Task<Dictionary<string, double>> AskAsync(int port)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var text = "";
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                text = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"));
                return true;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "node_exporter answers");
        return Machine.Samples(string.Join('\n', text.Split('\n').Where(l => l.StartsWith("node_", StringComparison.Ordinal))));
    }
}
