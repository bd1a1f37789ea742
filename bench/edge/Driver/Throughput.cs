namespace Groundcrew.Bench.Edge;

/// <summary>How much the proxies carry in interleaved rounds: small and large answers, uploads, HTTP/2 and TLS.</summary>
internal sealed class Throughput(Options options, Stage stage, Findings findings, CancellationToken cancellation)
{
    private const int LargeConnections = 16;
    private const int FullHandshakes = 1000;
    private readonly Wrk _wrk = new(stage);

    public async Task Http1Async()
    {
        await WarmAsync();
        var dropped = await DroppedAsync();
        await RoundsAsync(async proxy =>
        {
            var run = await _wrk.GetAsync(proxy.Http, options.Connections, options.Seconds);
            findings.Add(proxy.Name, "requests a second", run.PerSecond);
            findings.Add(proxy.Name, "p50 ms", run.P50);
            findings.Add(proxy.Name, "p99 ms", run.P99);
            Judge(proxy, run);
        });
        if (await DroppedAsync() - dropped is var lost and > 0)
            findings.Note(Ours.SideName, $"{lost} access records were dropped, and counted: requests came faster than the file took them");
    }

    public async Task LargeAsync()
    {
        await RoundsAsync(async proxy =>
        {
            var down = await _wrk.GetAsync(new Uri(proxy.Http, "large"), LargeConnections, options.ShortSeconds);
            findings.Add(proxy.Name, "downloads GB/s", down.Bytes / down.Seconds / 1e9);
            Judge(proxy, down);
        });
        await RoundsAsync(async proxy =>
        {
            var up = await _wrk.PostAsync(new Uri(proxy.Http, "upload"), LargeConnections, options.ShortSeconds);
            findings.Add(proxy.Name, "uploads GB/s", up.PerSecond * Correctness.Large.Length / 1e9);
            Judge(proxy, up);
        });
    }

    public async Task Http2Async()
    {
        await RoundsAsync(async proxy =>
        {
            if (proxy.Http2 is { } address)
                await H2Async(proxy, address, "without TLS, requests a second");
            else
                findings.Note(proxy.Name, proxy.WhyNoHttp2);
        });
        await RoundsAsync(async proxy =>
        {
            if (proxy.Tls is { } address)
                await H2Async(proxy, address, "over TLS, requests a second");
            else
                findings.Note(proxy.Name, proxy.WhyNoTls);
        });
    }

    public async Task TlsAsync()
    {
        await RoundsAsync(async proxy =>
        {
            if (proxy.Tls is not { } address)
            {
                findings.Note(proxy.Name, proxy.WhyNoTls);
                return;
            }
            var kept = await _wrk.GetAsync(address, options.Connections, options.ShortSeconds);
            findings.Add(proxy.Name, "requests a second", kept.PerSecond);
            findings.Add(proxy.Name, "p99 ms", kept.P99);
            Judge(proxy, kept);
            var opened = await _wrk.ConnectAsync(address, options.Connections, options.ShortSeconds);
            findings.Add(proxy.Name, "resumed connections a second", opened.PerSecond);
            Judge(proxy, opened);
            var (perSecond, wrong) = await H2Load.ConnectAsync(address, FullHandshakes);
            findings.Add(proxy.Name, "full handshakes a second", perSecond);
            if (wrong > 0)
                findings.Fail(proxy.Name, $"{wrong} of {FullHandshakes} new connections had no whole 2xx");
        });
    }

    private async Task WarmAsync()
    {
        foreach (var proxy in stage.Proxies)
            await proxy.WarmAsync(options.Connections, options.ShortSeconds);
    }

    private async Task RoundsAsync(Func<Proxy, Task> measure)
    {
        await WarmAsync();
        for (var round = 0; round < options.Rounds; round++)
        {
            foreach (var proxy in stage.Proxies)
            {
                cancellation.ThrowIfCancellationRequested();
                await measure(proxy);
            }
        }
    }

    private async Task H2Async(Proxy proxy, Uri address, string measure)
    {
        var (perSecond, wrong) = await H2Load.RunAsync(address, options.ShortSeconds);
        findings.Add(proxy.Name, measure, perSecond);
        if (wrong > 0)
            findings.Fail(proxy.Name, $"{wrong} requests had no whole 2xx ({measure})");
    }

    private void Judge(Proxy proxy, WrkResult run)
    {
        if (run.Errors.Count > 0)
            findings.Fail(proxy.Name, string.Join(", ", run.Errors.Select(e => $"{e.Value} {e.Key} errors")));
        if (run.Requests == 0)
            findings.Fail(proxy.Name, "no request was answered");
    }

    private async Task<double> DroppedAsync() =>
        stage.Ours is { } ours ? await ours.MetricAsync("groundcrew_edge_access_records_dropped_total", cancellation) : 0;
}
