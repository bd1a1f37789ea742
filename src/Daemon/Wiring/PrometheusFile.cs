using Groundcrew.Bedrock;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Wiring;

/// <summary>The <c>prometheus.yml</c> of the platform, if there is one. Not thread-safe.</summary>
/// <param name="path">Where it lies; it may be missing.</param>
internal sealed class PrometheusFile(string path)
{
    private (DateTime Written, long Length)? _seen;

    public string Path { get; } = path;

    /// <summary>Its text as it was read last; empty when there was none.</summary>
    public string Text { get; private set; } = "";

    /// <summary>Whether it is another file than the one that was read last.</summary>
    public bool HasChanged => Look() != _seen;

    /// <summary>Reads and judges it; a file that is missing is an empty configuration.</summary>
    public Judged<PrometheusConfig> Read()
    {
        _seen = Look();
        Text = "";
        if (_seen is null)
            return Judged<PrometheusConfig>.Good(new PrometheusConfig());
        try
        {
            Text = File.ReadAllText(Path);
            var judged = PrometheusConfig.Parse(Text, System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path)));
            return judged.Value is { } config ? Whole(config) : judged;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Judged<PrometheusConfig>.Bad([new Problem("bad-file", Path, e.Message, "Let the control plane read it, and the files that it names.")]);
        }
    }

    /// <summary>With the jobs of the files that it names, and without a name that is the platform's.</summary>
    private static Judged<PrometheusConfig> Whole(PrometheusConfig config)
    {
        var problems = new ProblemList();
        var jobs = config.ScrapeConfigs.ToList();
        foreach (var file in config.ScrapeConfigFiles.SelectMany(FilesOf))
        {
            var more = PrometheusConfig.ParseScrapeConfigs(File.ReadAllText(file), config.Global, System.IO.Path.GetDirectoryName(file));
            problems.AddRange(more.Problems.Select(p => p with { Path = $"{file}: {p.Path}" }));
            jobs.AddRange(more.Value ?? []);
        }
        foreach (var name in jobs.CountBy(j => j.JobName).Where(j => j.Value > 1).Select(j => j.Key))
            problems.Add("job-twice", "scrape_configs", $"There are several jobs with the name '{name}'.", "Give each job a name of its own.");
        foreach (var job in jobs.Where(j => PlatformJobs.All.Any(p => p.JobName == j.JobName)))
            problems.Add("job-taken", "scrape_configs", $"'{job.JobName}' is a job of the platform itself.", "Give it another name.");
        return problems.IsEmpty ? Judged<PrometheusConfig>.Good(config with { ScrapeConfigs = jobs }) : Judged<PrometheusConfig>.Bad(problems.Problems);
    }

    private static IEnumerable<string> FilesOf(string pattern)
    {
        var folder = System.IO.Path.GetDirectoryName(pattern);
        return folder is { Length: > 0 } && Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, System.IO.Path.GetFileName(pattern)).Order(StringComparer.Ordinal)
            : [];
    }

    private (DateTime Written, long Length)? Look()
    {
        var file = new FileInfo(Path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : null;
    }
}
