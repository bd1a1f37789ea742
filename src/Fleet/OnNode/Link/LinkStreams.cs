using System.Collections.Concurrent;
using System.Net;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Answers stream requests, each in its own task and at most so many at once. Thread-safe.</summary>
internal sealed class LinkStreams : IAsyncDisposable
{
    private readonly LinkCalls _calls;
    private readonly int _most;
    private readonly ILogger _log;
    private readonly Metric _refused;
    private readonly Dictionary<string, INodeStreamSource> _sources = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Guid, Task> _open = new();
    private readonly CancellationTokenSource _stop = new();
    private int _count;

    public LinkStreams(LinkCalls calls, int most, MetricRegistry metrics, ILogger log)
    {
        (_calls, _most, _log) = (calls, most, log);
        _refused = metrics.Counter("groundcrew_link_streams_refused_total", "Streams that were asked for beyond the limit, or of an unknown kind.");
        metrics.Observe("groundcrew_link_streams", "Streams that are being answered.", () => Volatile.Read(ref _count));
    }

    public void Register(INodeStreamSource source) => _sources.Add(source.Kind, source);

    /// <summary>Begins to answer; a request that is being answered already (a list that came twice) is left alone.</summary>
    public void Answer(StreamRequest request)
    {
        if (_open.ContainsKey(request.Id))
            return;
        var source = _sources.GetValueOrDefault(request.Kind);
        var hasPlace = Interlocked.Increment(ref _count) <= _most;
        if (source is null || !hasPlace)
        {
            _refused.Add();
            _log.LogWarning("A stream of kind {Kind} is refused: {Why}.", request.Kind,
                source is null ? "this node has no such source" : $"{_most} are open already");
            source = null;
        }
        var answering = Task.Run(() => RunAsync(request, source));
        _open[request.Id] = answering;
        if (answering.IsCompleted)
            _open.TryRemove(request.Id, out _);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_open.Values);
        _stop.Dispose();
    }

    private async Task RunAsync(StreamRequest request, INodeStreamSource? source)
    {
        try
        {
            using HttpContent content = source is null ? new ByteArrayContent([]) : new Pushed(source, request, _stop.Token);
            await _calls.UploadAsync($"/link/v1/streams/{request.Id}", content, _stop.Token);
        }
        catch (LinkException e)
        {
            _log.LogInformation("The stream {Id} ended early: {Why}", request.Id, e.Message);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // We are ending.
        }
        finally
        {
            Interlocked.Decrement(ref _count);
            _open.TryRemove(request.Id, out _);
        }
    }

    /// <summary>A body that is written as it comes, chunked (RFC 9112, section 7.1).</summary>
    private sealed class Pushed(INodeStreamSource source, StreamRequest request, CancellationToken stop) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, cancellationToken);
            // The head leaves at once: the reader should see an open stream before the first byte of it.
            await stream.FlushAsync(either.Token);
            await source.WriteAsync(request.Payload, stream, either.Token);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
