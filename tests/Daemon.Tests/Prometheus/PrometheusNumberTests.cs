using System.Text;
using Groundcrew.Daemon.Doors;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Numbers and times as Prometheus writes and reads them.</summary>
public sealed class PrometheusNumberTests
{
    [Theory]
    [InlineData(0, "0")]
    [InlineData(-0.0, "-0")]
    [InlineData(1, "1")]
    [InlineData(-1.5, "-1.5")]
    [InlineData(0.1, "0.1")]
    [InlineData(1e-5, "0.00001")]
    [InlineData(1.25e-5, "0.0000125")]
    [InlineData(1e-6, "0.000001")]
    [InlineData(9.9e-7, "9.9e-07")]
    [InlineData(1e-9, "1e-09")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(123456789012345680, "123456789012345680")]
    [InlineData(1e15, "1000000000000000")]
    [InlineData(1.5e20, "150000000000000000000")]
    [InlineData(1e21, "1e+21")]
    [InlineData(-3.333333333333333e29, "-3.333333333333333e+29")]
    [InlineData(double.MaxValue, "1.7976931348623157e+308")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    public void A_float_is_written_as_prometheus_writes_it(double value, string text) =>
        Assert.Equal(text, Encoding.ASCII.GetString(PrometheusNumber.Format(value, stackalloc byte[PrometheusNumber.MaxLength])));

    [Fact]
    public void Any_float_can_be_read_back()
    {
        var random = new Random(4711);
        Span<byte> room = stackalloc byte[PrometheusNumber.MaxLength];
        for (var i = 0; i < 100_000; i++)
        {
            var value = BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue));
            if (!double.IsFinite(value))
                continue;
            var text = Encoding.ASCII.GetString(PrometheusNumber.Format(value, room));
            Assert.Equal(value, double.Parse(text));
            Assert.Equal(Math.Abs(value) is < 1e-6 or >= 1e21, text.Contains('e', StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1500, "1.500")]
    [InlineData(1435781451781, "1435781451.781")]
    [InlineData(1435781451007, "1435781451.007")]
    [InlineData(-1500, "-1.500")]
    public void A_time_is_written_in_seconds(long milliseconds, string text) =>
        Assert.Equal(text, Encoding.ASCII.GetString(PrometheusNumber.FormatTime(milliseconds, stackalloc byte[PrometheusNumber.MaxLength])));

    [Theory]
    [InlineData("1435781451.781", 1435781451781)]
    [InlineData("1e3", 1000000L)]
    [InlineData("-1", -1000L)]
    [InlineData("2015-07-01T20:10:51.781Z", 1435781451781)]
    [InlineData("2015-07-01T20:10:51Z", 1435781451000)]
    [InlineData("2015-07-01T22:10:51+02:00", 1435781451000)]
    [InlineData("2015-07-01T20:10:51", null)]
    [InlineData("2015-07-01", null)]
    [InlineData("now", null)]
    [InlineData("", null)]
    [InlineData("NaN", null)]
    public void A_time_is_read_as_prometheus_reads_it(string text, long? milliseconds) => Assert.Equal(milliseconds, PrometheusParameters.TryTime(text));
}
