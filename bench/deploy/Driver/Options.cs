namespace Groundcrew.Bench.Deploy;

/// <summary>What the driver was told.</summary>
internal sealed class Options : BenchOptions
{
    public static readonly string[] AllFigures = ["deploys", "crashes", "peer", "idle"];

    public Options(string[] args)
        : base(args[0], rounds: 3)
    {
        Service = args[1];
        Read(args.AsSpan(2), AllFigures, new(StringComparer.Ordinal)
        {
            ["--rate"] = v => Rate = Number(v),
            ["--connections"] = v => Connections = Number(v),
            ["--deploys"] = v => Deploys = Number(v, atLeast: 0),
            ["--rollbacks"] = v => Rollbacks = Number(v, atLeast: 0),
            ["--kills"] = v => Kills = Number(v, atLeast: 0),
            ["--seed"] = v => Seed = Number(v, atLeast: 0),
        });
    }

    public string Service { get; }

    public int Rate { get; private set; } = 2200;

    public int Connections { get; private set; } = 100;

    public int Deploys { get; private set; } = 30;

    public int Rollbacks { get; private set; } = 10;

    public int Kills { get; private set; } = 20;

    public int Seed { get; private set; } = 20261;
}
