using System.Net;
using System.Net.Sockets;
using System.Text;
using Groundcrew.Tests.Support;

namespace Groundcrew.Journeys.Stage;

/// <summary>One plain connection to the edge: what breaks is seen, and nothing is repeated.</summary>
public sealed class Wire : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[16 * 1024];
    private string _received = "";

    private Wire()
    {
    }

    /// <summary>A GET whose answer is read with <see cref="UntilAsync"/>.</summary>
    public static async Task<Wire> GetAsync(int port, string host, string path, string more = "")
    {
        var wire = new Wire();
        await wire._socket.ConnectAsync(IPAddress.Loopback, port);
        await wire.SendAsync($"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        return wire;
    }

    /// <summary>A connection that was upgraded to one that sends back what it gets.</summary>
    public static async Task<Wire> EchoAsync(int port, string host)
    {
        var wire = await GetAsync(port, host, "/", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
        await wire.UntilAsync("101 Switching Protocols");
        await wire.UntilAsync("\r\n\r\n");
        return wire;
    }

    public async Task SendAsync(string text) => await _socket.SendAsync(Encoding.ASCII.GetBytes(text));

    /// <summary>Sends a word to an upgraded connection and waits for it to come back.</summary>
    public async Task EchoesAsync(string word)
    {
        await SendAsync(word);
        await UntilAsync(word);
    }

    /// <summary>Reads until the text came; what came after it stays.</summary>
    public async Task UntilAsync(string text)
    {
        while (!_received.Contains(text, StringComparison.Ordinal))
        {
            var count = await _socket.ReceiveAsync(_buffer).WaitAsync(Eventually.Limit);
            if (count == 0)
                throw new IOException($"The connection ended after '{_received}'.");
            _received += Encoding.ASCII.GetString(_buffer.AsSpan(0, count));
        }
        _received = _received[(_received.IndexOf(text, StringComparison.Ordinal) + text.Length)..];
    }

    public void Dispose() => _socket.Dispose();
}
