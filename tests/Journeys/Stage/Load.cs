using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Groundcrew.Journeys.Stage;

/// <summary>
/// Constant traffic over connections that stay open, each request counted. The connections are plain sockets: a client
/// library would quietly repeat a request on a connection that broke, and here that is a failure.
/// </summary>
public sealed class Load : IAsyncDisposable
{
    private const int Shown = 5;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(15);
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(30);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<string> _failures = [];
    private readonly IPEndPoint _edge;
    private readonly byte[] _request;
    private readonly Task _workers;
    private long _sent;
    private long _failed;

    private Load(int port, string host, string path, int connections)
    {
        _edge = new IPEndPoint(IPAddress.Loopback, port);
        _request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        _workers = Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(WorkAsync)));
    }

    public long Sent => Interlocked.Read(ref _sent);

    public long Failed => Interlocked.Read(ref _failed);

    public static Load Start(int port, string host, string path, int connections) => new(port, host, path, connections);

    /// <summary>Ends it; prints the journey's line; no request may have failed.</summary>
    public async Task StopWithoutFailureAsync(string journey)
    {
        await DisposeAsync();
        Console.WriteLine($"journey: {journey}: {Sent} requests, {Failed} failed");
        lock (_failures)
            Assert.True(Failed == 0, $"{Failed} of {Sent} requests failed: {string.Join("; ", _failures)}");
        Assert.True(Sent > 0, "not one request was sent");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stop.IsCancellationRequested)
            await _stop.CancelAsync();
        await _workers;
    }

    private async Task WorkAsync()
    {
        Connection? connection = null;
        while (!_stop.IsCancellationRequested)
        {
            Interlocked.Increment(ref _sent);
            try
            {
                connection ??= await Connection.OpenAsync(_edge);
                var (status, stays) = await connection.ExchangeAsync(_request).WaitAsync(Answer);
                if (status != 200)
                    Fail($"status {status}");
                if (!stays)
                    connection = Closed(connection);
            }
            catch (Exception e) when (e is IOException or SocketException or TimeoutException)
            {
                Fail($"{e.GetType().Name}: {e.Message}");
                connection = Closed(connection);
            }
            await Task.Delay(Pause);
        }
        Closed(connection);
    }

    private static Connection? Closed(Connection? connection)
    {
        connection?.Dispose();
        return null;
    }

    private void Fail(string why)
    {
        Interlocked.Increment(ref _failed);
        lock (_failures)
            if (_failures.Count < Shown)
                _failures.Add($"{DateTime.UtcNow:HH:mm:ss.fff} {why}");
    }

    /// <summary>One connection of HTTP/1.1 (RFC 9112), as far as the answers of these journeys need it.</summary>
    private sealed class Connection(Socket socket) : IDisposable
    {
        private readonly byte[] _buffer = new byte[64 * 1024];
        private int _from;
        private int _to;

        public static async Task<Connection> OpenAsync(IPEndPoint address)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(address);
            return new Connection(socket);
        }

        public async Task<(int Status, bool Stays)> ExchangeAsync(byte[] request)
        {
            await socket.SendAsync(request);
            var status = int.Parse((await LineAsync()).Split(' ')[1], CultureInfo.InvariantCulture);
            var (length, chunked, stays) = (0L, false, true);
            while (await LineAsync() is { Length: > 0 } header)
            {
                var (name, value) = (header[..header.IndexOf(':')], header[(header.IndexOf(':') + 1)..].Trim());
                if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                    length = long.Parse(value, CultureInfo.InvariantCulture);
                else if (name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase))
                    chunked = value.Equals("chunked", StringComparison.OrdinalIgnoreCase);
                else if (name.Equals("Connection", StringComparison.OrdinalIgnoreCase))
                    stays = !value.Equals("close", StringComparison.OrdinalIgnoreCase);
            }
            if (!chunked)
                await SkipAsync(length);
            else
                while (long.Parse(await LineAsync(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) is var size)
                {
                    await SkipAsync(size);
                    await LineAsync();
                    if (size == 0)
                        break;
                }
            return (status, stays);
        }

        public void Dispose() => socket.Dispose();

        private async Task<string> LineAsync()
        {
            var line = new StringBuilder();
            while (true)
            {
                if (_from == _to)
                    await FillAsync();
                var next = (char)_buffer[_from++];
                if (next == '\n')
                    return line.ToString().TrimEnd('\r');
                line.Append(next);
            }
        }

        private async Task SkipAsync(long bytes)
        {
            while (bytes > 0)
            {
                if (_from == _to)
                    await FillAsync();
                var taken = (int)Math.Min(bytes, _to - _from);
                _from += taken;
                bytes -= taken;
            }
        }

        private async Task FillAsync()
        {
            (_from, _to) = (0, await socket.ReceiveAsync(_buffer));
            if (_to == 0)
                throw new IOException("the connection was closed before the whole answer came");
        }
    }
}
