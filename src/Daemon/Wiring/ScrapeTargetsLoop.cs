using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Wiring;

/// <summary>Gives the scraper the targets that there are now, and the configuration when its file changed.</summary>
internal sealed class ScrapeTargetsLoop(Monitoring monitoring, PlatformTargets targets, Instances instances) : ILoop
{
    public string Name => "scrape-targets";

    public TimeSpan Every => TimeSpan.FromSeconds(5);

    public Nudge Wake => instances.Changed;

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        var found = await targets.FindAsync(cancellation);
        await monitoring.FollowAsync(found, cancellation);
        return $"{found.Sum(j => j.Value.Sum(g => g.Targets.Count))} targets of the platform, {monitoring.Config.Config.ScrapeConfigs.Count} jobs of prometheus.yml";
    }
}
