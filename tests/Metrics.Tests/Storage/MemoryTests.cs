using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>Slots and ranks: what many series need.</summary>
public sealed class MemoryTests
{
    private const int PerSlab = 4096;

    [Fact]
    public void Empty_slabs_are_given_back_and_come_again()
    {
        var pool = new SlotPool();
        var slots = Enumerable.Range(0, 40 * PerSlab).Select(i => pool.Take(0, i, i)).ToList();
        var full = pool.Bytes;
        var kept = slots.Where((_, i) => i / PerSlab >= 30).ToList();
        foreach (var slot in slots.Except(kept))
            pool.Give(slot);
        pool.Trim();
        Assert.Equal(kept.Count, pool.Used);
        Assert.InRange(pool.Bytes, full * 18 / 41, full * 20 / 41);
        for (var i = 30 * PerSlab; i < slots.Count; i++)
            Assert.Equal(i, pool.FirstTime(slots[i]));
        var again = Enumerable.Range(0, 60 * PerSlab).Select(i => pool.Take(0, -i, -i)).ToList();
        Assert.Equal(again.Count + kept.Count, again.Concat(kept).Distinct().Count());
        Assert.Equal(again.Count + kept.Count, pool.Used);
        for (var i = 0; i < again.Count; i++)
            Assert.Equal(-i, pool.FirstTime(again[i]));
        pool.Trim();
        Assert.Equal(again.Count + kept.Count, pool.Used);
    }

    [Fact]
    public void Many_series_come_in_the_order_of_their_labels_whenever_they_came()
    {
        using var fixture = new StoreFixture();
        fixture.Clock.Advance(TimeSpan.FromDays(1));
        var random = new Random(4);
        var there = new List<Labels>();
        Begin(2500, 0);
        Check();
        Begin(700, 0);
        Check();
        var gone = there.ToList();
        // These alone go on, so the others leave the head with the cut.
        there = [.. there.Where((_, i) => i % 10 != 0)];
        for (var hour = 1; hour < 5; hour++)
            Add(there, hour);
        fixture.Store.CutHead();
        Add(gone.Except(there), 5);
        Begin(100, 5);
        there = [.. there.Union(gone)];
        Check();

        void Begin(int count, int hour)
        {
            var coming = Enumerable.Range(0, count).Select(_ => Named($"m{random.Next(5)}", ("i", $"{random.Next()}"))).ToList();
            there.AddRange(coming);
            Add(coming, hour);
        }

        void Add(IEnumerable<Labels> series, int hour)
        {
            var batch = new SampleBatch();
            foreach (var labels in series)
                batch.Add(fixture.Store.Resolve(labels.Packed), Start + hour * 3_600_000L, hour);
            Assert.Equal(batch.Count, fixture.Store.Commit(batch).Stored);
        }

        void Check()
        {
            using var reader = fixture.Store.OpenReader();
            Assert.Equal(there.Order(), reader.Select(long.MinValue, long.MaxValue, []).Select(s => s.Labels));
        }
    }
}
