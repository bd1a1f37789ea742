namespace Groundcrew.Bench.Edge;

/// <summary>Bytes that our edge allocates for a request, with everything on: what its own metric grew by, over the requests that it counted.</summary>
internal sealed class Allocations(Options options, Stage stage, Findings findings, CancellationToken cancellation)
{
    private const string Allocated = "dotnet_gc_heap_total_allocated_bytes_total";
    private const string Requests = "groundcrew_edge_requests_total";
    private const int AtMost = 30;

    public async Task RunAsync()
    {
        if (stage.Ours is not { } ours)
            return;
        var wrk = new Wrk(stage);
        await ours.WarmAsync(options.Connections, options.ShortSeconds);
        var (bytes, requests) = (await ours.MetricAsync(Allocated, cancellation), await ours.MetricAsync(Requests, cancellation));
        double done = 0;
        for (var runs = 0; done < options.Allocations && runs < AtMost; runs++)
        {
            cancellation.ThrowIfCancellationRequested();
            await wrk.GetAsync(ours.Http, options.Connections, options.ShortSeconds);
            done = await ours.MetricAsync(Requests, cancellation) - requests;
        }
        findings.Add(ours.Name, "requests", done);
        findings.Add(ours.Name, "bytes a request", (await ours.MetricAsync(Allocated, cancellation) - bytes) / done);
        if (done < options.Allocations)
            findings.Fail(ours.Name, $"only {done} of {options.Allocations} requests were served in {AtMost} runs");
    }
}
