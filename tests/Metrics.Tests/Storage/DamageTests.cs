using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>Torn and flipped files are named and set aside, and the rest is served.</summary>
public sealed class DamageTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_torn_end_of_the_log_costs_nothing_before_it(int seed)
    {
        using var fixture = new StoreFixture();
        var ends = Fill(fixture, 40);
        var cut = 0L;
        fixture.Reopen(() =>
        {
            var path = WriteLog.PathOf(fixture.LogFolder, 1);
            cut = new Random(seed).NextInt64(0, new FileInfo(path).Length);
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write);
            file.SetLength(cut);
        });
        var whole = ends.Count(e => e <= cut);
        Assert.Equal(Expected(whole), fixture.Floats(Named("a")));
        Assert.Equal(ends.Contains(cut) || cut <= WriteLog.HeaderBytes ? 0 : 1, fixture.Signals.All.Count(s => s.Kind == "metrics-log-torn"));
        Assert.Equal(1, fixture.Add(Named("a"), Start + 50_000, 1).Stored);
        fixture.Reopen();
        Assert.Equal(whole + 1, fixture.Floats(Named("a")).Length);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_flipped_bit_in_the_log_costs_one_record_and_the_segment_is_set_aside(int seed)
    {
        using var fixture = new StoreFixture();
        var ends = Fill(fixture, 40);
        var at = 0L;
        var path = WriteLog.PathOf(fixture.LogFolder, 1);
        fixture.Reopen(() => at = Flip(path, new(seed), WriteLog.HeaderBytes, ends[38]));
        var hit = ends.FindIndex(e => at < e);
        // The first record also held what the series is; without it the others mean nothing.
        Assert.Equal(hit == 0 ? [] : [.. Expected(40).Where((_, i) => i != hit)], fixture.Floats(Named("a")));
        Assert.Contains(fixture.Signals.All, s => s.Kind == "metrics-log-damaged" && s.Subject == "00000001.log");
        Assert.True(File.Exists(path + ".bad"));
        Assert.Contains("prometheus_tsdb_wal_corruptions_total 1\n", fixture.Metrics.WriteText(), StringComparison.Ordinal);
        var after = fixture.Floats(Named("a"));
        fixture.Reopen();
        Assert.Equal(after, fixture.Floats(Named("a")));
        Assert.Single(fixture.Signals.All, s => s.Kind == "metrics-log-damaged");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_block_with_a_flipped_bit_in_index_or_meta_is_set_aside_and_the_rest_is_served(int seed)
    {
        using var fixture = BlockTests.Filled(hours: 9, out _);
        fixture.Store.CutHead();
        var before = BlockTests.All(fixture);
        var folder = Directory.GetDirectories(fixture.BlockFolder).Order(StringComparer.Ordinal).ElementAt(seed % 3);
        var (minTime, maxTime) = (0L, 0L);
        fixture.Reopen(() =>
        {
            var meta = BlockMeta.Parse(File.ReadAllBytes(Path.Combine(folder, BlockMeta.FileName)));
            (minTime, maxTime) = (meta.MinTime, meta.MaxTime);
            var random = new Random(seed);
            var path = Path.Combine(folder, random.Next(2) == 0 ? BlockMeta.FileName : Block.IndexName);
            if (random.Next(4) == 0)
                Tear(path, random);
            else
                Flip(path, random, 0, new FileInfo(path).Length);
        });
        Assert.Contains(fixture.Signals.All, s => s.Kind == "metrics-block-damaged" && s.Subject == Path.GetFileName(folder));
        Assert.True(Directory.Exists(folder + ".bad"));
        BlockTests.AssertSame(before.ToDictionary(b => b.Key, b => b.Value.Where(s => s.Time < minTime || s.Time >= maxTime).ToList()), BlockTests.All(fixture));
        Assert.NotEmpty(BlockTests.All(fixture));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_flipped_bit_in_chunks_costs_at_most_one_chunk(int seed)
    {
        using var fixture = BlockTests.Filled(hours: 9, out _);
        fixture.Store.CutHead();
        var before = BlockTests.All(fixture);
        var folder = Directory.GetDirectories(fixture.BlockFolder)[seed % 3];
        var meta = BlockMeta.Parse(File.ReadAllBytes(Path.Combine(folder, BlockMeta.FileName)));
        var path = Path.Combine(folder, Block.ChunksName);
        fixture.Reopen(() => Flip(path, new(seed), BlockWriter.ChunksHeader.Length, new FileInfo(path).Length - 8));
        var after = BlockTests.All(fixture);
        var touched = before.Where(b => !after[b.Key].SequenceEqual(b.Value)).ToList();
        var (labels, samples) = Assert.Single(touched);
        Assert.Equal(samples.Where(s => s.Time < meta.MinTime || s.Time >= meta.MaxTime), after[labels]);
        Assert.Contains(fixture.Signals.All, s => s.Kind == "metrics-chunk-damaged");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Torn_chunks_and_damaged_tombstones_cost_no_more_than_their_block(int seed)
    {
        using var fixture = BlockTests.Filled(hours: 9, out _);
        fixture.Store.CutHead();
        fixture.Store.Delete([new(MatchKind.Equal, "__name__", "m2")], Start, Start + 9 * 3_600_000);
        var before = BlockTests.All(fixture);
        var folder = Directory.GetDirectories(fixture.BlockFolder).Order(StringComparer.Ordinal).ElementAt(seed % 3);
        var meta = BlockMeta.Parse(File.ReadAllBytes(Path.Combine(folder, BlockMeta.FileName)));
        fixture.Reopen(() =>
        {
            var random = new Random(seed);
            if (seed % 2 == 0)
                Tear(Path.Combine(folder, Block.ChunksName), random);
            else if (seed % 4 == 1)
                Tear(Path.Combine(folder, Block.TombstonesName), random);
            else
                Flip(Path.Combine(folder, Block.TombstonesName), random, 0, new FileInfo(Path.Combine(folder, Block.TombstonesName)).Length);
        });
        var expected = before.ToDictionary(b => b.Key, b => b.Value.Where(s => s.Time < meta.MinTime || s.Time >= meta.MaxTime).ToList());
        var after = BlockTests.All(fixture);
        // A series of which nothing is left anywhere else is not found at all.
        foreach (var (labels, samples) in expected)
            Assert.Equal(samples, after.GetValueOrDefault(labels) ?? []);
        Assert.Contains(fixture.Signals.All, s => s.Kind == "metrics-block-damaged" && s.Subject == Path.GetFileName(folder));
        Assert.True(Directory.Exists(folder + ".bad"));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_damaged_checkpoint_is_set_aside_and_the_one_before_it_is_used(int seed)
    {
        using var fixture = BlockTests.Filled(hours: 2, out _);
        fixture.Store.WriteCheckpoint();
        fixture.Add(Named("between"), Start + 7_300_000, 1);
        fixture.Store.WriteCheckpoint();
        fixture.Add(Named("after"), Start + 7_300_000, 2);
        var before = BlockTests.All(fixture);
        var newest = Checkpoint.PathOf(fixture.LogFolder, Checkpoint.In(fixture.LogFolder)[0]);
        fixture.Reopen(() =>
        {
            var random = new Random(seed);
            if (random.Next(2) == 0)
                Tear(newest, random);
            else
                Flip(newest, random, 0, new FileInfo(newest).Length);
        });
        BlockTests.AssertSame(before, BlockTests.All(fixture));
        Assert.Contains(fixture.Signals.All, s => s.Kind == "metrics-checkpoint-damaged");
        Assert.True(File.Exists(Path.Combine(fixture.LogFolder, "bad-" + Path.GetFileName(newest))));
    }

    [Fact]
    public void Files_of_a_newer_version_are_refused_and_stay_as_they_are()
    {
        using var fixture = new StoreFixture();
        Fill(fixture, 3);
        fixture.Close();
        var path = WriteLog.PathOf(fixture.LogFolder, 1);
        var bytes = File.ReadAllBytes(path);
        bytes[7] = 2;
        File.WriteAllBytes(path, bytes);
        Assert.Contains("version 2", Assert.Throws<InvalidDataException>(() => fixture.Reopen()).Message, StringComparison.Ordinal);
        Assert.Equal(bytes, File.ReadAllBytes(path));
        bytes[7] = 1;
        File.WriteAllBytes(path, bytes);
        fixture.Reopen();
        Assert.Equal(3, fixture.Floats(Named("a")).Length);
    }

    private static (long, double)[] Expected(int count) => [.. Enumerable.Range(0, count).Select(i => (Start + i * 1000L, (double)i))];

    /// <summary>One record for each sample; where each of them ends.</summary>
    private static List<long> Fill(StoreFixture fixture, int count)
    {
        var ends = new List<long>();
        for (var i = 0; i < count; i++)
        {
            fixture.Add(Named("a"), Start + i * 1000, i);
            ends.Add(fixture.Store.End.Offset);
        }
        return ends;
    }

    private static long Flip(string path, Random random, long from, long before)
    {
        var at = random.NextInt64(from, before);
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        var old = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(old ^ (1 << random.Next(8))));
        return at;
    }

    private static void Tear(string path, Random random)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write);
        file.SetLength(random.NextInt64(0, file.Length));
    }
}
