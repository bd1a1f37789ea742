using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>One connection at a raw backend.</summary>
internal sealed class RawConnection(Socket socket, int number) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private WireReader? _reader;

    /// <summary>Which of the backend's connections it is, from 1.</summary>
    public int Number => number;

    /// <summary>How many requests came on it.</summary>
    public int Requests { get; set; }

    public WireReader Reader => _reader ??= new WireReader(_stream);

    public async Task SendAsync(ReadOnlyMemory<byte> bytes, bool isByteByByte, CancellationToken stop)
    {
        for (var at = 0; at < bytes.Length;)
            at += await socket.SendAsync(isByteByByte ? bytes.Slice(at, 1) : bytes[at..], stop);
    }

    public Task SendAsync(string text, CancellationToken stop) => SendAsync(System.Text.Encoding.Latin1.GetBytes(text), isByteByByte: false, stop);

    public void EndSending() => socket.Shutdown(SocketShutdown.Send);

    public void Dispose() => _stream.Dispose();

    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
    }
}

/// <summary>What a raw backend does with a request whose head came; the body it reads itself. It answers false when the connection is over.</summary>
internal delegate Task<bool> RawScript(RawConnection connection, WireMessage head, CancellationToken stop);

/// <summary>A TCP server that reads requests strictly, keeps what it read, and answers what its script says, byte for byte.</summary>
internal sealed class RawBackend : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _faults = [];
    private readonly ConcurrentBag<Task> _serving = [];
    private readonly RawScript _script;
    private readonly Task _accepting;

    public RawBackend(RawScript script)
    {
        _script = script;
        _listener.Start(200);
        Target = new Target(Ids.New(TimeProvider.System), $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}", "local");
        _accepting = AcceptAsync();
    }

    public Target Target { get; }

    /// <summary>Requests in the order in which their heads came; a script adds the body with <see cref="BodyAsync"/>.</summary>
    public ConcurrentQueue<WireMessage> Heads { get; } = [];

    /// <summary>Requests whose bodies were read as well.</summary>
    public ConcurrentQueue<WireMessage> Requests { get; } = [];

    /// <summary>What came that is no request.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    public int Connections { get; private set; }

    /// <summary>A backend that answers every request with the same.</summary>
    public static RawBackend Answering(string answer)
    {
        RawBackend? backend = null;
        return backend = new RawBackend(async (connection, head, stop) =>
        {
            await backend!.BodyAsync(connection, head, stop);
            await connection.SendAsync(answer, stop);
            return true;
        });
    }

    /// <summary>A backend that answers with method and target of what it was asked.</summary>
    public static RawBackend Telling()
    {
        RawBackend? backend = null;
        return backend = new RawBackend(async (connection, head, stop) =>
        {
            await backend!.BodyAsync(connection, head, stop);
            var said = head.Start[..head.Start.LastIndexOf(' ')];
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {said.Length}\r\n\r\n{(head.Start.StartsWith("HEAD ", StringComparison.Ordinal) ? "" : said)}", stop);
            return true;
        });
    }

    public async Task<WireMessage> BodyAsync(RawConnection connection, WireMessage head, CancellationToken stop)
    {
        var request = head;
        try
        {
            request = await connection.Reader.BodyAsync(head, isToTheEnd: false, stop);
            return request;
        }
        finally
        {
            Requests.Enqueue(request);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_serving);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                socket.NoDelay = true;
                _serving.Add(ServeAsync(new RawConnection(socket, ++Connections)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(RawConnection connection)
    {
        try
        {
            while (await connection.Reader.HeadAsync(_stop.Token) is { } head)
            {
                Judge(head);
                connection.Requests++;
                Heads.Enqueue(head);
                if (!await _script(connection, head, _stop.Token))
                    return;
            }
        }
        catch (InvalidDataException e)
        {
            _faults.Enqueue(e.Message);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException or IOException)
        {
            // The edge left, or the test is over.
        }
        finally
        {
            connection.Dispose();
        }
    }

    private static void Judge(WireMessage head)
    {
        var words = head.Start.Split(' ');
        if (words is not [{ Length: > 0 }, { Length: > 0 }, "HTTP/1.1"] || head.Fields.Count(f => f.Name == "host") != 1)
            throw new InvalidDataException($"Not a request: {head.Start} {string.Join(" | ", head.Fields)}");
    }
}
