using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Edge;

/// <summary>What a proxy adds to one request at a time, over the backend asked directly: one connection, one after the other.</summary>
internal sealed class Latency(Options options, Stage stage, Findings findings, CancellationToken cancellation)
{
    private const string Direct = "direct";
    private const int Warm = 500;

    public async Task RunAsync()
    {
        foreach (var proxy in stage.Proxies)
            await proxy.WarmAsync(options.Connections, options.ShortSeconds);
        var direct = new IPEndPoint(IPAddress.Loopback, stage.BackendPorts[0]);
        for (var round = 0; round < options.Rounds; round++)
        {
            var (p50, p99) = await MeasureAsync(direct);
            Add(Direct, p50, p99);
            foreach (var proxy in stage.Proxies)
            {
                var through = await MeasureAsync(proxy.Door);
                Add(proxy.Name, through.P50, through.P99);
                findings.Add(proxy.Name, "added p50 us", through.P50 - p50);
                findings.Add(proxy.Name, "added p99 us", through.P99 - p99);
            }
        }
    }

    private void Add(string side, double p50, double p99)
    {
        findings.Add(side, "p50 us", p50);
        findings.Add(side, "p99 us", p99);
    }

    /// <summary>On a thread of its own, with calls that block: nothing of this process's scheduling is in the figure.</summary>
    private Task<(double P50, double P99)> MeasureAsync(IPEndPoint door) =>
        Task.Factory.StartNew(() => Measure(door), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private (double P50, double P99) Measure(IPEndPoint door)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000 };
        socket.Connect(door);
        var request = Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {door.Address}\r\n\r\n");
        var buffer = new byte[4096];
        var times = new double[options.Requests];
        for (var i = -Warm; i < times.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var begun = Stopwatch.GetTimestamp();
            socket.Send(request);
            Read(socket, buffer);
            if (i >= 0)
                times[i] = Stopwatch.GetElapsedTime(begun).TotalMicroseconds;
        }
        return (Judgement.Quantile(times, 0.5), Judgement.Quantile(times, 0.99));
    }

    /// <summary>The body's end is known beforehand.</summary>
    private static void Read(Socket socket, byte[] buffer)
    {
        var filled = 0;
        while (!buffer.AsSpan(0, filled).EndsWith(" 100 bytes"u8))
        {
            var read = socket.Receive(buffer.AsSpan(filled));
            if (read == 0)
                throw new IOException("The connection was closed before the answer was whole.");
            filled += read;
        }
        if (!buffer.AsSpan().StartsWith("HTTP/1.1 200"u8))
            throw new InvalidDataException($"Answered '{Encoding.Latin1.GetString(buffer, 0, 40)}'.");
    }
}
