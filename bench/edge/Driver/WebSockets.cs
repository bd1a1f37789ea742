using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Edge;

/// <summary>What idle WebSockets cost a proxy in memory, and whether they are all alive after they idled.</summary>
internal sealed class WebSockets(Options options, Stage stage, Findings findings, CancellationToken cancellation)
{
    private const int AtOnce = 64;
    private const int Addresses = 8;
    private const int Idle = 3000;

    /// <summary>Connections that are there beside the WebSockets.</summary>
    private const int Margin = 100;

    /// <summary>One round: memory of a fresh process hardly differs from round to round.</summary>
    public async Task RunAsync()
    {
        var count = Math.Min(options.WebSockets, stage.MaxConnections - Margin);
        foreach (var proxy in stage.Proxies)
        {
            if (count < options.WebSockets)
                findings.Note("all", $"{count} instead of {options.WebSockets}: a process may open {2 * (count + Margin + Margin)} files here, and a WebSocket is two of a proxy's");
            await proxy.RestartAsync(cancellation);
            await new Correctness(stage, proxy).ProveAsync(cancellation);
            await MeasureAsync(proxy, count);
            // What the figures after this one meet is fresh again.
            await proxy.RestartAsync(cancellation);
        }
    }

    private async Task MeasureAsync(Proxy proxy, int count)
    {
        await Tools.PauseAsync(1000, cancellation);
        var (pss, rss) = (proxy.Kilobytes("Pss"), proxy.Kilobytes("Rss"));
        var lines = new ConcurrentBag<WebSocketLine>();
        try
        {
            var started = Stopwatch.GetTimestamp();
            await Parallel.ForAsync(0, count, Width, async (i, c) => await OpenAsync(proxy, i, lines, c));
            var took = Stopwatch.GetElapsedTime(started);
            await Tools.PauseAsync(Idle, cancellation);
            findings.Add(proxy.Name, "open", lines.Count);
            findings.Add(proxy.Name, "KiB a connection (PSS)", (proxy.Kilobytes("Pss") - pss) / (double)Math.Max(1, lines.Count));
            findings.Add(proxy.Name, "KiB a connection (RSS)", (proxy.Kilobytes("Rss") - rss) / (double)Math.Max(1, lines.Count));
            findings.Add(proxy.Name, "MiB in all (PSS)", proxy.Kilobytes("Pss") / 1024.0);
            findings.Add(proxy.Name, "opened a second", lines.Count / took.TotalSeconds);
            var alive = 0;
            await Parallel.ForEachAsync(lines, Width, async (line, c) =>
            {
                if (await line.EchoesAsync(c))
                    Interlocked.Increment(ref alive);
            });
            findings.Add(proxy.Name, "alive after they idled", alive);
            if (alive < count)
                findings.Fail(proxy.Name, $"{count - lines.Count} WebSockets were not opened, {lines.Count - alive} did not answer after they idled");
        }
        finally
        {
            foreach (var line in lines)
                line.Dispose();
        }
    }

    private ParallelOptions Width => new() { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation };

    private async ValueTask OpenAsync(Proxy proxy, int index, ConcurrentBag<WebSocketLine> lines, CancellationToken stop)
    {
        try
        {
            var line = await WebSocketLine.OpenAsync(proxy.Door, new IPAddress([127, 0, 0, (byte)(1 + (index % Addresses))]), stop);
            lines.Add(line);
            if (!await line.EchoesAsync(stop))
                findings.Note(proxy.Name, "a WebSocket that opened did not answer");
        }
        catch (IOException e)
        {
            findings.Note(proxy.Name, $"not opened: {e.Message}");
        }
    }
}
