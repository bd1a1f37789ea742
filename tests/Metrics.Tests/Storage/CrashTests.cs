using System.Buffers.Binary;
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
    private const string FolderVariable = "GROUNDCREW_TEST_CRASH_FOLDER";
    private const int SeriesCount = 12;

    [Fact]
    public async Task Killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_half_is_seen()
    {
        using var folder = new TempFolder();
        var random = new Random(11);
        for (var round = 0; round < 8; round++)
        {
            var before = Acknowledged(folder.Path);
            using var child = StartChild(folder.Path);
            var target = before + random.Next(1, 3000);
            await Eventually.TrueAsync(() => Acknowledged(folder.Path) >= target || child.HasExited, "the child goes on");
            Assert.False(child.HasExited, "The child ended by itself.");
            child.Kill();
            await child.WaitForExitAsync(TestContext.Current.CancellationToken);
            Check(folder.Path, Acknowledged(folder.Path));
        }
        Assert.NotEmpty(Directory.GetDirectories(Path.Combine(folder.Path, "store", "blocks")));
        Assert.NotEmpty(Checkpoint.In(Path.Combine(folder.Path, "store", "log")));
    }

    /// <summary>The child: what it committed is written down after the commit, in a file that survives it as the log does.</summary>
    [Fact(Explicit = true)]
    public void Appends_until_it_is_killed()
    {
        var folder = Environment.GetEnvironmentVariable(FolderVariable)!;
        var store = Open(folder, new SeenSignals());
        using var acknowledged = new FileStream(AcknowledgedFile(folder), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var handles = Enumerable.Range(0, SeriesCount).Select(i => store.Resolve(Labels.Of(("__name__", "m"), ("i", $"{i}")).Packed)).ToArray();
        var batch = new SampleBatch();
        var next = Count(store, new Random(1)) + 1;
        var rounds = new int[1];
        var maintenance = new Thread(() =>
        {
            for (; ; Interlocked.Increment(ref rounds[0]))
            {
                if (!store.CutHead())
                    store.WriteCheckpoint();
                store.CompactBlocks();
            }
        })
        { IsBackground = true };
        maintenance.Start();
        Span<byte> number = stackalloc byte[8];
        while (true)
        {
            // On a slow disk the background would be killed before it came to anything.
            if (next % 400 == 0 && Volatile.Read(ref rounds[0]) is var seen)
                SpinWait.SpinUntil(() => Volatile.Read(ref rounds[0]) > seen);
            batch.Clear();
            foreach (var handle in handles)
                batch.Add(handle, StoreFixture.Start + (next * 1000), next);
            batch.Add(store.Resolve(Labels.Of(("__name__", "brief"), ("of", $"{next / 50}")).Packed), StoreFixture.Start + (next * 1000), next);
            if (store.Commit(batch).Stored != SeriesCount + 1)
                throw new InvalidOperationException($"Batch {next} was not stored.");
            BinaryPrimitives.WriteInt64LittleEndian(number, next++);
            acknowledged.Position = 0;
            acknowledged.Write(number);
        }
    }

    private static void Check(string folder, long acknowledged)
    {
        var signals = new SeenSignals();
        var store = Open(folder, signals);
        var count = Count(store, new(2));
        // The one that was being committed may be there, but was not acknowledged.
        Assert.InRange(count, acknowledged, acknowledged + 1);
        Assert.DoesNotContain(signals.All, s => s.Urgency != SignalUrgency.Info);
        store.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    /// <summary>Checks that every batch up to the last one is there in all series, and gives the number of the last one.</summary>
    private static long Count(MetricStore store, Random random)
    {
        using var reader = store.OpenReader();
        var buffer = new SampleBuffer();
        long? count = null;
        foreach (var series in reader.Select(long.MinValue, long.MaxValue, [new(MatchKind.Equal, "__name__", "m")], CancellationToken.None))
        {
            buffer.Clear();
            series.Read(long.MinValue, long.MaxValue, buffer);
            count ??= buffer.Count;
            Assert.Equal(count, buffer.Count);
            for (var i = 0; i < buffer.Count; i++)
                Assert.Equal((StoreFixture.Start + ((i + 1) * 1000L), i + 1.0), (buffer.Times[i], buffer.Values[i]));
        }
        var brief = 0L;
        foreach (var series in reader.Select(long.MinValue, long.MaxValue, [new(MatchKind.Equal, "__name__", "brief")], CancellationToken.None))
        {
            buffer.Clear();
            series.Read(long.MinValue, long.MaxValue, buffer);
            brief += buffer.Count;
        }
        Assert.Equal(count ?? 0, brief);
        return count ?? 0;
    }

    private static MetricStore Open(string folder, ISignals signals)
    {
        var clock = new ManualClock();
        clock.Advance(TimeSpan.FromDays(100));
        return MetricStore.Open(new() { Folder = Path.Combine(folder, "store"), BlockRange = TimeSpan.FromMinutes(4), SegmentBytes = 30_000, Retention = TimeSpan.FromDays(400) }, clock, new(), signals);
    }

    private static string AcknowledgedFile(string folder) => Path.Combine(folder, "acknowledged");

    private static long Acknowledged(string folder)
    {
        if (!File.Exists(AcknowledgedFile(folder)))
            return 0;
        using var file = new FileStream(AcknowledgedFile(folder), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        Span<byte> number = stackalloc byte[8];
        return file.ReadAtLeast(number, 8, throwOnEndOfStream: false) == 8 ? BinaryPrimitives.ReadInt64LittleEndian(number) : 0;
    }

    private static Process StartChild(string folder)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(CrashTests).Assembly.Location);
        foreach (var argument in (string[])["-method", $"{typeof(CrashTests).FullName}.{nameof(Appends_until_it_is_killed)}", "-explicit", "only", "-noLogo", "-noColor"])
            start.ArgumentList.Add(argument);
        start.Environment[FolderVariable] = folder;
        return Process.Start(start)!;
    }
}
