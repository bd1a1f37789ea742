using System.Globalization;

namespace Groundcrew.Bench.Edge;

/// <summary>What the driver was told.</summary>
internal sealed record Options
{
    public static readonly string[] AllFigures = ["http1", "large", "http2", "tls", "latency", "allocations", "websockets", "swaps"];

    public static readonly string[] AllSides = [Ours.SideName, "nginx", "haproxy", "caddy"];

    public required string Crew { get; init; }

    public IReadOnlyList<string> Figures { get; init; } = [];

    public IReadOnlyList<string> Sides { get; init; } = AllSides;

    public string? Out { get; init; }

    public int Rounds { get; init; } = 3;

    /// <summary>Seconds of a run of <c>http1</c>; the runs of the other figures take <see cref="ShortSeconds"/>.</summary>
    public int Seconds { get; init; } = 5;

    public int ShortSeconds => Math.Max(1, Seconds * 2 / 5);

    public int Connections { get; init; } = 64;

    /// <summary>Requests of one round of <c>latency</c>.</summary>
    public int Requests { get; init; } = 3000;

    /// <summary>Requests that <c>allocations</c> divides by, at least.</summary>
    public int Allocations { get; init; } = 100_000;

    public int WebSockets { get; init; } = 10_000;

    public int Routes { get; init; } = 10_000;

    public int Swaps { get; init; } = 2000;

    /// <summary>When <c>swaps</c> ends although not all of them were made.</summary>
    public int SwapSeconds { get; init; } = 25;

    /// <summary>Milliseconds between two tables; 0 for as fast as the edge confirms them.</summary>
    public int SwapPause { get; init; }

    /// <summary>Requests a second of <c>swaps</c>.</summary>
    public int Rate { get; init; } = 1000;

    /// <summary>Whether our edge continues on the thread that its sockets are polled by.</summary>
    public bool Inline { get; init; } = true;

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
                "--seconds" => options with { Seconds = Number(args[++i]) },
                "--connections" => options with { Connections = Number(args[++i]) },
                "--requests" => options with { Requests = Number(args[++i]) },
                "--allocations" => options with { Allocations = Number(args[++i]) },
                "--websockets" => options with { WebSockets = Number(args[++i]) },
                "--routes" => options with { Routes = Number(args[++i]) },
                "--swaps" => options with { Swaps = Number(args[++i]) },
                "--swap-seconds" => options with { SwapSeconds = Number(args[++i]) },
                "--swap-pause" => options with { SwapPause = Number(args[++i]) },
                "--rate" => options with { Rate = Number(args[++i]) },
                "--sides" => options with { Sides = SidesOf(args[++i]) },
                "--inline" => options with { Inline = OnOff(args[++i]) },
                "--keep" => options with { Keep = true },
                _ when AllFigures.Contains(args[i], StringComparer.Ordinal) => options with { Figures = [.. options.Figures, args[i]] },
                _ => throw new ArgumentException($"""
                    '{args[i]}' is not known.
                    Figures: {string.Join(' ', AllFigures)}.
                    Options: --rounds --seconds --connections --requests --allocations --websockets --routes --swaps --swap-seconds --swap-pause --rate --sides --inline on|off --out --keep
                    """, nameof(args)),
            };
        }
        return options;
    }

    private static int Number(string text) =>
        int.Parse(text, CultureInfo.InvariantCulture) is var number and > 0 ? number : throw new ArgumentException($"{text} is not more than 0.", nameof(text));

    private static bool OnOff(string text) =>
        text switch { "on" => true, "off" => false, _ => throw new ArgumentException($"--inline is on or off, not '{text}'.", nameof(text)) };

    private static string[] SidesOf(string text)
    {
        var sides = text.Split(',');
        return sides.All(s => AllSides.Contains(s, StringComparer.Ordinal))
            ? sides
            : throw new ArgumentException($"--sides takes of {string.Join(',', AllSides)}, with commas.", nameof(text));
    }
}
