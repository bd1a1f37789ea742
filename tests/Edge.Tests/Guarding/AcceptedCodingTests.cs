using Microsoft.Extensions.Primitives;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class AcceptedCodingTests
{
    [Theory]
    [InlineData("", "None")]
    [InlineData("gzip", "Gzip")]
    [InlineData("GZIP", "Gzip")]
    [InlineData("x-gzip", "Gzip")]
    [InlineData("br, gzip", "Brotli")]
    [InlineData("gzip, br", "Brotli")]
    [InlineData("gzip;q=1.0, br;q=0.999", "Gzip")]
    [InlineData("gzip ; q=0.2 , br ; Q=0.3", "Brotli")]
    [InlineData("*;q=0.1", "Brotli")]
    [InlineData("br;q=0, *", "Gzip")]
    [InlineData("*;q=0, gzip", "Gzip")]
    [InlineData("gzip;q=0, br;q=0", "None")]
    [InlineData("identity, gzip;q=0.5", "None")]
    [InlineData("identity;q=0.5, gzip;q=0.5", "Gzip")]
    [InlineData("gzip;q=2", "None")]
    [InlineData("gzip;q=-1", "None")]
    [InlineData("gzip;q=1e0", "None")]
    [InlineData("gzip;q=NaN", "None")]
    [InlineData("gzip;q=", "None")]
    [InlineData("gzip;a=b", "None")]
    [InlineData("deflate, compress, zstd", "None")]
    [InlineData(",,gzip,", "Gzip")]
    [InlineData("gzipped", "None")]
    public void The_client_gets_what_it_prefers_of_what_there_is(string accepts, string coding) =>
        Assert.Equal(coding, AcceptedCoding.Of(accepts).ToString());

    [Fact]
    public void A_list_may_stand_in_several_fields() =>
        Assert.Equal(Coding.Brotli, AcceptedCoding.Of(new StringValues(["gzip;q=0.1", "br;q=0.2"])));

    [Theory]
    [InlineData("text/html", true)]
    [InlineData("Text/CSS; charset=utf-8", true)]
    [InlineData("application/problem+json", true)]
    [InlineData("image/svg+xml", true)]
    [InlineData("application/json;x=y", true)]
    [InlineData("text/event-stream", false)]
    [InlineData("text/event-stream; charset=utf-8", false)]
    [InlineData("image/jpeg", false)]
    [InlineData("application/octet-stream", false)]
    [InlineData("texts/html", false)]
    [InlineData("", false)]
    public void What_is_usually_text_is_compressed(string type, bool fits) =>
        Assert.Equal(fits, new MediaTypes(MediaTypes.Text).Fits(type));
}
