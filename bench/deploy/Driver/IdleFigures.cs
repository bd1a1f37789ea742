namespace Groundcrew.Bench.Deploy;

/// <summary>What the platform costs when nothing happens, and how long it takes to be there.</summary>
internal sealed class IdleFigures(Options options, CancellationToken cancellation)
{
    private const int Runs = 5;
    private const int Quiet = 10_000;
    private static readonly string[] Roles = ["control", "agent", "edge"];

    public async Task<Dictionary<string, object>> RunAsync()
    {
        List<double> first = [], again = [], rss = [], pss = [];
        var parts = Roles.ToDictionary(r => r, _ => new List<double>(), StringComparer.Ordinal);
        for (var run = 0; run < Runs; run++)
        {
            await using var platform = new Platform(options);
            first.Add(await platform.UpAsync());
            await Tools.PauseAsync(Quiet, cancellation);
            var pids = Roles.ToDictionary(r => r, platform.PidOf, StringComparer.Ordinal);
            rss.Add(pids.Values.Sum(p => Tools.Kilobytes(p, "Rss")) / 1024.0);
            pss.Add(pids.Values.Sum(p => Tools.Kilobytes(p, "Pss")) / 1024.0);
            foreach (var (role, pid) in pids)
                parts[role].Add(Tools.Kilobytes(pid, "Rss") / 1024.0);
            await platform.DownAsync();
            again.Add(await platform.UpAsync());
        }
        return new()
        {
            ["upFirstMs"] = Judgement.Spread(first),
            ["upAgainMs"] = Judgement.Spread(again),
            ["rssMiB"] = Judgement.Spread(rss),
            ["pssMiB"] = Judgement.Spread(pss),
            ["rssOfRolesMiB"] = parts.ToDictionary(p => p.Key, p => Judgement.Round(Judgement.Median(p.Value)), StringComparer.Ordinal),
        };
    }
}
