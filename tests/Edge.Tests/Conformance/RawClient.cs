using System.Net;
using System.Net.Sockets;
using System.Text;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>A client that sends bytes as it is told, and reads answers strictly.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket;
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private RawClient(Socket socket)
    {
        _socket = socket;
        Stream = new NetworkStream(socket, ownsSocket: true);
        Reader = new WireReader(Stream);
        _stop.CancelAfter(Eventually.Limit);
    }

    public NetworkStream Stream { get; }

    public WireReader Reader { get; }

    public CancellationToken Stop => _stop.Token;

    public static async Task<RawClient> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        return new RawClient(socket);
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends what the other side takes; false when it ended the connection before.</summary>
    public async Task<bool> SendAsync(ReadOnlyMemory<byte> bytes, bool isByteByByte = false)
    {
        try
        {
            for (var at = 0; at < bytes.Length;)
                at += await _socket.SendAsync(isByteByByte ? bytes.Slice(at, 1) : bytes[at..], Stop);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The next answer, those of 1xx left out; null when the connection ends before one.</summary>
    public async Task<WireMessage?> AnswerAsync(bool isHead = false)
    {
        WireMessage? head;
        do
            head = await Reader.HeadAsync(Stop);
        while (head is { Status: >= 100 and < 200 and not 101 });
        if (head is null)
            return null;
        return isHead || head.Status is 101 or 204 or 304 ? head with { IsWhole = true } : await Reader.BodyAsync(head, isToTheEnd: true, Stop);
    }

    public async Task<WireMessage> AskAsync(string request, bool isHead = false)
    {
        await SendAsync(request);
        return await AnswerAsync(isHead) ?? throw new InvalidDataException("The connection ended instead of an answer.");
    }

    public Task<bool> EndsAsync() => Reader.EndsAsync(Stop);

    /// <summary>Says that nothing more is sent.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Leaves at once, with a reset.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose()
    {
        Stream.Dispose();
        _stop.Dispose();
    }
}
