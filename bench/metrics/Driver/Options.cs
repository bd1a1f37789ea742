namespace Groundcrew.Bench.Metrics;

/// <summary>What the driver was told.</summary>
internal sealed class Options : BenchOptions
{
    public static readonly string[] AllFigures = ["ingest", "queries", "scrape"];

    /// <summary>What is no figure, and runs only when it is named.</summary>
    public const string Differential = "differential";

    /// <summary>Series that each target of <c>scrape</c> gives.</summary>
    public const int SeriesOfTarget = 500;

    public static readonly string[] AllSides = [CrewServer.SideName, "prometheus", "victoria"];

    public Options(string[] args)
        : base(args[0], rounds: 2) =>
        Read(args.AsSpan(1), [.. AllFigures, Differential], new(StringComparer.Ordinal)
        {
            ["--series"] = v => Series = Number(v),
            ["--samples"] = v => Samples = Number(v),
            ["--hosts"] = v => Hosts = Number(v),
            ["--repeats"] = v => Repeats = Number(v),
            ["--targets"] = v => Targets = Number(v),
            ["--seconds"] = v => Seconds = Number(v),
            ["--connections"] = v => Connections = Number(v),
            ["--seeds"] = v => Seeds = Number(v),
            ["--seed"] = v => Seed = Number(v),
            ["--sides"] = v => Sides = SidesOf(v, AllSides),
        });

    public IReadOnlyList<string> Sides { get; private set; } = AllSides;

    /// <summary>Active series of <c>ingest</c>.</summary>
    public int Series { get; private set; } = 200_000;

    /// <summary>Samples of each of these series.</summary>
    public int Samples { get; private set; } = 40;

    /// <summary>Machines whose day <c>queries</c> asks about; each has <see cref="World.SeriesOfHost"/> series.</summary>
    public int Hosts { get; private set; } = 50;

    /// <summary>How often each query is asked.</summary>
    public int Repeats { get; private set; } = 7;

    public int Targets { get; private set; } = 1000;

    /// <summary>Seconds that <c>scrape</c> watches.</summary>
    public int Seconds { get; private set; } = 60;

    public int Connections { get; private set; } = 4;

    /// <summary>Worlds of random data that <c>differential</c> compares.</summary>
    public int Seeds { get; private set; } = 10;

    /// <summary>The first of them.</summary>
    public int Seed { get; private set; } = 1000;
}
