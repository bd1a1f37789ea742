using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Groundcrew.Edge;

/// <summary>
/// One connection to a target, with what was received and not yet used. For one request at a time;
/// <see cref="Abort"/> alone may come from elsewhere.
/// </summary>
internal sealed class TargetConnection : IDisposable
{
    /// <summary>The longest answer head that is taken.</summary>
    public const int BufferBytes = 32 * 1024;

    private readonly Socket _socket;
    private byte[]? _buffer;
    private int _start;
    private int _end;

    private TargetConnection(Socket socket) => _socket = socket;

    /// <summary>When it was given back, as a timestamp.</summary>
    public long IdleSince { get; set; }

    /// <summary>Received and not used yet.</summary>
    public ReadOnlyMemory<byte> Received => _buffer.AsMemory(_start, _end - _start);

    /// <summary>Nobody asked, yet there is something to read: the target closed it, or speaks out of turn.</summary>
    public bool IsStale => _end > _start || _socket.Poll(0, SelectMode.SelectRead);

    /// <summary>Opens one; null when that failed or took longer than <paramref name="limit"/>.</summary>
    public static async ValueTask<TargetConnection?> OpenAsync(EndPoint target, TimeSpan limit, CancellationToken cancellation)
    {
        var socket = target is IPEndPoint { AddressFamily: var family }
            ? new Socket(family, SocketType.Stream, ProtocolType.Tcp)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.NoDelay = true;
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            timer.CancelAfter(limit);
            await socket.ConnectAsync(target, timer.Token);
            return new TargetConnection(socket);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            cancellation.ThrowIfCancellationRequested();
            return null;
        }
    }

    public ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        var sending = _socket.SendAsync(bytes, SocketFlags.None);
        if (!sending.IsCompletedSuccessfully)
            return SentAsync(sending, bytes);
        var sent = sending.Result;
        return sent == bytes.Length ? default : SentAsync(new(0), bytes[sent..]);
    }

    /// <summary>Sends all of several parts, as few calls as the system allows.</summary>
    public async ValueTask SendAsync(List<ArraySegment<byte>> parts)
    {
        for (var left = parts.Sum(p => (long)p.Count); left > 0;)
        {
            var sent = await _socket.SendAsync(parts, SocketFlags.None);
            left -= sent;
            while (left > 0 && sent > 0)
            {
                var of = Math.Min(sent, parts[0].Count);
                sent -= of;
                if (of == parts[0].Count)
                    parts.RemoveAt(0);
                else
                    parts[0] = parts[0][of..];
            }
        }
    }

    /// <summary>
    /// Receives more behind what is there, which <see cref="Came"/> then takes in; 0 when the target ended the connection.
    /// There must be <see cref="HasRoom"/>.
    /// </summary>
    public ValueTask<int> ReceiveAsync() => _socket.ReceiveAsync(_buffer.AsMemory(_end), SocketFlags.None);

    /// <summary>Makes room to receive; false when what was received fills all there may be.</summary>
    public bool HasRoom()
    {
        _buffer ??= ArrayPool<byte>.Shared.Rent(BufferBytes);
        if (_start == _end)
            (_start, _end) = (0, 0);
        else if (_end == _buffer.Length && _start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        return _end < _buffer.Length;
    }

    /// <summary>So many bytes came behind what was there.</summary>
    public void Came(int count) => _end += count;

    private async ValueTask SentAsync(ValueTask<int> sending, ReadOnlyMemory<byte> bytes)
    {
        while ((bytes = bytes[await sending..]).Length > 0)
            sending = _socket.SendAsync(bytes, SocketFlags.None);
    }

    /// <summary>Receives past the buffer, which must be used up.</summary>
    public ValueTask<int> ReceiveAsync(Memory<byte> bytes) => _socket.ReceiveAsync(bytes, SocketFlags.None);

    /// <summary>The first bytes of <see cref="Received"/>, to read and to mend.</summary>
    public Span<byte> Head(int length) => _buffer.AsSpan(_start, length);

    /// <summary>Takes what was used out of <see cref="Received"/>.</summary>
    public void Use(int count) => _start += count;

    /// <summary>It rests: its buffer is lent to others.</summary>
    public void Rest()
    {
        if (_buffer is not { } buffer || _start != _end)
            return;
        (_buffer, _start, _end) = (null, 0, 0);
        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Ends whatever waits on it, from any thread. The buffer stays its user's until that one disposes it.</summary>
    public void Abort() => _socket.Dispose();

    public void Dispose()
    {
        _socket.Dispose();
        if (_buffer is { } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
        _buffer = null;
    }
}
