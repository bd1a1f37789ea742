using System.Globalization;
using System.Net.Http.Headers;

namespace Groundcrew.Metrics;

/// <summary>What became of one request.</summary>
/// <param name="IsDone">Whether it was taken.</param>
/// <param name="MayRetry">Whether it may be taken later.</param>
/// <param name="Pause">How long the other side asks to wait; null when it does not.</param>
/// <param name="Why">What it said.</param>
/// <param name="Written">How many floats and histograms it took; null when it does not say.</param>
internal sealed record SendResult(bool IsDone, bool MayRetry, TimeSpan? Pause, string Why, (int Floats, int Histograms)? Written = null);

/// <summary>Sends requests of remote write. Thread-safe.</summary>
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
            if (config.IsSecondVersion)
                request.Content.Headers.ContentType.Parameters.Add(new("proto", "io.prometheus.write.v2.Request"));
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", "snappy");
            request.Headers.TryAddWithoutValidation("X-Prometheus-Remote-Write-Version", config.IsSecondVersion ? "2.0.0" : "0.1.0");
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
            return new(true, false, null, "", WrittenOf(response));
        var mayRetry = status >= 500 || (status == 429 && config.Queue.RetryOnHttp429);
        return new(false, mayRetry, mayRetry ? PauseOf(response) : null, $"server returned HTTP status {status} {response.ReasonPhrase}", WrittenOf(response));
    }

    // A side that does not say it is believed by its status alone.
    private (int Floats, int Histograms)? WrittenOf(HttpResponseMessage response)
    {
        int? Number(string name) => response.Headers.TryGetValues(name, out var values) && int.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
        var (floats, histograms) = (Number("X-Prometheus-Remote-Write-Samples-Written"), Number("X-Prometheus-Remote-Write-Histograms-Written"));
        return !config.IsSecondVersion || (floats ?? histograms) is null ? null : (floats ?? 0, histograms ?? 0);
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
