using System.Net;
using System.Net.Sockets;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;

namespace Groundcrew.Edge.Tests;

/// <summary>One connection of HTTP/1.1: what breaks is seen, never quietly repeated.</summary>
internal sealed class Client(Stream stream) : IDisposable
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private string _received = "";

    public static async Task<Client> OpenAsync(int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return new Client(new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>The same over TLS.</summary>
    public static async Task<Client> OpenTlsAsync(int port, string name) => new(await TlsClients.OpenAsync(port, name));

    public async Task SendAsync(string text) => await stream.WriteAsync(Encoding.ASCII.GetBytes(text));

    /// <summary>Reads until the text came; what came after it stays.</summary>
    public async Task<string> UntilAsync(string text)
    {
        while (!_received.Contains(text, StringComparison.Ordinal))
        {
            var count = await stream.ReadAsync(_buffer).AsTask().WaitAsync(Eventually.Limit);
            if (count == 0)
                throw new IOException($"The connection ended after '{_received}'.");
            _received += Encoding.ASCII.GetString(_buffer.AsSpan(0, count));
        }
        var end = _received.IndexOf(text, StringComparison.Ordinal) + text.Length;
        var read = _received[..end];
        _received = _received[end..];
        return read;
    }

    /// <summary>One request whose answer has a chunked body of "ok" or an error; whether the connection stays.</summary>
    public async Task<bool> GetAsync(string host, bool keep)
    {
        await SendAsync($"GET / HTTP/1.1\r\nHost: {host}\r\n{(keep ? "" : "Connection: close\r\n")}\r\n");
        var head = await UntilAsync("\r\n\r\n");
        if (!head.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
            throw new IOException(head);
        await UntilAsync("ok\r\n0\r\n\r\n");
        return !head.Contains("Connection: close", StringComparison.OrdinalIgnoreCase);
    }

    public void Dispose() => stream.Dispose();
}

/// <summary>An instance that answers every request with an upgrade, and then sends back what it gets.</summary>
internal sealed class Echo : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private Task _serving = Task.CompletedTask;

    public Guid Id { get; } = Ids.New(TimeProvider.System);

    public Target Target => new(Id, _listener.LocalEndpoint.ToString()!, "local");

    public static Task<Echo> StartAsync()
    {
        var echo = new Echo();
        echo._listener.Start();
        echo._serving = echo.ServeAsync();
        return Task.FromResult(echo);
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
    }

    private async Task ServeAsync()
    {
        try
        {
            using var socket = await _listener.AcceptSocketAsync();
            var buffer = new byte[4096];
            var head = "";
            while (!head.Contains("\r\n\r\n", StringComparison.Ordinal))
                head += Encoding.ASCII.GetString(buffer.AsSpan(0, await socket.ReceiveAsync(buffer)));
            await socket.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"u8.ToArray());
            while (await socket.ReceiveAsync(buffer) is var count and > 0)
                await socket.SendAsync(buffer.AsMemory(0, count));
        }
        catch (SocketException)
        {
            // The test is over.
        }
    }
}
