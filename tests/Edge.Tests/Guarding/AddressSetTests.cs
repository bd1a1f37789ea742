using System.Globalization;
using System.Net;
using System.Numerics;
using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class AddressSetTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.255.255.255", true)]
    [InlineData("10.0.0.0/8", "11.0.0.0", false)]
    [InlineData("10.0.0.0/8", "::ffff:10.1.2.3", true)]
    [InlineData("::ffff:10.0.0.0/104", "10.1.2.3", true)]
    [InlineData("::ffff:10.0.0.0/104", "11.1.2.3", false)]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.0", false)]
    [InlineData("0.0.0.0/0", "255.255.255.255", true)]
    [InlineData("0.0.0.0/0", "2001:db8::1", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("::/0", "192.0.2.1", false)]
    [InlineData("2001:db8::/32", "2001:db8:ffff::1", true)]
    [InlineData("2001:db8::/32", "2001:db9::", false)]
    [InlineData("2001:db8::1", "2001:db8::1", true)]
    [InlineData("fe80::/10", "fe80::1%3", true)]
    public void A_network_holds_its_addresses(string network, string address, bool expected) =>
        Assert.Equal(expected, Set(network).Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/08")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/8/8")]
    [InlineData("10.0.0.1/8")]
    [InlineData("0x0a.0.0.0")]
    [InlineData("010.0.0.1")]
    [InlineData("10.0.1")]
    [InlineData("10.0.0.256")]
    [InlineData("2001:db8::/129")]
    [InlineData("2001:db8::1/32")]
    [InlineData("::ffff:10.0.0.0/8")]
    [InlineData("[::1]")]
    [InlineData("fe80::1%eth0")]
    [InlineData("example.com")]
    [InlineData(" 10.0.0.1")]
    public void What_is_no_network_is_a_problem_at_its_place(string text)
    {
        var problems = new ProblemList();
        var set = AddressSet.Parse(["192.0.2.0/24", text], "policy.allow", problems);
        var problem = Assert.Single(problems.Problems);
        Assert.Equal(("bad-network", "policy.allow[1]"), (problem.Code, problem.Path));
        Assert.True(set.Contains(IPAddress.Parse("192.0.2.9")));
    }

    [Fact]
    public void Random_sets_agree_with_looking_at_every_network()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            // Few different bits, so that networks overlap, touch and hold each other.
            var networks = Enumerable.Range(0, random.Next(0, 30)).Select(_ => RandomNetwork(random)).ToList();
            var set = Set([.. networks.Select(n => $"{n.Address}/{n.Length}")]);
            Assert.Equal(networks.Count == 0, set.IsEmpty);
            for (var i = 0; i < 200; i++)
            {
                var address = RandomAddress(random, random.Next(2) == 0);
                var expected = networks.Any(n => n.Address.AddressFamily == address.AddressFamily && Prefix(n.Address, n.Length) == Prefix(address, n.Length));
                Assert.True(expected == set.Contains(address), string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {address} in {string.Join(' ', networks)}"));
            }
        }
    }

    [Fact]
    public void Asking_allocates_nothing()
    {
        var set = Set([.. Enumerable.Range(0, 200).Select(i => $"10.{i}.4.0/24"), "2001:db8::/32"]);
        var (one, other) = (IPAddress.Parse("10.7.4.9"), IPAddress.Parse("2001:db8::9"));
        Assert.True(set.Contains(one) && set.Contains(other));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            _ = set.Contains(one) && set.Contains(other);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData("", "", "192.0.2.1", true)]
    [InlineData("10.0.0.0/8", "", "10.1.1.1", true)]
    [InlineData("10.0.0.0/8", "", "192.0.2.1", false)]
    [InlineData("10.0.0.0/8", "10.1.0.0/16", "10.1.1.1", false)]
    [InlineData("10.0.0.0/8", "10.1.0.0/16", "10.2.1.1", true)]
    [InlineData("", "10.1.0.0/16", "10.1.1.1", false)]
    [InlineData("", "10.1.0.0/16", "::ffff:10.1.1.1", false)]
    [InlineData("", "10.1.0.0/16", "2001:db8::1", true)]
    [InlineData("10.0.0.0/8", "", null, false)]
    [InlineData("", "10.0.0.0/8", null, true)]
    public void What_is_denied_stays_out_and_what_is_allowed_shuts_out_the_rest(string allow, string deny, string? address, bool expected)
    {
        var gate = new NetworkGate(Of(allow), Of(deny));
        Assert.Equal(expected, gate.Admits(address is null ? null : IPAddress.Parse(address)));
        Assert.Equal(allow.Length + deny.Length == 0, gate.IsOpen);
        static AddressSet Of(string text) => text.Length == 0 ? AddressSet.Empty : Set(text);
    }

    private static AddressSet Set(params string[] networks)
    {
        var problems = new ProblemList();
        var set = AddressSet.Parse(networks, "networks", problems);
        Assert.Empty(problems.Problems);
        return set;
    }

    private static IPAddress RandomAddress(Random random, bool isV4)
    {
        var bytes = new byte[isV4 ? 4 : 16];
        // Never an IPv4 address in IPv6, which is another family to the set.
        bytes[0] = isV4 ? (byte)random.Next(9, 12) : (byte)0x20;
        for (var i = 1; i < bytes.Length; i++)
            bytes[i] = (byte)(random.Next(4) == 0 ? random.Next(256) : random.Next(2) * 255);
        return new IPAddress(bytes);
    }

    private static (IPAddress Address, int Length) RandomNetwork(Random random)
    {
        var address = RandomAddress(random, random.Next(2) == 0);
        var bytes = address.GetAddressBytes();
        var length = random.Next(0, (8 * bytes.Length) + 1);
        for (var bit = length; bit < 8 * bytes.Length; bit++)
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        return (new IPAddress(bytes), length);
    }

    private static BigInteger Prefix(IPAddress address, int length)
    {
        var bytes = address.GetAddressBytes();
        return new BigInteger(bytes, isUnsigned: true, isBigEndian: true) >> ((8 * bytes.Length) - length);
    }
}
