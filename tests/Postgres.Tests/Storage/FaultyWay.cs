using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;

namespace Groundcrew.Postgres.Tests.Storage;

/// <summary>What goes wrong on a connection, once, after so many bytes in one direction.</summary>
/// <param name="Kind">What.</param>
/// <param name="IsOutbound">On what is sent to the server; otherwise on what comes back.</param>
/// <param name="After">After how many bytes of that direction.</param>
internal sealed record Fault(FaultKind Kind, bool IsOutbound, long After);

internal enum FaultKind
{
    /// <summary>The connection breaks.</summary>
    Cut,

    /// <summary>Nothing moves any more, in both directions.</summary>
    Stall,

    /// <summary>One bit is another.</summary>
    Flip,

    /// <summary>An answer of the server, "503 Slow Down", instead of the real one.</summary>
    Busy,
}

/// <summary>A way to a server on which things go wrong: each new connection takes the next of the faults that were ordered.</summary>
internal sealed class FaultyWay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentQueue<Fault> _faults = new();
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly int _port;
    private readonly Task _accepting;
    private string? _loseAnswerTo;
    private int _done;

    public FaultyWay(int port)
    {
        _port = port;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Endpoint => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>How many faults happened.</summary>
    public int Done => Volatile.Read(ref _done);

    /// <summary>The fault of every connection for which none was ordered.</summary>
    public Fault? Always { get; init; }

    /// <summary>Requests with these ASCII characters are answered "501 Not Implemented", and do not come to the server.</summary>
    public string? Unknown { get; init; }

    /// <summary>The first lines of the requests that were seen.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>The answer to the next request with these ASCII characters is lost, and the connection with it.</summary>
    public string? LoseAnswerTo
    {
        get => Volatile.Read(ref _loseAnswerTo);
        set => Volatile.Write(ref _loseAnswerTo, value);
    }

    /// <summary>Orders faults, and closes the connections that are open, so that the next request takes the first of them.</summary>
    public void Order(params Fault[] faults)
    {
        foreach (var fault in faults)
            _faults.Enqueue(fault);
        foreach (var socket in _open.Keys)
            Break(socket);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        foreach (var socket in _open.Keys)
            Break(socket);
        await _accepting;
        _end.Dispose();
    }

    private static void Break(Socket socket)
    {
        try
        {
            socket.LingerState = new(enable: true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is broken already.
        }
        socket.Dispose();
    }

    private async Task AcceptAsync()
    {
        var carried = new List<Task>();
        try
        {
            while (true)
                carried.Add(CarryAsync(await _listener.AcceptSocketAsync(_end.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(carried);
        }
    }

    private async Task CarryAsync(Socket client)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _open[client] = true;
        _faults.TryDequeue(out var fault);
        fault ??= Always;
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _port, _end.Token);
            var loses = new StrongBox<bool>();
            Task[] both =
            [
                CarryAsync(client, server, fault is { IsOutbound: true } ? fault : null, bytes => loses.Value |= See(bytes.Span)),
                CarryAsync(server, client, fault is { IsOutbound: false } ? fault : null, _ =>
                {
                    if (loses.Value)
                        throw new OperationCanceledException("The answer is lost.");
                }),
            ];
            await await Task.WhenAny(both);
            Break(client);
            Break(server);
            await Task.WhenAll(both);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It is over.
        }
        finally
        {
            Break(client);
            _open.TryRemove(client, out _);
        }
    }

    /// <summary>Whether the answer is to be lost.</summary>
    private bool See(ReadOnlySpan<byte> bytes)
    {
        // A request begins where a chunk does.
        if (bytes.IndexOf("\r\n"u8) is not (> 0 and var end) || !bytes[..end].EndsWith(" HTTP/1.1"u8))
            return false;
        var line = Encoding.ASCII.GetString(bytes[..end]);
        _requests.Enqueue(line);
        if (Unknown is not null && line.Contains(Unknown, StringComparison.Ordinal))
            throw new NotSupportedException(line);
        if (LoseAnswerTo is not { } text || !line.Contains(text, StringComparison.Ordinal))
            return false;
        LoseAnswerTo = null;
        Interlocked.Increment(ref _done);
        return true;
    }

    private async Task CarryAsync(Socket from, Socket to, Fault? fault, Action<ReadOnlyMemory<byte>> see)
    {
        var buffer = new byte[64 * 1024];
        long carried = 0;
        while (true)
        {
            var read = await from.ReceiveAsync(buffer, _end.Token);
            if (read == 0)
                return;
            var bytes = buffer.AsMemory(0, read);
            try
            {
                see(bytes);
            }
            catch (NotSupportedException)
            {
                await AnswerAsync(from, "501 Not Implemented", "<Error><Code>NotImplemented</Code><Message>Not known here.</Message></Error>");
                return;
            }
            if (fault is not null && carried + read > fault.After)
            {
                Interlocked.Increment(ref _done);
                var before = (int)(fault.After - carried);
                switch (fault.Kind)
                {
                    case FaultKind.Flip:
                        bytes.Span[before] ^= 0x10;
                        break;
                    case FaultKind.Busy:
                        await AnswerAsync(from, "503 Slow Down", "");
                        return;
                    default:
                        await SendAsync(to, bytes[..before]);
                        if (fault.Kind == FaultKind.Stall)
                            await Task.Delay(Timeout.InfiniteTimeSpan, _end.Token);
                        return;
                }
                fault = null;
            }
            await SendAsync(to, bytes);
            carried += read;
        }
    }

    private async Task AnswerAsync(Socket client, string status, string body)
    {
        await SendAsync(client, Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"));
        client.Shutdown(SocketShutdown.Send);
        var rest = new byte[64 * 1024];
        while (await client.ReceiveAsync(rest, _end.Token) > 0)
        {
            // What is still sent does not matter; closing at once would take the answer back.
        }
    }

    private async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await to.SendAsync(bytes, _end.Token)..];
    }
}
