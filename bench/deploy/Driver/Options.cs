using System.Globalization;

namespace Groundcrew.Bench.Deploy;

/// <summary>What the driver was told.</summary>
internal sealed record Options
{
    public required string Crew { get; init; }

    public required string Service { get; init; }

    public IReadOnlyList<string> Figures { get; init; } = [];

    public string? Out { get; init; }

    public int Rate { get; init; } = 2200;

    public int Connections { get; init; } = 100;

    public int Deploys { get; init; } = 30;

    public int Rollbacks { get; init; } = 10;

    public int Kills { get; init; } = 20;

    public int Rounds { get; init; } = 3;

    public int Window { get; init; } = 8;

    public int Seed { get; init; } = 20261;

    public bool Keep { get; init; }

    public static Options Parse(string[] args)
    {
        var options = new Options { Crew = args[0], Service = args[1] };
        for (var i = 2; i < args.Length; i++)
        {
            options = args[i] switch
            {
                "--out" => options with { Out = args[++i] },
                "--rate" => options with { Rate = Number(args[++i]) },
                "--connections" => options with { Connections = Number(args[++i]) },
                "--deploys" => options with { Deploys = Number(args[++i]) },
                "--rollbacks" => options with { Rollbacks = Number(args[++i]) },
                "--kills" => options with { Kills = Number(args[++i]) },
                "--rounds" => options with { Rounds = Number(args[++i]) },
                "--seed" => options with { Seed = Number(args[++i]) },
                "--keep" => options with { Keep = true },
                "deploys" or "crashes" or "peer" or "idle" => options with { Figures = [.. options.Figures, args[i]] },
                _ => throw new ArgumentException($"'{args[i]}' is not known. Figures: deploys crashes peer idle. Options: --out --rate --connections --deploys --rollbacks --kills --rounds --seed --keep", nameof(args)),
            };
        }
        return options;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
