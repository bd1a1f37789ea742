using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Groundcrew.Bench.Edge;

/// <summary>
/// The process behind <c>/upload</c> and <c>/ws</c>, on bare sockets so that it costs little beside the proxies: reads a
/// body of known length to its end and answers how long it was, or takes a WebSocket and sends each short message back.
/// </summary>
internal static class Sink
{
    private const int HeadLimit = 8 * 1024;
    private const int BodyBuffer = 256 * 1024;

    public static async Task<int> RunAsync(int[] ports, CancellationToken stop)
    {
        try
        {
            await Task.WhenAll(ports.Select(p => ListenAsync(p, stop)));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The way that it ends.
        }
        return 0;
    }

    private static async Task ListenAsync(int port, CancellationToken stop)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen(4096);
        while (true)
            _ = ServeAsync(await listener.AcceptAsync(stop), stop);
    }

    private static async Task ServeAsync(Socket socket, CancellationToken stop)
    {
        using var _ = socket;
        socket.NoDelay = true;
        try
        {
            var head = new byte[HeadLimit];
            var filled = 0;
            while (await ReadHeadAsync(socket, head, filled, stop) is { } read)
            {
                var (end, all) = read;
                if (Field(head.AsSpan(0, end), "\nsec-websocket-key:") is { } key)
                {
                    await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {Accept(key)}\r\n\r\n"), stop);
                    await EchoAsync(socket, head[end..all], stop);
                    return;
                }
                var length = Field(head.AsSpan(0, end), "\ncontent-length:") is { } text ? long.Parse(text) : 0;
                await SwallowAsync(socket, length - (all - end), stop);
                var body = length.ToString();
                await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\n\r\n{body}"), stop);
                filled = 0;
            }
        }
        catch (SocketException)
        {
            // The proxy closed a connection that it no longer wants.
        }
    }

    /// <summary>Where the head ends and how much there is; null at the end of the connection.</summary>
    private static async Task<(int End, int All)?> ReadHeadAsync(Socket socket, byte[] buffer, int filled, CancellationToken stop)
    {
        while (filled < buffer.Length)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(filled), stop);
            if (read == 0)
                return null;
            filled += read;
            var end = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
                return (end + 4, filled);
        }
        return null;
    }

    private static async Task SwallowAsync(Socket socket, long left, CancellationToken stop)
    {
        if (left <= 0)
            return;
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(BodyBuffer);
        try
        {
            while (left > 0)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), stop);
                if (read == 0)
                    return;
                left -= read;
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task EchoAsync(Socket socket, byte[] begun, CancellationToken stop)
    {
        var buffer = new byte[256];
        begun.CopyTo(buffer, 0);
        var filled = begun.Length;
        while (true)
        {
            while (filled >= 6 && 6 + (buffer[1] & 0x7f) is var frame && filled >= frame)
            {
                var answer = new byte[frame - 4];
                (answer[0], answer[1]) = (buffer[0], (byte)(frame - 6));
                for (var i = 6; i < frame; i++)
                    answer[i - 4] = (byte)(buffer[i] ^ buffer[2 + ((i - 6) & 3)]);
                buffer.AsSpan(frame, filled - frame).CopyTo(buffer);
                filled -= frame;
                await socket.SendAsync(answer, stop);
            }
            var read = await socket.ReceiveAsync(buffer.AsMemory(filled), stop);
            if (read == 0)
                return;
            filled += read;
        }
    }

    private static string? Field(ReadOnlySpan<byte> head, string name)
    {
        var text = Encoding.Latin1.GetString(head);
        var at = text.IndexOf(name, StringComparison.OrdinalIgnoreCase);
        if (at < 0)
            return null;
        var from = at + name.Length;
        return text[from..text.IndexOf('\r', from)].Trim();
    }

    /// <summary>RFC 6455, section 4.2.2.</summary>
    private static string Accept(string key) =>
#pragma warning disable CA5350 // The protocol names SHA-1, and nothing rests on its strength.
        Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
}
