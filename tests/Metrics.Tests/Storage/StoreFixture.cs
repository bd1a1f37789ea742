using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>A store in a folder of its own, which can be closed and opened again.</summary>
internal sealed class StoreFixture : IDisposable
{
    public const long Start = 1_767_225_600_000;

    private readonly TempFolder _folder = new();

    public StoreFixture(Func<StoreOptions, StoreOptions>? with = null, DurableFiles? files = null)
    {
        Options = new() { Folder = _folder["store"] };
        if (with is not null)
            Options = with(Options);
        Files = files ?? DurableFiles.Real;
        Store = Open();
    }

    public StoreOptions Options { get; set; }

    public DurableFiles Files { get; set; }

    public ManualClock Clock { get; } = new();

    public SeenSignals Signals { get; } = new();

    public MetricRegistry Metrics { get; private set; } = new();

    public MetricStore Store { get; private set; }

    public string LogFolder => Path.Combine(Options.Folder, "log");

    public string BlockFolder => Path.Combine(Options.Folder, "blocks");

    public void Reopen(Action? between = null)
    {
        Close();
        between?.Invoke();
        Metrics = new();
        Store = Open();
    }

    public void Close() => Store.DisposeAsync().AsTask().GetAwaiter().GetResult();

    public static Labels Named(string name, params (string, string)[] more) => Labels.Of([("__name__", name), .. more]);

    public CommitResult Add(Labels labels, long time, double value)
    {
        var batch = new SampleBatch();
        batch.Add(Store.Resolve(labels.Packed), time, value);
        return Store.Commit(batch);
    }

    public CommitResult Add(Labels labels, long time, FloatHistogram value)
    {
        var batch = new SampleBatch();
        batch.Add(Store.Resolve(labels.Packed), time, value);
        return Store.Commit(batch);
    }

    public List<(Labels Labels, SampleBuffer Samples)> Read(long from, long to, params LabelMatcher[] matchers)
    {
        using var reader = Store.OpenReader();
        return [.. reader.Select(from, to, matchers).Select(s =>
        {
            var samples = new SampleBuffer();
            s.Read(from, to, samples);
            return (s.Labels, samples);
        }).Where(s => s.samples.Count > 0)];
    }

    public (long Time, double Value)[] Floats(Labels labels, long from = long.MinValue, long to = long.MaxValue)
    {
        var found = Read(from, to, [.. Matchers(labels)]).Where(s => s.Labels.Equals(labels)).ToList();
        return found.Count == 0 ? [] : [.. found[0].Samples.Times.ToArray().Zip(found[0].Samples.Values.ToArray())];
    }

    public static IEnumerable<LabelMatcher> Matchers(Labels labels)
    {
        var matchers = new List<LabelMatcher>();
        foreach (var label in labels)
            matchers.Add(new(MatchKind.Equal, label.Name, label.Value));
        return matchers;
    }

    /// <summary>Copies a folder with all that is in it.</summary>
    public static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    public void Dispose()
    {
        Close();
        _folder.Dispose();
    }

    private MetricStore Open() => MetricStore.Open(Options, Clock, Metrics, Signals, Files);
}
