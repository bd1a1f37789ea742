using System.Globalization;

namespace Groundcrew.Bench.Metrics;

/// <summary>What the driver was told.</summary>
internal sealed record Options
{
    public static readonly string[] AllFigures = ["ingest", "queries", "scrape"];

    /// <summary>What is no figure, and runs only when it is named.</summary>
    public const string Differential = "differential";

    public static readonly string[] AllSides = [CrewServer.SideName, "prometheus", "victoria"];

    public required string Crew { get; init; }

    public IReadOnlyList<string> Figures { get; init; } = [];

    public IReadOnlyList<string> Sides { get; init; } = AllSides;

    public string? Out { get; init; }

    public int Rounds { get; init; } = 2;

    /// <summary>Active series of <c>ingest</c>.</summary>
    public int Series { get; init; } = 200_000;

    /// <summary>Samples of each of these series.</summary>
    public int Samples { get; init; } = 40;

    /// <summary>Machines whose day <c>queries</c> asks about; each has <see cref="World.SeriesOfHost"/> series.</summary>
    public int Hosts { get; init; } = 50;

    /// <summary>How often each query is asked.</summary>
    public int Repeats { get; init; } = 7;

    public int Targets { get; init; } = 1000;

    public int SeriesOfTarget { get; init; } = 500;

    /// <summary>Seconds that <c>scrape</c> watches.</summary>
    public int Seconds { get; init; } = 60;

    public int Connections { get; init; } = 4;

    /// <summary>Worlds of random data that <c>differential</c> compares.</summary>
    public int Seeds { get; init; } = 10;

    /// <summary>The first of them.</summary>
    public int Seed { get; init; } = 1000;

    public bool Keep { get; init; }

    public bool Wants(string figure) => Figures.Count == 0 || Figures.Contains(figure, StringComparer.Ordinal);

    public static Options Parse(string[] args)
    {
        var options = new Options { Crew = args[0] };
        for (var i = 1; i < args.Length; i++)
        {
            options = args[i] switch
            {
                "--out" => options with { Out = args[++i] },
                "--rounds" => options with { Rounds = Number(args[++i]) },
                "--series" => options with { Series = Number(args[++i]) },
                "--samples" => options with { Samples = Number(args[++i]) },
                "--hosts" => options with { Hosts = Number(args[++i]) },
                "--repeats" => options with { Repeats = Number(args[++i]) },
                "--targets" => options with { Targets = Number(args[++i]) },
                "--seconds" => options with { Seconds = Number(args[++i]) },
                "--connections" => options with { Connections = Number(args[++i]) },
                "--seeds" => options with { Seeds = Number(args[++i]) },
                "--seed" => options with { Seed = Number(args[++i]) },
                "--sides" => options with { Sides = SidesOf(args[++i]) },
                "--keep" => options with { Keep = true },
                _ when args[i] == Differential || AllFigures.Contains(args[i], StringComparer.Ordinal) => options with { Figures = [.. options.Figures, args[i]] },
                _ => throw new ArgumentException($"""
                    '{args[i]}' is not known.
                    Figures: {string.Join(' ', AllFigures)}; or {Differential}, alone.
                    Options: --rounds --series --samples --hosts --repeats --targets --seconds --connections --seeds --seed --sides --out --keep
                    """, nameof(args)),
            };
        }
        return options;
    }

    private static int Number(string text) =>
        int.Parse(text, CultureInfo.InvariantCulture) is var number and > 0 ? number : throw new ArgumentException($"{text} is not more than 0.", nameof(text));

    private static string[] SidesOf(string text)
    {
        var sides = text.Split(',');
        return sides.All(s => AllSides.Contains(s, StringComparer.Ordinal))
            ? sides
            : throw new ArgumentException($"--sides takes of {string.Join(',', AllSides)}, with commas.", nameof(text));
    }
}
