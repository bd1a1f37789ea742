using System.Text;
using Groundcrew.PromQL.Evaluation;
using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

public sealed class PlainTests
{
    [Theory]
    [InlineData(0.5, "0.5")]
    [InlineData(-12, "-12")]
    [InlineData(1e21, "1000000000000000000000")]
    [InlineData(-1.25e20, "-125000000000000000000")]
    [InlineData(1.5e-7, "0.00000015")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    public void A_float_in_a_label_has_no_exponent(double value, string text) => Assert.Equal(text, GoNumber.Format(value));

    [Theory]
    [InlineData("", 0xEF46DB3751D8E999)]
    [InlineData("a", 0xD24EC4F1A98C6E5B)]
    [InlineData("abc", 0x44BC2CF5AD770999)]
    public void The_hash_of_limit_ratio_is_xxHash64(string text, ulong hash) => Assert.Equal(hash, RatioHash.Hash(Encoding.UTF8.GetBytes(text)));
}
