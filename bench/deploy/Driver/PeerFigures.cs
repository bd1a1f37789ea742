using System.Net;

namespace Groundcrew.Bench.Deploy;

/// <summary>The same service, load and moves, ours and Docker Swarm's, in interleaved rounds.</summary>
internal sealed class PeerFigures(Options options, CancellationToken cancellation)
{
    private const int DeploysARound = 3;
    private const int Settle = 700;

    public async Task<Dictionary<string, object>> RunAsync()
    {
        await using var swarm = new Swarm(options);
        await swarm.UpAsync((options.Rounds * (DeploysARound + 1)) + 1);
        await using var platform = new Platform(options);
        await platform.UpAsync();
        await platform.DeployAsync(0, 1, cancellation);
        Side ours = new(platform.Edge, platform.Host, (f, t) => platform.DeployAsync(f, t, cancellation), (f, t) => platform.RollbackAsync(f, t, cancellation));
        Side theirs = new(swarm.Door, "localhost", swarm.UpdateAsync, swarm.RollbackAsync);
        for (var round = 0; round < options.Rounds; round++)
        {
            await swarm.ScaleAsync(0);
            await RoundAsync(ours);
            await swarm.ScaleAsync(3);
            await RoundAsync(theirs);
        }
        return new() { ["groundcrew"] = ours.Report(), ["swarm"] = theirs.Report() };
    }

    private async Task RoundAsync(Side side)
    {
        await using var load = new Load(side.Door, side.Host, options.Rate, options.Connections);
        load.Start();
        await Tools.PauseAsync(2000, cancellation);
        var moves = new List<Move>();
        for (var i = 0; i < DeploysARound; i++)
        {
            moves.Add(await side.Deploy(side.Version, side.Next));
            side.Version = side.Next++;
            await Tools.PauseAsync(Settle, cancellation);
        }
        moves.Add(await side.Rollback(side.Version, side.Version - 1));
        side.Version--;
        await Tools.PauseAsync(Settle, cancellation);
        var starts = await DeployFigures.ProgramStartsAsync(options, 3, cancellation);
        side.Add(await load.StopAsync(), moves, starts);
    }

    private sealed class Side(IPEndPoint door, string host, Func<int, int, Task<Move>> deploy, Func<int, int, Task<Move>> rollback)
    {
        private readonly List<Dictionary<string, object>> _rounds = [];

        public IPEndPoint Door => door;

        public string Host => host;

        public Func<int, int, Task<Move>> Deploy => deploy;

        public Func<int, int, Task<Move>> Rollback => rollback;

        public int Version { get; set; } = 1;

        public int Next { get; set; } = 2;

        public void Add(Sample[] samples, List<Move> moves, (double[] One, double[] Three) starts) =>
            _rounds.Add(DeployFigures.Report(samples, moves, starts));

        /// <summary>Sums of what is counted, worsts of what is worst, medians over the rounds of the rest.</summary>
        public Dictionary<string, object> Report()
        {
            var traffic = _rounds.ConvertAll(r => (Dictionary<string, object>)r["traffic"]);
            var report = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["rounds"] = _rounds.Count,
                ["requests"] = traffic.Sum(t => (int)t["requests"]),
                ["failed"] = traffic.Sum(t => (int)t["failed"]),
                ["failures"] = traffic.ConvertAll(t => t["failures"]),
                ["p50Ms"] = Judgement.Median(traffic.Select(t => (double)t["p50Ms"])),
                ["p99Ms"] = Judgement.Median(traffic.Select(t => (double)t["p99Ms"])),
                ["worstMs"] = traffic.Max(t => (double)t["worstMs"]),
                ["notSucceeded"] = _rounds.SelectMany(r => (List<string>)r["notSucceeded"]).ToList(),
            };
            foreach (var key in (string[])["programStartThreeMs", "deployAcceptedToAllTrafficMs", "deployBeyondProgramStartMs", "rollbackRequestToSucceededMs", "rollbackRequestToAllTrafficMs", "requestToAcceptedMs"])
            {
                var spreads = _rounds.ConvertAll(r => (Dictionary<string, object>)r[key]);
                report[key] = new Dictionary<string, object>(StringComparer.Ordinal)
                {
                    ["median"] = Judgement.Median(spreads.Select(s => (double)s["median"])),
                    ["worst"] = spreads.Max(s => (double)s["worst"]),
                    ["runs"] = spreads.Sum(s => (int)s["runs"]),
                };
            }
            return report;
        }
    }
}
