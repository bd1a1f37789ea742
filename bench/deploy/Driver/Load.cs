using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Bench.Deploy;

/// <summary>Why a request counts as failed; <see cref="None"/> is the only good end.</summary>
internal enum Failure : byte
{
    None,
    Refused,
    Reset,
    Timeout,
    NotOk,
    WrongBody,
}

/// <summary>One request: when it should have begun, when its answer was there, and which version answered.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Sample(long Begun, long Ended, int Version, Failure Failure);

/// <summary>
/// Constant-rate load over keep-alive connections. Each connection has its own timetable and keeps to it whatever the
/// answers do: a request that could not be sent on time because the one before it was late counts from its intended time.
/// Nothing is tried again: a connection that the server closed without saying so is a failure.
/// </summary>
internal sealed class Load(IPEndPoint to, string host, int rate, int connections) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<List<Sample>> _samples = [];
    private readonly byte[] _request = Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    private Task _running = Task.CompletedTask;

    public void Start()
    {
        var start = Stopwatch.GetTimestamp() + Stopwatch.Frequency / 10;
        var gap = Stopwatch.Frequency * connections / rate;
        var lines = new List<Task>();
        for (var i = 0; i < connections; i++)
        {
            var samples = new List<Sample>(64 * 1024);
            _samples.Add(samples);
            var first = start + (gap * i / connections);
            lines.Add(Task.Run(() => LineAsync(first, gap, samples)));
        }
        _running = Task.WhenAll(lines);
    }

    /// <summary>Ends the load and gives every request of it, in the order of their ends.</summary>
    public async Task<Sample[]> StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        var all = _samples.SelectMany(s => s).ToArray();
        Array.Sort(all, (a, b) => a.Ended.CompareTo(b.Ended));
        return all;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task LineAsync(long due, long gap, List<Sample> samples)
    {
        using var connection = new Connection(to, _request);
        long free = 0;
        for (; !_stop.IsCancellationRequested; due += gap)
        {
            var wait = due - Stopwatch.GetTimestamp();
            if (wait > 0)
                await Task.Delay(Stopwatch.GetElapsedTime(0, wait), TimeProvider.System);
            // The timer's lateness is ours; the lateness of the answer before is not.
            var begun = free > due ? due : Stopwatch.GetTimestamp();
            var (version, failure) = await connection.AskAsync(Patience);
            free = Stopwatch.GetTimestamp();
            samples.Add(new Sample(begun, free, version, failure));
        }
    }
}

/// <summary>One keep-alive connection: opened when needed, asked one request at a time.</summary>
internal sealed class Connection(IPEndPoint to, byte[] request) : IDisposable
{
    private readonly byte[] _buffer = new byte[8 * 1024];
    private Socket? _socket;

    public async Task<(int Version, Failure Failure)> AskAsync(TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        try
        {
            if (_socket is null)
            {
                var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                try
                {
                    await socket.ConnectAsync(to, limit.Token);
                }
                catch (SocketException)
                {
                    socket.Dispose();
                    return (0, Failure.Refused);
                }
                _socket = socket;
            }
            await _socket.SendAsync(request, limit.Token);
            return await ReadAsync(_socket, limit.Token);
        }
        catch (OperationCanceledException)
        {
            Close();
            return (0, Failure.Timeout);
        }
        catch (SocketException)
        {
            Close();
            return (0, Failure.Reset);
        }
    }

    public void Dispose() => Close();

    private async Task<(int Version, Failure Failure)> ReadAsync(Socket socket, CancellationToken cancellation)
    {
        var filled = 0;
        while (true)
        {
            var read = await socket.ReceiveAsync(_buffer.AsMemory(filled), cancellation);
            if (read == 0)
            {
                Close();
                return (0, Failure.Reset);
            }
            filled += read;
            if (Judge(_buffer.AsSpan(0, filled)) is { } judged)
            {
                if (judged.Close)
                    Close();
                return (judged.Version, judged.Failure);
            }
        }
    }

    /// <summary>Null while the answer is not whole.</summary>
    private static (int Version, Failure Failure, bool Close)? Judge(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return answer.Length > 4096 ? (0, Failure.WrongBody, true) : null;
        var head = Encoding.ASCII.GetString(answer[..end]);
        if (!head.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
            return (0, Failure.NotOk, true);
        var at = head.IndexOf("content-length:", StringComparison.OrdinalIgnoreCase);
        if (at < 0 || !Utf8Parser.TryParse(answer[(at + 15)..end].TrimStart((byte)' '), out int length, out _))
            return (0, Failure.WrongBody, true);
        var body = answer[(end + 4)..];
        if (body.Length < length)
            return null;
        var close = head.Contains("connection: close", StringComparison.OrdinalIgnoreCase);
        return body.Length == length && body.Length > 1 && body[0] == 'v' && Utf8Parser.TryParse(body[1..], out int version, out var used) && used == length - 1
            ? (version, Failure.None, close)
            : (0, Failure.WrongBody, true);
    }

    private void Close()
    {
        _socket?.Dispose();
        _socket = null;
    }
}
