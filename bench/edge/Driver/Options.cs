namespace Groundcrew.Bench.Edge;

/// <summary>What the driver was told.</summary>
internal sealed class Options : BenchOptions
{
    public static readonly string[] AllFigures = ["http1", "large", "http2", "tls", "latency", "allocations", "websockets", "swaps"];

    public static readonly string[] AllSides = [Ours.SideName, "nginx", "haproxy", "caddy"];

    public Options(string[] args)
        : base(args[0], rounds: 3) =>
        Read(args.AsSpan(1), AllFigures, new(StringComparer.Ordinal)
        {
            ["--seconds"] = v => Seconds = Number(v),
            ["--connections"] = v => Connections = Number(v),
            ["--requests"] = v => Requests = Number(v),
            ["--allocations"] = v => Allocations = Number(v),
            ["--websockets"] = v => WebSockets = Number(v),
            ["--routes"] = v => Routes = Number(v),
            ["--swaps"] = v => Swaps = Number(v),
            ["--swap-seconds"] = v => SwapSeconds = Number(v),
            ["--swap-pause"] = v => SwapPause = Number(v),
            ["--rate"] = v => Rate = Number(v),
            ["--sides"] = v => Sides = SidesOf(v, AllSides),
            ["--inline"] = v => Inline = OnOff(v),
        });

    public IReadOnlyList<string> Sides { get; private set; } = AllSides;

    /// <summary>Seconds of a run of <c>http1</c>; the runs of the other figures take <see cref="ShortSeconds"/>.</summary>
    public int Seconds { get; private set; } = 5;

    public int ShortSeconds => Math.Max(1, Seconds * 2 / 5);

    public int Connections { get; private set; } = 64;

    /// <summary>Requests of one round of <c>latency</c>.</summary>
    public int Requests { get; private set; } = 3000;

    /// <summary>Requests that <c>allocations</c> divides by, at least.</summary>
    public int Allocations { get; private set; } = 100_000;

    public int WebSockets { get; private set; } = 10_000;

    public int Routes { get; private set; } = 10_000;

    public int Swaps { get; private set; } = 2000;

    /// <summary>When <c>swaps</c> ends although not all of them were made.</summary>
    public int SwapSeconds { get; private set; } = 25;

    /// <summary>Milliseconds between two tables; 0 for as fast as the edge confirms them.</summary>
    public int SwapPause { get; private set; }

    /// <summary>Requests a second of <c>swaps</c>.</summary>
    public int Rate { get; private set; } = 1000;

    /// <summary>Whether our edge continues on the thread that its sockets are polled by.</summary>
    public bool Inline { get; private set; } = true;

    private static bool OnOff(string text) =>
        text switch { "on" => true, "off" => false, _ => throw new ArgumentException($"--inline is on or off, not '{text}'.", nameof(text)) };
}
