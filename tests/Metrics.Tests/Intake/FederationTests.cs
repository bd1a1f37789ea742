using System.Buffers;
using System.Text;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class FederationTests
{
    [Fact]
    public void The_newest_samples_are_written_by_name_once_each()
    {
        var now = DateTimeOffset.UnixEpoch.AddHours(1);
        var time = now.ToUnixTimeMilliseconds();
        var metrics = new MemoryMetrics();
        metrics.Add(Labels.Of(("__name__", "b"), ("instance", "i1"), ("Zone", "z")), time - 1000, 1);
        metrics.Add(Labels.Of(("__name__", "b"), ("instance", "i1"), ("Zone", "z")), time - 2000, 7);
        metrics.Add(Labels.Of(("__name__", "a")), time - 1000, 2);
        metrics.Add(Labels.Of(("__name__", "b"), ("region", "own")), time - 1000, 3);
        metrics.Add(Labels.Of(("__name__", "b"), ("x", "old")), time - 301_000, 4);
        metrics.Add(Labels.Of(("__name__", "b"), ("x", "stale")), time - 1000, StaleMarker.Value);
        metrics.Add(Labels.Of(("__name__", "other")), time - 1000, 5);
        var output = new ArrayBufferWriter<byte>();

        new Federation(Labels.Of(("region", "eu"))).Write(metrics, [[new(MatchKind.Regexp, "__name__", "a|b")], [new(MatchKind.Equal, "__name__", "b")]], now, output, TestContext.Current.CancellationToken);

        Assert.Equal(
            """
            # TYPE a untyped
            a{instance="",region="eu"} 2 3599000
            # TYPE b untyped
            b{Zone="z",instance="i1",region="eu"} 1 3599000
            b{region="own",instance=""} 3 3599000

            """,
            Encoding.UTF8.GetString(output.WrittenSpan));
    }
}
