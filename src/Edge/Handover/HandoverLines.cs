using System.Buffers;
using System.Net.Sockets;
using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Edge;

/// <summary>
/// Lines of JSON over a connection between two edges, the first of which may carry descriptors. One reader and one writer
/// at a time. Disposing closes the connection, and the descriptors that nobody took.
/// </summary>
internal sealed class HandoverLines(Socket socket) : IDisposable
{
    /// <summary>The longest line in bytes: thousands of instances in use.</summary>
    private const int Longest = 4 * 1024 * 1024;

    private readonly List<SafeFileHandle> _handles = [];
    private readonly ArrayBufferWriter<byte> _received = new(4096);
    private int _taken;

    /// <summary>Connects to an edge; null when none listens there.</summary>
    public static async Task<HandoverLines?> ConnectAsync(string path, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return new HandoverLines(socket);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The descriptors that came so far; they belong to the caller from now on.</summary>
    public IReadOnlyList<SafeFileHandle> TakeHandles()
    {
        List<SafeFileHandle> taken = [.. _handles];
        _handles.Clear();
        return taken;
    }

    /// <summary>Writes one line, with descriptors that stay the caller's.</summary>
    /// <exception cref="IOException">The other end is gone.</exception>
    public async Task WriteAsync<T>(T message, CancellationToken cancellation, IReadOnlyList<SafeFileHandle>? handles = null)
    {
        ReadOnlyMemory<byte> line = (byte[])[.. JsonSerializer.SerializeToUtf8Bytes(message, Json.Options), (byte)'\n'];
        try
        {
            if (handles is not null)
                line = line[Descriptors.Send(socket, line.Span, handles)..];
            while (line.Length > 0)
                line = line[await socket.SendAsync(line, cancellation)..];
        }
        catch (SocketException e)
        {
            throw new IOException($"The other edge is gone ({e.Message}).", e);
        }
    }

    /// <summary>Reads one line; null at the end of the connection.</summary>
    /// <exception cref="InvalidDataException">It is no such message.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<T?> ReadAsync<T>(CancellationToken cancellation)
        where T : class
    {
        while (true)
        {
            var rest = _received.WrittenMemory[_taken..];
            var end = rest.Span.IndexOf((byte)'\n');
            if (end >= 0)
            {
                _taken += end + 1;
                return Decode<T>(rest.Span[..end]);
            }
            if (rest.Length > Longest)
                throw new InvalidDataException($"A line is longer than {Longest} bytes.");
            Compact(rest);
            if (!await FillAsync(cancellation))
                return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        socket.Dispose();
        foreach (var handle in _handles)
            handle.Dispose();
        _handles.Clear();
    }

    private static T Decode<T>(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line, Json.Options) ?? throw new InvalidDataException("A line is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"A line is no message of this protocol ({e.Message}).", e);
        }
    }

    private void Compact(ReadOnlyMemory<byte> rest)
    {
        if (_taken == 0)
            return;
        var kept = rest.ToArray();
        _received.ResetWrittenCount();
        _received.Write(kept);
        _taken = 0;
    }

    private async Task<bool> FillAsync(CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                // Waits until there is something, without taking it: descriptors come only with a call of our own.
                await socket.ReceiveAsync(Memory<byte>.Empty, cancellation);
                if (Descriptors.Receive(socket, _received.GetSpan(4096), _handles) is not { } count)
                    continue;
                _received.Advance(count);
                return count > 0;
            }
        }
        catch (SocketException e)
        {
            throw new IOException($"The other edge is gone ({e.Message}).", e);
        }
    }
}
