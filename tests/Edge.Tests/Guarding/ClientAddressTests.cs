using System.Net;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>10.0.0.0/8 and 2001:db8:a::/48 are trusted proxies; field lines are parted by " + ".</summary>
public sealed class ClientAddressTests
{
    private static readonly AddressSet Trusted = AddressSet.Parse(["10.0.0.0/8", "2001:db8:a::/48"], "trusted", new ProblemList());

    [Theory]
    [InlineData("a stranger's claims are dropped", "192.0.2.1", "203.0.113.5", "192.0.2.1", "192.0.2.1")]
    [InlineData("a stranger without claims", "192.0.2.1", null, "192.0.2.1", "192.0.2.1")]
    [InlineData("a proxy that says nothing is the client", "10.0.0.1", null, "10.0.0.1", "10.0.0.1")]
    [InlineData("a proxy that says nothing but an empty line", "10.0.0.1", "", "10.0.0.1", "10.0.0.1")]
    [InlineData("one proxy", "10.0.0.1", "203.0.113.5", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("two proxies", "10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5", "203.0.113.5, 10.0.0.2, 10.0.0.1")]
    [InlineData("two proxies with a line each", "10.0.0.1", "203.0.113.5 + 10.0.0.2", "203.0.113.5", "203.0.113.5, 10.0.0.2, 10.0.0.1")]
    [InlineData("what a client claims further left is dropped", "10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("a client that claims to be a proxy", "10.0.0.1", "10.0.0.9, 203.0.113.5", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("only proxies: the leftmost", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", "10.0.0.3, 10.0.0.2, 10.0.0.1")]
    [InlineData("garbage ends the walk", "10.0.0.1", "203.0.113.5, junk, 10.0.0.2", "10.0.0.2", "10.0.0.2, 10.0.0.1")]
    [InlineData("garbage at once", "10.0.0.1", "203.0.113.5, junk", "10.0.0.1", "10.0.0.1")]
    [InlineData("unknown ends the walk", "10.0.0.1", "203.0.113.5, unknown", "10.0.0.1", "10.0.0.1")]
    [InlineData("old forms of addresses are garbage", "10.0.0.1", "0x7f.1", "10.0.0.1", "10.0.0.1")]
    [InlineData("empty elements say nothing", "10.0.0.1", ", 203.0.113.5,, ,", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("ports are left out", "10.0.0.1", "203.0.113.5:4711", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("bad ports are garbage", "10.0.0.1", "203.0.113.5:99999", "10.0.0.1", "10.0.0.1")]
    [InlineData("IPv6 with port", "10.0.0.1", "[2001:db8::5]:443", "2001:db8::5", "2001:db8::5, 10.0.0.1")]
    [InlineData("IPv6 in brackets", "10.0.0.1", "[2001:db8::5]", "2001:db8::5", "2001:db8::5, 10.0.0.1")]
    [InlineData("plain IPv6 by an IPv6 proxy", "2001:db8:a::1", "2001:db8::5", "2001:db8::5", "2001:db8::5, 2001:db8:a::1")]
    [InlineData("an IPv4 proxy on an IPv6 socket", "::ffff:10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("brackets around IPv4 are garbage", "10.0.0.1", "[203.0.113.5]", "10.0.0.1", "10.0.0.1")]
    [InlineData("a quote on the left hides nothing", "10.0.0.1", "\"1.1.1.1, 203.0.113.5", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("no address and no proxy", null, "203.0.113.5", null, null)]
    public void The_list_is_walked_from_the_right_as_far_as_it_is_trusted(string why, string? remote, string? values, string? client, string? forwarded)
    {
        Assert.NotEmpty(why);
        AssertClient(client, forwarded, ClientAddress.ByForwardedFor(Parse(remote), Lines(values), Trusted));
    }

    [Theory]
    [InlineData("one proxy", "10.0.0.1", "for=203.0.113.5;proto=https;by=10.0.0.1", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("any case and order", "10.0.0.1", "Proto=http; FOR=203.0.113.5", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("quoted with port", "10.0.0.1", "for=\"[2001:db8::5]:4711\"", "2001:db8::5", "2001:db8::5, 10.0.0.1")]
    [InlineData("two elements", "10.0.0.1", "for=203.0.113.5, for=10.0.0.2", "203.0.113.5", "203.0.113.5, 10.0.0.2, 10.0.0.1")]
    [InlineData("two lines", "10.0.0.1", "for=203.0.113.5 + for=\"10.0.0.2:80\"", "203.0.113.5", "203.0.113.5, 10.0.0.2, 10.0.0.1")]
    [InlineData("separators in quotes part nothing", "10.0.0.1", "for=203.0.113.5;host=\"a,b;for=1.1.1.1\"", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("escaped quotes end nothing", "10.0.0.1", "for=203.0.113.5;host=\"a\\\",for=1.1.1.1\"", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("a quote that a client left open swallows nothing", "10.0.0.1", "for=\"1.1.1.1, for=203.0.113.5", "203.0.113.5", "203.0.113.5, 10.0.0.1")]
    [InlineData("hidden ends the walk", "10.0.0.1", "for=203.0.113.5, for=_hidden, for=10.0.0.2", "10.0.0.2", "10.0.0.2, 10.0.0.1")]
    [InlineData("unknown ends the walk", "10.0.0.1", "for=unknown", "10.0.0.1", "10.0.0.1")]
    [InlineData("an element without for ends the walk", "10.0.0.1", "for=203.0.113.5, proto=https", "10.0.0.1", "10.0.0.1")]
    [InlineData("for twice is garbage", "10.0.0.1", "for=203.0.113.5;for=1.1.1.1", "10.0.0.1", "10.0.0.1")]
    [InlineData("a stranger's claims are dropped", "192.0.2.1", "for=203.0.113.5", "192.0.2.1", "192.0.2.1")]
    public void Forwarded_is_walked_by_the_same_rules(string why, string remote, string values, string client, string forwarded)
    {
        Assert.NotEmpty(why);
        AssertClient(client, forwarded, ClientAddress.ByForwarded(Parse(remote), Lines(values), Trusted));
    }

    [Fact]
    public void A_list_without_end_is_walked_for_a_bounded_number_of_hops()
    {
        var found = ClientAddress.ByForwardedFor(Parse("10.0.0.1"), string.Join(",", Enumerable.Repeat("10.0.0.2", 5000)), Trusted);
        Assert.Equal(ClientAddress.MostHops + 1, found.Forwarded!.Split(',').Length);
    }

    [Fact]
    public void Random_rubbish_left_of_a_stranger_never_changes_who_it_is()
    {
        const string Pieces = "\"\\,;=[]: 019af.for=unknown";
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            var rubbish = string.Concat(Enumerable.Range(0, random.Next(0, 40)).Select(_ => Pieces[random.Next(Pieces.Length)]));
            Assert.Equal("203.0.113.5", ClientAddress.ByForwardedFor(Parse("10.0.0.1"), $"{rubbish}, 203.0.113.5, 10.0.0.2", Trusted).Address!.ToString());
            Assert.Equal("203.0.113.5", ClientAddress.ByForwarded(Parse("10.0.0.1"), $"{rubbish}, for=203.0.113.5, for=\"10.0.0.2\"", Trusted).Address!.ToString());
        }
    }

    private static void AssertClient(string? client, string? forwarded, ClientAddress found) =>
        Assert.Equal((client, forwarded), (found.Address?.ToString(), found.Forwarded));

    private static IPAddress? Parse(string? address) => address is null ? null : IPAddress.Parse(address);

    private static StringValues Lines(string? values) => values is null ? StringValues.Empty : values.Split(" + ");
}
