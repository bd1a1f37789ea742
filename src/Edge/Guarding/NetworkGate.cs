using System.Net;

namespace Groundcrew.Edge;

/// <summary>Which networks may come in: what is denied may not, and where something is allowed only that may. Immutable; allocates nothing.</summary>
internal sealed class NetworkGate(AddressSet allow, AddressSet deny)
{
    /// <summary>Whether it lets everyone in, so that nobody has to be asked.</summary>
    public bool IsOpen => allow.IsEmpty && deny.IsEmpty;

    /// <summary>Whether an address may come in. A connection without one (a Unix socket) may when nothing is allowed by name.</summary>
    public bool Admits(IPAddress? address)
    {
        if (address is null)
            return allow.IsEmpty;
        return !deny.Contains(address) && (allow.IsEmpty || allow.Contains(address));
    }
}
