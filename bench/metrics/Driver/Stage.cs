using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Metrics;

/// <summary>A folder for one run of the driver, and the servers in it.</summary>
internal sealed class Stage(Options options) : IDisposable
{
    private int _servers;

    public string Folder { get; } = Directory.CreateTempSubdirectory("metrics-bench-").FullName;

    /// <summary>A server with an empty folder of its own, not started yet.</summary>
    public Server Open(string side, string? scrapeConfig = null)
    {
        var folder = Path.Combine(Folder, $"{side}-{++_servers}");
        Directory.CreateDirectory(folder);
        var port = Tools.FreePorts(1)[0];
        return side switch
        {
            CrewServer.SideName => new CrewServer(options.Crew, folder, port, scrapeConfig),
            "prometheus" => new PrometheusServer(folder, port, scrapeConfig),
            _ => new VictoriaServer(folder, port, scrapeConfig),
        };
    }

    public void Dispose()
    {
        if (options.Keep)
            Console.Error.WriteLine($"bench/metrics: left {Folder}");
        else
            Directory.Delete(Folder, recursive: true);
    }
}
