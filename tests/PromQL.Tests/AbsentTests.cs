using Groundcrew.PromQL.Evaluation;
using Xunit;

namespace Groundcrew.PromQL.Tests;

public sealed class AbsentTests
{
    [Fact]
    public void Only_the_mark_itself_means_that_there_is_no_sample()
    {
        Assert.True(Absent.Is(Absent.Value));
        Assert.False(Absent.Is(double.NaN));
        Assert.False(Absent.Is(Metrics.StaleMarker.Value));
        Assert.False(Absent.Is(0));
    }
}
