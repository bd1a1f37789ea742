using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class RollingCountsTests
{
    [Fact]
    public void Random_schedules_agree_with_a_list_of_everything()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var (counts, all) = (new RollingCounts(1000), new List<(long Slice, int First, int Second)>());
            long now = random.Next(0, 100_000);
            for (var i = 0; i < 500; i++)
            {
                now += random.Next(4) == 0 ? random.Next(0, 1500) : random.Next(0, 30);
                var (first, second) = (random.Next(0, 3), random.Next(0, 2));
                counts.Add(now, first, second);
                all.Add((now / 100, first, second));
                var within = all.Where(a => a.Slice > (now / 100) - 10).ToList();
                Assert.Equal((within.Sum(a => (long)a.First), within.Sum(a => (long)a.Second)), counts.Sum(now));
            }
        }
    }

    [Fact]
    public void A_clock_set_back_only_forgets()
    {
        var counts = new RollingCounts(1000);
        counts.Add(1_000_000, 7, 7);
        Assert.Equal((0, 0), counts.Sum(10));
        counts.Add(10, 1, 0);
        Assert.Equal((1, 0), counts.Sum(10));
    }

    [Fact]
    public void Counts_stand_still_before_they_would_spill()
    {
        var counts = new RollingCounts(1000);
        counts.Add(0, 4_194_300, 2_000_000);
        for (var i = 0; i < 10; i++)
            counts.Add(0, 1, 1);
        Assert.Equal((4_194_303, 2_000_003), counts.Sum(0));
        counts.Clear();
        Assert.Equal((0, 0), counts.Sum(0));
    }
}
