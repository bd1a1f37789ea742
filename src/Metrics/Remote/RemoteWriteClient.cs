using System.Globalization;
using System.Net.Http.Headers;

namespace Groundcrew.Metrics;

/// <summary>What became of one request.</summary>
/// <param name="IsDone">Whether it was taken.</param>
/// <param name="MayRetry">Whether it may be taken later.</param>
/// <param name="Pause">How long the other side asks to wait; null when it does not.</param>
/// <param name="Why">What it said.</param>
internal sealed record SendResult(bool IsDone, bool MayRetry, TimeSpan? Pause, string Why);

/// <summary>Sends requests of remote write 1.0. Thread-safe.</summary>
internal sealed class RemoteWriteClient(RemoteWriteConfig config, HttpMessageInvoker? transport, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private readonly HttpMessageInvoker? _own = transport is null ? HttpTransport.Create(config.Http) : null;

    public async Task<SendResult> SendAsync(ReadOnlyMemory<byte> packed, int attempt, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(config.Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, config.Url) { Content = new ReadOnlyMemoryContent(packed) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", "snappy");
            request.Headers.TryAddWithoutValidation("X-Prometheus-Remote-Write-Version", "0.1.0");
            request.Headers.TryAddWithoutValidation("User-Agent", "Groundcrew");
            if (attempt > 0)
                request.Headers.TryAddWithoutValidation("Retry-Attempt", attempt.ToString(CultureInfo.InvariantCulture));
            foreach (var (name, value) in config.Headers)
                request.Headers.TryAddWithoutValidation(name, value);
            HttpTransport.Authorize(request, config.Http);
            using var response = await (transport ?? _own!).SendAsync(request, either.Token);
            return Judge(response);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new(false, true, null, $"no answer within {PrometheusDuration.Format(config.Timeout)}");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException && !cancellation.IsCancellationRequested)
        {
            return new(false, true, null, e.Message);
        }
    }

    public void Dispose() => _own?.Dispose();

    private SendResult Judge(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (status is >= 200 and < 300)
            return new(true, false, null, "");
        var mayRetry = status >= 500 || (status == 429 && config.Queue.RetryOnHttp429);
        return new(false, mayRetry, mayRetry ? PauseOf(response) : null, $"server returned HTTP status {status} {response.ReasonPhrase}");
    }

    private TimeSpan? PauseOf(HttpResponseMessage response)
    {
        var pause = response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return pause is null ? null : pause < TimeSpan.Zero ? TimeSpan.Zero : pause > LongestPause ? LongestPause : pause;
    }
}
