using System.Net;
using System.Net.Sockets;
using System.Text;
using Groundcrew.Tests.Support;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>A server on a loopback socket that writes whatever bytes the test wants, honest or not.</summary>
internal sealed class TinyTarget : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private readonly List<Task> _serving = [];
    private readonly List<string> _requests = [];

    public TinyTarget(string? body = null)
    {
        Port = FreePort.Next();
        _listener = new(IPAddress.Loopback, Port);
        _listener.Start();
        Body = body ?? "";
        Answer = (stream, _, stop) => stream.WriteAsync(Http(Body), stop).AsTask();
        _running = AcceptAsync();
    }

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>What the ordinary answer says.</summary>
    public string Body { get; set; }

    /// <summary>Writes the answer to a request (head and body); the connection is closed after it.</summary>
    public Func<NetworkStream, string, CancellationToken, Task> Answer { get; set; }

    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests];
        }
    }

    public static byte[] Http(string body, string contentType = "text/plain; version=0.0.4", string status = "200 OK", string more = "") => Http(Encoding.UTF8.GetBytes(body), contentType, status, more);

    public static byte[] Http(byte[] body, string contentType = "text/plain; version=0.0.4", string status = "200 OK", string more = "") =>
        [.. Encoding.UTF8.GetBytes($"HTTP/1.1 {status}\r\n{(contentType.Length > 0 ? $"Content-Type: {contentType}\r\n" : "")}Content-Length: {body.Length}\r\n{more}Connection: close\r\n\r\n"), .. body];

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _running;
        await Task.WhenAll(_serving);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
            try
            {
                _serving.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
            try
            {
                var stream = client.GetStream();
                var request = await ReadAsync(stream);
                lock (_requests)
                    _requests.Add(request);
                await Answer(stream, request, _stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
            {
                // The client went, as it may.
            }
    }

    // Head and body as Latin-1, so that every byte stays one character.
    private async Task<string> ReadAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var whole = text.ToString();
            var head = whole.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (head >= 0)
            {
                var length = whole[..head].Split("\r\n").Where(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase)).Select(l => int.Parse(l[15..])).FirstOrDefault();
                if (whole.Length >= head + 4 + length)
                    return whole;
            }
            var read = await stream.ReadAsync(buffer, _stop.Token);
            if (read == 0)
                throw new EndOfStreamException("The client went in the middle of its request.");
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
    }
}
