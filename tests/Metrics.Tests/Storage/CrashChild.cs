using System.Buffers.Binary;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>The process that the crash tests kill: this executable with <see cref="Word"/> and a folder as its arguments.</summary>
internal static class CrashChild
{
    public const string Word = "append-until-killed";
    private const int SeriesCount = 12;

    /// <summary>Appends until it is killed: what it committed is written down after the commit, in a file that survives it as the log does.</summary>
    public static void Run(string folder)
    {
        var store = Open(folder, new SeenSignals());
        using var acknowledged = new FileStream(AcknowledgedFile(folder), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var handles = Enumerable.Range(0, SeriesCount).Select(i => store.Resolve(Labels.Of(("__name__", "m"), ("i", $"{i}")).Packed)).ToArray();
        var batch = new SampleBatch();
        var next = Count(store) + 1;
        var rounds = new int[1];
        new Thread(() => Maintain(store, rounds)) { IsBackground = true }.Start();
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

    /// <summary>Checks that every batch up to the last one is there in all series, and gives the number of the last one.</summary>
    public static long Count(MetricStore store)
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

    public static MetricStore Open(string folder, ISignals signals)
    {
        var clock = new ManualClock();
        clock.Advance(TimeSpan.FromDays(100));
        return MetricStore.Open(new() { Folder = Path.Combine(folder, "store"), BlockRange = TimeSpan.FromMinutes(4), SegmentBytes = 30_000, Retention = TimeSpan.FromDays(400) }, clock, new(), signals);
    }

    public static long Acknowledged(string folder)
    {
        if (!File.Exists(AcknowledgedFile(folder)))
            return 0;
        using var file = new FileStream(AcknowledgedFile(folder), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        Span<byte> number = stackalloc byte[8];
        return file.ReadAtLeast(number, 8, throwOnEndOfStream: false) == 8 ? BinaryPrimitives.ReadInt64LittleEndian(number) : 0;
    }

    private static string AcknowledgedFile(string folder) => Path.Combine(folder, "acknowledged");

    private static void Maintain(MetricStore store, int[] rounds)
    {
        for (; ; Interlocked.Increment(ref rounds[0]))
        {
            if (!store.CutHead())
                store.WriteCheckpoint();
            store.CompactBlocks();
        }
    }
}
