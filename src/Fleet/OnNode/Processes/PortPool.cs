using System.Net;
using System.Net.Sockets;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Which instance holds which port of 127.0.0.1. Thread-safe.</summary>
internal sealed class PortPool(int first, int last)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, int> _held = [];

    // A random start keeps a port from being given away again right after its instance left it.
    private int _next = Random.Shared.Next(first, last + 1);

    /// <summary>Marks a port as held, as a record says.</summary>
    public void Adopt(Guid instance, int port)
    {
        lock (_gate)
            _held[instance] = port;
    }

    /// <summary>The port of an instance: the one it holds when that can be bound, else another.</summary>
    /// <exception cref="IOException">Every port of the range is taken.</exception>
    public int Take(Guid instance)
    {
        lock (_gate)
        {
            if (_held.TryGetValue(instance, out var kept) && CanBind(kept))
                return kept;
            var taken = _held.Where(h => h.Key != instance).Select(h => h.Value).ToHashSet();
            for (var tried = first; tried <= last; tried++)
            {
                var port = _next;
                _next = _next >= last ? first : _next + 1;
                if (taken.Contains(port) || !CanBind(port))
                    continue;
                _held[instance] = port;
                return port;
            }
        }
        throw new IOException($"No port between {first} and {last} is free on 127.0.0.1.");
    }

    /// <summary>Gives it back.</summary>
    public void Release(Guid instance)
    {
        lock (_gate)
            _held.Remove(instance);
    }

    private static bool CanBind(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            socket.Listen(1);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
