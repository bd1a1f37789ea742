using System.Diagnostics;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>
/// A process that appends, cuts, merges and writes checkpoints is killed at random moments: nothing that it acknowledged is
/// lost, and no batch is there in part.
/// </summary>
public sealed class CrashTests
{
    [Fact]
    public async Task Killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_half_is_seen()
    {
        using var folder = new TempFolder();
        var random = new Random(11);
        for (var round = 0; round < 8; round++)
        {
            var before = CrashChild.Acknowledged(folder.Path);
            using var child = StartChild(folder.Path);
            var target = before + random.Next(1, 3000);
            await Eventually.TrueAsync(() => CrashChild.Acknowledged(folder.Path) >= target || child.HasExited, "the child goes on");
            Assert.False(child.HasExited, "The child ended by itself.");
            child.Kill();
            await child.WaitForExitAsync(TestContext.Current.CancellationToken);
            await CheckAsync(folder.Path, CrashChild.Acknowledged(folder.Path));
        }
        Assert.NotEmpty(Directory.GetDirectories(Path.Combine(folder.Path, "store", "blocks")));
        Assert.NotEmpty(Checkpoint.In(Path.Combine(folder.Path, "store", "log")));
    }

    private static async Task CheckAsync(string folder, long acknowledged)
    {
        var signals = new SeenSignals();
        await using var store = CrashChild.Open(folder, signals);
        // The one that was being committed may be there, but was not acknowledged.
        Assert.InRange(CrashChild.Count(store), acknowledged, acknowledged + 1);
        Assert.DoesNotContain(signals.All, s => s.Urgency != SignalUrgency.Info);
    }

    private static Process StartChild(string folder)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(CrashTests).Assembly.Location);
        start.ArgumentList.Add(CrashChild.Word);
        start.ArgumentList.Add(folder);
        return Process.Start(start)!;
    }
}
