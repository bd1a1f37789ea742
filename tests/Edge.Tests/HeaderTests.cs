using System.Text;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class HeaderTests
{
    [Theory]
    [InlineData("X-Mine")]
    [InlineData("close, X-Mine")]
    [InlineData("x-mine,,X-Other , keep-alive")]
    public void Fields_meant_for_this_hop_only_are_removed(string connection)
    {
        var headers = new HeaderDictionary { ["X-Mine"] = "1", ["Kept"] = "2", ["Host"] = "a.example" };
        RequestFields.RemoveHopByHop(headers, connection);

        Assert.Equal(["Host", "Kept"], headers.Keys.Order());
    }

    [Fact]
    public void Both_paths_know_the_same_fields_that_only_the_edge_may_set() => Assert.All(ClientHeaders.Untrusted, name =>
    {
        Assert.Equal(FieldKind.Untrusted, HeadField.KindOf(Encoding.ASCII.GetBytes(name)));
        Assert.Equal(FieldKind.Untrusted, HeadField.KindOf(Encoding.ASCII.GetBytes(name.ToLowerInvariant())));
    });

    [Theory]
    [InlineData("host")]
    [InlineData("Content-Length, Transfer-Encoding, TE, Upgrade, close")]
    public void Fields_that_frame_or_route_a_message_stay_whatever_a_client_says(string connection)
    {
        var headers = new HeaderDictionary
        {
            ["Host"] = "a.example", ["Content-Length"] = "1", ["Transfer-Encoding"] = "chunked", ["TE"] = "trailers", ["Upgrade"] = "websocket",
        };
        RequestFields.RemoveHopByHop(headers, connection);

        Assert.Equal(5, headers.Count);
    }
}
