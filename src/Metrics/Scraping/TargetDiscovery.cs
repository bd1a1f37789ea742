using System.Net;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// Lists of targets in files and behind addresses, read again and again. What cannot be read keeps the targets that were read
/// before, and is counted. Thread-safe.
/// </summary>
internal sealed class TargetDiscovery(TimeProvider clock, MetricRegistry registry, Action changed) : IAsyncDisposable
{
    private const int MaxAnswerBytes = 32 * 1024 * 1024;
    private static readonly TimeSpan FileLook = TimeSpan.FromSeconds(5);

    private readonly Metric _fileErrors = registry.Counter("prometheus_sd_file_read_errors_total", "Lists of targets in files that could not be read.");
    private readonly Metric _httpFailures = registry.Counter("prometheus_sd_http_failures_total", "Lists of targets behind addresses that could not be read.");
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (ScrapeConfig Config, CancellationTokenSource Stop)> _jobs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SortedDictionary<string, IReadOnlyList<TargetGroup>>> _found = new(StringComparer.Ordinal);
    private readonly List<Task> _running = [];

    public IReadOnlyList<TargetGroup> GroupsOf(string job)
    {
        lock (_gate)
            return _found.TryGetValue(job, out var found) ? [.. found.Values.SelectMany(groups => groups)] : [];
    }

    public void Apply(PrometheusConfig config)
    {
        lock (_gate)
        {
            _running.RemoveAll(t => t.IsCompleted);
            var wanted = config.ScrapeConfigs.Where(c => c.FileDiscoveries.Count + c.HttpDiscoveries.Count > 0).ToDictionary(c => c.JobName, StringComparer.Ordinal);
            foreach (var (name, job) in _jobs.ToList())
                if (!wanted.TryGetValue(name, out var same) || !ReferenceEquals(same, job.Config))
                {
                    job.Stop.Cancel();
                    _jobs.Remove(name);
                    _found.Remove(name);
                }
            foreach (var job in wanted.Values.Where(job => !_jobs.ContainsKey(job.JobName)))
                Start(job);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task[] running;
        lock (_gate)
        {
            foreach (var job in _jobs.Values)
                job.Stop.Cancel();
            running = [.. _running];
        }
        await Task.WhenAll(running);
    }

    private void Start(ScrapeConfig job)
    {
        var stop = new CancellationTokenSource();
        _jobs.Add(job.JobName, (job, stop));
        foreach (var (index, files) in job.FileDiscoveries.Index())
        {
            var every = files.RefreshInterval < FileLook ? files.RefreshInterval : FileLook;
            // The first look happens here, so that the targets are there when the configuration is.
            Keep(job, $"file/{index}", ReadFiles(files), stop.Token);
            _running.Add(LoopAsync(every, () => Task.FromResult<IReadOnlyList<TargetGroup>?>(ReadFiles(files)), job, $"file/{index}", firstAtOnce: false, stop.Token));
        }
        foreach (var (index, address) in job.HttpDiscoveries.Index())
            _running.Add(LoopAsync(address.RefreshInterval, () => AskAsync(address, stop.Token), job, $"http/{index}", firstAtOnce: true, stop.Token));
    }

    private async Task LoopAsync(TimeSpan every, Func<Task<IReadOnlyList<TargetGroup>?>> read, ScrapeConfig job, string source, bool firstAtOnce, CancellationToken stop)
    {
        await Task.Yield();
        try
        {
            for (var first = firstAtOnce; ; first = false)
            {
                if (!first)
                    await Task.Delay(every, clock, stop);
                if (await read() is { } groups && Keep(job, source, groups, stop))
                    changed();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The job is gone.
        }
    }

    private bool Keep(ScrapeConfig job, string source, IReadOnlyList<TargetGroup> groups, CancellationToken stop)
    {
        lock (_gate)
        {
            if (stop.IsCancellationRequested)
                return false;
            if (!_found.TryGetValue(job.JobName, out var found))
                _found.Add(job.JobName, found = new(StringComparer.Ordinal));
            var same = found.TryGetValue(source, out var before) && before.Count == groups.Count && before.Zip(groups).All(p => IsSame(p.First, p.Second));
            found[source] = groups;
            return !same;
        }
    }

    private static bool IsSame(TargetGroup a, TargetGroup b) => a.Source == b.Source && a.Common.Equals(b.Common) && a.Targets.SequenceEqual(b.Targets);

    // A file that cannot be read now keeps the groups that it had.
    private List<TargetGroup> ReadFiles(FileDiscovery discovery)
    {
        var groups = new List<TargetGroup>();
        foreach (var file in discovery.Files.SelectMany(Matching).Distinct(StringComparer.Ordinal))
            try
            {
                if (Parse(File.ReadAllText(file), file) is { } read)
                {
                    groups.AddRange(read.Select(g => g with { Common = new LabelsBuilder().Reset(g.Common).Set("__meta_filepath", file).ToLabels() }));
                    continue;
                }
                _fileErrors.Add();
                groups.AddRange(Before(file));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _fileErrors.Add();
                groups.AddRange(Before(file));
            }
        return groups;
    }

    private List<TargetGroup> Before(string file)
    {
        lock (_gate)
            return [.. _found.Values.SelectMany(f => f.Values).SelectMany(g => g).Where(g => g.Common.Get("__meta_filepath") == file)];
    }

    private static IEnumerable<string> Matching(string pattern)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(pattern)) ?? "/";
        if (!Path.GetFileName(pattern).Contains('*'))
            return File.Exists(pattern) ? [pattern] : [];
        return Directory.Exists(folder) ? Directory.EnumerateFiles(folder, Path.GetFileName(pattern)).Order(StringComparer.Ordinal) : [];
    }

    private async Task<IReadOnlyList<TargetGroup>?> AskAsync(HttpDiscovery discovery, CancellationToken stop)
    {
        using var transport = HttpTransport.Create(discovery.Http);
        using var request = new HttpRequestMessage(HttpMethod.Get, discovery.Url);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        try
        {
            request.Headers.TryAddWithoutValidation("Accept", "application/json");
            request.Headers.TryAddWithoutValidation("X-Prometheus-Refresh-Interval-Seconds", discovery.RefreshInterval.TotalSeconds.ToString("0.###"));
            HttpTransport.Authorize(request, discovery.Http);
            using var response = await transport.SendAsync(request, either.Token);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                await response.Content.LoadIntoBufferAsync(MaxAnswerBytes, either.Token);
                if (Parse(await response.Content.ReadAsStringAsync(either.Token), discovery.Url.AbsoluteUri) is { } groups)
                    return [.. groups.Select(g => g with { Common = new LabelsBuilder().Reset(g.Common).Set("__meta_url", discovery.Url.AbsoluteUri).ToLabels() })];
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            // Counted below; the targets that were found before stay.
        }
        _httpFailures.Add();
        return null;
    }

    /// <summary>The groups of a list, which is JSON or YAML; null when it is neither.</summary>
    internal static IReadOnlyList<TargetGroup>? Parse(string text, string source)
    {
        var problems = new ProblemList();
        if (YamlTree.Read(text, problems) is not { } root)
            return problems.IsEmpty ? [] : null;
        if (root is YamlText { IsNothing: true })
            return [];
        if (root is not YamlList list)
            return null;
        var groups = list.Items.Select((item, index) => SectionForms.Group(new(item, $"[{index}]", problems), $"{source}:{index}")).ToList();
        return problems.IsEmpty ? groups : null;
    }
}
