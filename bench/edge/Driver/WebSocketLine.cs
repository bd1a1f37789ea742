using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Groundcrew.Bench.Edge;

/// <summary>A client's WebSocket on a bare socket, which costs this process little while it idles.</summary>
internal sealed class WebSocketLine : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>"hello" as a masked text frame (RFC 6455, section 5.2), with a mask of zeros; and as it comes back.</summary>
    private static readonly byte[] Hello = [0x81, 0x85, 0, 0, 0, 0, .. "hello"u8];
    private static readonly byte[] Answer = [0x81, 0x05, .. "hello"u8];
    private readonly Socket _socket;

    private WebSocketLine(Socket socket) => _socket = socket;

    /// <summary>Opens one from an address of this machine: a port serves each address once.</summary>
    /// <exception cref="IOException">The door did not switch protocols in time.</exception>
    public static async Task<WebSocketLine> OpenAsync(IPEndPoint door, IPAddress from, CancellationToken cancellation)
    {
        var line = new WebSocketLine(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(Patience);
            line._socket.Bind(new IPEndPoint(from, 0));
            await line._socket.ConnectAsync(door, limit.Token);
            await line._socket.SendAsync(Encoding.ASCII.GetBytes(
                $"GET /ws HTTP/1.1\r\nHost: {door.Address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), limit.Token);
            var head = await line.ReadAsync(b => b.EndsWith("\r\n\r\n"u8), limit.Token);
            return head.StartsWith("HTTP/1.1 101", StringComparison.Ordinal) ? line : throw new IOException($"The door answered '{head.Split('\r')[0]}'.");
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            line.Dispose();
            throw new IOException(e.Message, e);
        }
        catch
        {
            line.Dispose();
            throw;
        }
    }

    /// <summary>Whether a message comes back.</summary>
    public async Task<bool> EchoesAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Patience);
        try
        {
            await _socket.SendAsync(Hello, limit.Token);
            return (await ReadAsync(b => b.Length >= Answer.Length, limit.Token)).AsSpan().SequenceEqual(Encoding.Latin1.GetString(Answer));
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return false;
        }
    }

    public void Dispose()
    {
        // Reset instead of a farewell: ten thousand of these leave no port waiting.
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    private async Task<string> ReadAsync(Func<ReadOnlySpan<byte>, bool> isWhole, CancellationToken cancellation)
    {
        var buffer = new byte[1024];
        var filled = 0;
        do
        {
            var read = await _socket.ReceiveAsync(buffer.AsMemory(filled), cancellation);
            if (read == 0)
                break;
            filled += read;
        }
        while (!isWhole(buffer.AsSpan(0, filled)));
        return Encoding.Latin1.GetString(buffer, 0, filled);
    }
}
