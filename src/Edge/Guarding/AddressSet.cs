using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// A set of networks of IPv4 and IPv6. An IPv4 address written as IPv6 (<c>::ffff:192.0.2.1</c>) is that IPv4 address.
/// Immutable; asking is a binary search and allocates nothing.
/// </summary>
internal sealed class AddressSet
{
    private readonly UInt128[] _firsts4;
    private readonly UInt128[] _lasts4;
    private readonly UInt128[] _firsts6;
    private readonly UInt128[] _lasts6;

    private AddressSet(IReadOnlyList<Network> networks)
    {
        (_firsts4, _lasts4) = Merge(networks.Where(n => n.IsV4));
        (_firsts6, _lasts6) = Merge(networks.Where(n => !n.IsV4));
    }

    /// <summary>No address at all.</summary>
    public static AddressSet Empty { get; } = new([]);

    /// <summary>Whether no address is in it.</summary>
    public bool IsEmpty => _firsts4.Length + _firsts6.Length == 0;

    /// <summary>
    /// The set of networks such as <c>10.0.0.0/8</c>, <c>2001:db8::/32</c> and <c>192.0.2.1</c>. What is none is a
    /// problem at its place below <paramref name="path"/> and not in the set.
    /// </summary>
    public static AddressSet Parse(IEnumerable<string> networks, string path, ProblemList problems)
    {
        var good = new List<Network>();
        var index = 0;
        foreach (var text in networks)
        {
            if (Network.Parse(text, $"{path}[{index++}]", problems) is { } network)
                good.Add(network);
        }
        return new AddressSet(good);
    }

    /// <summary>Whether an address is in it; the zone of a link-local address does not matter.</summary>
    public bool Contains(IPAddress address)
    {
        var (isV4, value) = ValueOf(address);
        return isV4 ? IsWithin(_firsts4, _lasts4, value) : IsWithin(_firsts6, _lasts6, value);
    }

    /// <summary>An address as a number.</summary>
    private static (bool IsV4, UInt128 Value) ValueOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return (true, BinaryPrimitives.ReadUInt32BigEndian(bytes));
        return address.IsIPv4MappedToIPv6
            ? (true, BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]))
            : (false, BinaryPrimitives.ReadUInt128BigEndian(bytes));
    }

    private static bool IsWithin(UInt128[] firsts, UInt128[] lasts, UInt128 value)
    {
        var place = Array.BinarySearch(firsts, value);
        // Not found is the complement of the place of the next higher first.
        var candidate = place >= 0 ? place : ~place - 1;
        return candidate >= 0 && value <= lasts[candidate];
    }

    /// <summary>Ranges in order, none touching another.</summary>
    private static (UInt128[] Firsts, UInt128[] Lasts) Merge(IEnumerable<Network> networks)
    {
        var (firsts, lasts) = (new List<UInt128>(), new List<UInt128>());
        foreach (var network in networks.OrderBy(n => n.First))
        {
            if (lasts.Count > 0 && network.First <= lasts[^1])
                lasts[^1] = UInt128.Max(lasts[^1], network.Last);
            else
            {
                firsts.Add(network.First);
                lasts.Add(network.Last);
            }
        }
        return ([.. firsts], [.. lasts]);
    }

    /// <summary>One network, as its first and its last address.</summary>
    private readonly record struct Network(bool IsV4, UInt128 First, UInt128 Last)
    {
        private const int MappedBits = 96;

        public static Network? Parse(string? text, string path, ProblemList problems)
        {
            var slash = text?.IndexOf('/') ?? -1;
            var address = AddressText.Parse(slash < 0 ? text : text.AsSpan(0, slash));
            if (address is null || LengthOf(text.AsSpan(slash + 1), slash < 0, address) is not { } length)
            {
                problems.Add("bad-network", path, $"'{text}' is no network.", "Write an address and the length of its prefix, such as 10.0.0.0/8 or 2001:db8::/32.");
                return null;
            }
            var (isV4, value) = ValueOf(address);
            var bits = isV4 ? 32 : 128;
            // A shift by the whole width would be a shift by nothing.
            var rest = length == 0 ? (isV4 ? uint.MaxValue : UInt128.MaxValue) : (UInt128.One << (bits - length)) - 1;
            if ((value & rest) == UInt128.Zero)
                return new Network(isV4, value, value | rest);
            problems.Add("bad-network", path, $"'{text}' is an address within a network, with bits beyond its prefix.",
                "Write the network's first address, or the whole length for one address.");
            return null;
        }

        /// <summary>The prefix's length; of an IPv4 network that is written as IPv6 only the IPv4 part.</summary>
        private static int? LengthOf(ReadOnlySpan<char> text, bool isWhole, IPAddress address)
        {
            var isMapped = address.IsIPv4MappedToIPv6;
            var most = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
            var length = isWhole ? most : AddressText.ParseNumber(text, most);
            return isMapped ? (length >= MappedBits ? length - MappedBits : null) : length;
        }
    }
}
