using System.Diagnostics;
using System.Text;

namespace Groundcrew.Bench.Deploy;

/// <summary>Deployments and rollbacks under load; the program's own start beside them; and kills in the middle.</summary>
internal sealed class DeployFigures(Options options, CancellationToken cancellation)
{
    /// <summary>Long enough after a move that what still answers with the old version is seen.</summary>
    private const int Settle = 700;

    public async Task<Dictionary<string, object>> DeploysAsync()
    {
        await using var platform = new Platform(options);
        await platform.UpAsync();
        var version = 1;
        await platform.DeployAsync(0, version, cancellation);
        await using var load = new Load(platform.Edge, platform.Host, options.Rate, options.Connections);
        load.Start();
        await Tools.PauseAsync(3000, cancellation);
        var moves = new List<Move>();
        var every = options.Rollbacks == 0 ? int.MaxValue : Math.Max(1, options.Deploys / options.Rollbacks);
        for (var i = 1; i <= options.Deploys; i++)
        {
            var next = i + 1;
            await AddAsync(moves, platform.DeployAsync(version, next, cancellation));
            if (i % every == 0 && i / every <= options.Rollbacks)
                await AddAsync(moves, platform.RollbackAsync(next, version, cancellation));
            else
                version = next;
        }
        var starts = await ProgramStartsAsync(options, 7, cancellation);
        var samples = await load.StopAsync();
        return Report(samples, moves, starts);
    }

    public async Task<Dictionary<string, object>> CrashesAsync()
    {
        await using var platform = new Platform(options);
        await platform.UpAsync();
        await platform.DeployAsync(0, 1, cancellation);
        await using var load = new Load(platform.Edge, platform.Host, options.Rate, options.Connections);
        load.Start();
        await Tools.PauseAsync(3000, cancellation);
        var random = new Random(options.Seed);
        var moves = new List<Move>();
        for (var i = 1; i <= 2 * options.Kills; i++)
        {
            var role = i % 2 == 0 ? "agent" : "control";
            var moment = random.Next(0, 1200);
            await AddAsync(moves, platform.DeployAsync(i, i + 1, cancellation, async () =>
            {
                await Tools.PauseAsync(moment, cancellation);
                Tools.Signal(platform.PidOf(role), "KILL");
            }));
            await Console.Error.WriteLineAsync($"  {role} killed after {moment} ms: {moves[^1].Outcome} after {Judgement.Milliseconds(moves[^1].Requested, moves[^1].Ended):0} ms");
            // A killed role must be back before the next kill, or a moment would be no moment of a deploy.
            await platform.ReadyAsync(cancellation);
            await Tools.PauseAsync(Settle, cancellation);
        }
        var samples = await load.StopAsync();
        var wrong = moves.Where((m, i) => m.Outcome != "succeeded" || !Judgement.IsWhollyOn(samples, m.To, EndOf(moves, i, samples))).ToList();
        return new()
        {
            ["kills"] = moves.Count,
            ["traffic"] = Judgement.Traffic(samples),
            ["notAtTheirRightEnd"] = wrong.Count,
            ["wrongEnds"] = wrong.Select(m => $"{m.To}: {m.Outcome}").ToList(),
            ["requestToEndMs"] = Judgement.Spread(moves.Select(m => Judgement.Milliseconds(m.Requested, m.Ended))),
        };
    }

    /// <summary>
    /// From spawn until the readiness path answers: one alone, and three at once as a deployment starts them; both while
    /// the load runs.
    /// </summary>
    public static async Task<(double[] One, double[] Three)> ProgramStartsAsync(Options options, int runs, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("deploy-bench-start-").FullName;
        try
        {
            foreach (var file in Directory.EnumerateFiles(options.Service))
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            await File.WriteAllTextAsync(Path.Combine(folder, "version"), "v0", cancellation);
            double[] one = new double[runs], three = new double[runs];
            for (var i = 0; i < runs; i++)
            {
                one[i] = await StartAsync(folder, 1, cancellation);
                three[i] = await StartAsync(folder, 3, cancellation);
            }
            return (one, three);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public static Dictionary<string, object> Report(Sample[] samples, List<Move> moves, (double[] One, double[] Three) starts)
    {
        var switched = moves.Select((m, i) => Judgement.Milliseconds(m.Accepted, Judgement.SwitchedAt(samples, m, EndOf(moves, i, samples)))).ToList();
        var fromRequest = moves.Select((m, i) => Judgement.Milliseconds(m.Requested, Judgement.SwitchedAt(samples, m, EndOf(moves, i, samples)))).ToList();
        var own = Judgement.Median(starts.Three);
        var deploys = moves.Select((m, i) => (m, i)).Where(x => x.m.Kind == "deploy").ToList();
        var rollbacks = moves.Select((m, i) => (m, i)).Where(x => x.m.Kind == "rollback").ToList();
        return new()
        {
            ["traffic"] = Judgement.Traffic(samples),
            ["deploys"] = deploys.Count,
            ["rollbacks"] = rollbacks.Count,
            ["notSucceeded"] = moves.Where(m => m.Outcome != "succeeded").Select(m => $"{m.Kind} {m.To}: {m.Outcome}").ToList(),
            ["notWhollyOn"] = moves.Where((m, i) => !Judgement.IsWhollyOn(samples, m.To, EndOf(moves, i, samples))).Select(m => m.To).ToList(),
            ["programStartOneMs"] = Judgement.Spread(starts.One),
            ["programStartThreeMs"] = Judgement.Spread(starts.Three),
            ["deployAcceptedToAllTrafficMs"] = Judgement.Spread(deploys.Select(x => switched[x.i])),
            ["deployBeyondProgramStartMs"] = Judgement.Spread(deploys.Select(x => switched[x.i] - own)),
            ["rollbackRequestToSucceededMs"] = Judgement.Spread(rollbacks.Select(x => Judgement.Milliseconds(x.m.Requested, x.m.Ended))),
            ["rollbackRequestToAllTrafficMs"] = Judgement.Spread(rollbacks.Select(x => fromRequest[x.i])),
            ["requestToAcceptedMs"] = Judgement.Spread(moves.Select(m => Judgement.Milliseconds(m.Requested, m.Accepted))),
            ["deployStepsMs"] = Steps(deploys.Select(x => x.m)),
            ["rollbackStepsMs"] = Steps(rollbacks.Select(x => x.m)),
        };
    }

    public static long EndOf(List<Move> moves, int index, Sample[] samples) =>
        index + 1 < moves.Count ? moves[index + 1].Requested : Math.Min(samples[^1].Ended, moves[index].Ended + Stopwatch.Frequency);

    private static Dictionary<string, object> Steps(IEnumerable<Move> moves) =>
        moves.SelectMany(m => m.Steps).GroupBy(s => s.Key, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => (object)Judgement.Round(Judgement.Median(g.Select(s => s.Value))), StringComparer.Ordinal);

    private static async Task<double> StartAsync(string folder, int count, CancellationToken cancellation)
    {
        var ports = Tools.FreePorts(count);
        var start = Stopwatch.GetTimestamp();
        var processes = ports.Select(port => Tools.Start(
            Path.Combine(folder, "bench-service"), "/dev/null", [], new Dictionary<string, string>(StringComparer.Ordinal) { ["PORT"] = $"{port}", ["HOST"] = "127.0.0.1" })).ToList();
        try
        {
            await Task.WhenAll(ports.Select(p => AnswersAsync(p, cancellation)));
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        finally
        {
            foreach (var process in processes)
            {
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
                process.Dispose();
            }
        }
    }

    private static async Task AnswersAsync(int port, CancellationToken cancellation)
    {
        var request = Encoding.ASCII.GetBytes("GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n");
        using var connection = new Connection(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, port), request);
        while ((await connection.AskAsync(TimeSpan.FromSeconds(5))).Failure != Failure.None)
            await Tools.PauseAsync(5, cancellation);
    }

    private static async Task AddAsync(List<Move> moves, Task<Move> move)
    {
        moves.Add(await move);
        await Tools.PauseAsync(Settle, CancellationToken.None);
    }
}
