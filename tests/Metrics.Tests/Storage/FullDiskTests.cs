using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>A disk that is really full: reads go on, writes are refused and counted, and it mends by itself.</summary>
public sealed class FullDiskTests
{
    [Fact]
    public void On_a_full_disk_reads_go_on_and_writes_come_back_when_there_is_room()
    {
        using var disk = SmallDisk.TryMake("1m");
        Assert.SkipWhen(disk is null, "Mounting needs root.");
        var ballast = Path.Combine(disk.Path, "ballast");
        File.WriteAllBytes(ballast, new byte[600_000]);
        using var fixture = new StoreFixture(o => o with { Folder = Path.Combine(disk.Path, "store") });
        var stored = new List<int>();
        CommitResult result;
        var i = 0;
        while ((result = Add(fixture, i)).Failure is null)
            stored.Add(i++);
        Assert.InRange(stored.Count, 10, 10_000);
        Assert.Equal(0, result.Stored);
        Assert.Equal(stored.Select(s => (double)s), fixture.Floats(Named("m", ("i", "7"))).Select(s => s.Value));
        Assert.Contains("prometheus_tsdb_wal_writes_failed_total 1\n", fixture.Metrics.WriteText(), StringComparison.Ordinal);
        Assert.ThrowsAny<IOException>(fixture.Store.WriteCheckpoint);
        File.Delete(ballast);
        Assert.Null(Add(fixture, i).Failure);
        stored.Add(i);
        Assert.Equal(stored.Select(s => (double)s), fixture.Floats(Named("m", ("i", "7"))).Select(s => s.Value));
        fixture.Reopen();
        Assert.Equal(stored.Select(s => (double)s), fixture.Floats(Named("m", ("i", "7"))).Select(s => s.Value));
        Assert.DoesNotContain(fixture.Signals.All, s => s.Urgency != SignalUrgency.Info);
    }

    private static CommitResult Add(StoreFixture fixture, int round)
    {
        var batch = new SampleBatch();
        for (var i = 0; i < 100; i++)
            batch.Add(fixture.Store.Resolve(Named("m", ("i", $"{i}")).Packed), Start + round, i == 7 ? round : Math.Sqrt(round + i));
        return fixture.Store.Commit(batch);
    }
}
