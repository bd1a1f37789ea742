using System.Net;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Groundcrew.Edge;

/// <summary>Who a request comes from, as far as that can be believed.</summary>
/// <param name="Address">The client; null when the connection has no address and nobody vouches for one.</param>
/// <param name="Forwarded">
/// The addresses that are known, from the client to the connection, for <c>X-Forwarded-For</c>; null when there is none.
/// </param>
internal readonly record struct ClientAddress(IPAddress? Address, string? Forwarded)
{
    /// <summary>The most hops that are walked; what is further left is not believed.</summary>
    public const int MostHops = 32;

    /// <summary>
    /// The client by <c>X-Forwarded-For</c>. The list is walked from its right end, which the nearest proxy wrote, and
    /// only as long as whoever wrote an entry is trusted: the first address that is not is the client. Anything that is
    /// not an address ends the walk. What stands left of the client is its own claim and is not sent on.
    /// </summary>
    public static ClientAddress ByForwardedFor(IPAddress? remote, StringValues values, AddressSet trusted) =>
        Walk(remote, values, trusted, static entry => AddressText.ParseNode(entry));

    /// <summary>The client by <c>Forwarded</c> (RFC 7239), by the same rules; a hidden or unknown node ends the walk.</summary>
    public static ClientAddress ByForwarded(IPAddress? remote, StringValues values, AddressSet trusted) =>
        Walk(remote, values, trusted, static entry => ForwardedElement.NodeOf(entry));

    private static ClientAddress Walk(IPAddress? remote, StringValues values, AddressSet trusted, Func<ReadOnlySpan<char>, IPAddress?> read)
    {
        var client = AddressText.Plain(remote);
        if (client is null || values.Count == 0 || !trusted.Contains(client))
            return new ClientAddress(client, client?.ToString());
        var chain = new List<IPAddress> { client };
        for (var line = values.Count - 1; line >= 0; line--)
        {
            if (!WalkLine(values[line], chain, trusted, read))
                break;
        }
        var list = new StringBuilder();
        for (var i = chain.Count - 1; i >= 0; i--)
            list.Append(chain[i]).Append(i > 0 ? ", " : "");
        return new ClientAddress(chain[^1], list.ToString());
    }

    /// <summary>Walks one field line leftwards; false when the walk is over.</summary>
    private static bool WalkLine(string? line, List<IPAddress> chain, AddressSet trusted, Func<ReadOnlySpan<char>, IPAddress?> read)
    {
        var rest = line.AsSpan();
        while (!rest.IsEmpty)
        {
            var comma = ForwardedElement.LastSeparator(rest, ',');
            var entry = rest[(comma + 1)..].Trim(" \t");
            rest = comma < 0 ? [] : rest[..comma];
            // Empty elements of a list say nothing (RFC 9110, section 5.6.1).
            if (entry.IsEmpty)
                continue;
            if (chain.Count > MostHops || read(entry) is not { } address)
                return false;
            chain.Add(AddressText.Plain(address)!);
            if (!trusted.Contains(address))
                return false;
        }
        return true;
    }
}
