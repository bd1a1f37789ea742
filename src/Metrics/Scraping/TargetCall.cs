using System.Globalization;
using System.IO.Compression;
using System.Net;

namespace Groundcrew.Metrics;

/// <summary>Asks a target and feeds its answer, line by line while it arrives, to a pass.</summary>
internal static class TargetCall
{
    private const int MaxRedirects = 10;

    /// <summary>Gives the bytes of the answer, uncompressed. Throws <see cref="ScrapeFailure"/> or what the transport and the parser throw.</summary>
    public static async Task<long> FetchAsync(ScrapeJob job, TargetPlan plan, ScrapePass pass, ScraperSettings settings, ScrapeMetrics metrics, CancellationToken cancellation)
    {
        using var response = await AskAsync(job, plan, settings, cancellation);
        if (response.StatusCode != HttpStatusCode.OK)
            throw new ScrapeFailure($"server returned HTTP status {(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd());
        var limit = job.Config.Limits.BodySize > 0 ? job.Config.Limits.BodySize : settings.MaxBodyBytes;
        pass.Speak(FormatOf(job, response.Content.Headers.TryGetValues("Content-Type", out var types) ? string.Join(',', types) : ""));
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        switch (string.Join(',', response.Content.Headers.ContentEncoding).ToLowerInvariant())
        {
            case "" or "identity":
                return await ReadAsync(body, null, pass, limit, settings, metrics, cancellation);
            case "gzip" or "x-gzip":
                var tail = new TailStream(body);
                await using (var plain = new GZipStream(tail, CompressionMode.Decompress))
                    return await ReadAsync(plain, tail, pass, limit, settings, metrics, cancellation);
            default:
                throw new ScrapeFailure($"the target answered with the encoding \"{string.Join(',', response.Content.Headers.ContentEncoding)}\", which was not asked for");
        }
    }

    private static async Task<HttpResponseMessage> AskAsync(ScrapeJob job, TargetPlan plan, ScraperSettings settings, CancellationToken cancellation)
    {
        var url = plan.Url;
        for (var redirects = 0; ; redirects++)
        {
            using var request = Request(job, plan, url, settings);
            var response = await job.Transport.SendAsync(request, cancellation);
            if (!job.Config.Http.FollowRedirects || (int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
                return response;
            response.Dispose();
            if (redirects == MaxRedirects)
                throw new ScrapeFailure($"stopped after {MaxRedirects} redirects");
            url = location.IsAbsoluteUri ? location : new Uri(url, location);
            if (url.Scheme is not ("http" or "https"))
                throw new ScrapeFailure($"the target redirects to \"{url}\"");
        }
    }

    private static HttpRequestMessage Request(ScrapeJob job, TargetPlan plan, Uri url, ScraperSettings settings)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url)
        {
            Version = job.Config.Http.EnableHttp2 && url.Scheme == "https" ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        request.Headers.TryAddWithoutValidation("Accept", job.Accept);
        request.Headers.TryAddWithoutValidation("Accept-Encoding", job.Config.EnableCompression ? "gzip" : "identity");
        request.Headers.TryAddWithoutValidation("User-Agent", settings.UserAgent);
        request.Headers.TryAddWithoutValidation("X-Prometheus-Scrape-Timeout-Seconds", plan.Timeout.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture));
        request.Options.Set(ScraperSettings.TargetLabels, plan.Discovered);
        // Credentials are the target's alone; wherever else it points, they do not go.
        if (Uri.Compare(url, plan.Url, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0)
            HttpTransport.Authorize(request, job.Config.Http);
        return request;
    }

    private static ExpositionFormat FormatOf(ScrapeJob job, string contentType)
    {
        var media = contentType.Split(';')[0].Trim();
        if (media.Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase))
            return ExpositionFormat.OpenMetrics;
        if (media.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
            return ExpositionFormat.Text;
        return job.Config.FallbackScrapeProtocol switch
        {
            null when media.Length == 0 => throw new ScrapeFailure("non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"),
            null => throw new ScrapeFailure($"received unsupported Content-Type \"{contentType}\" and no fallback_scrape_protocol specified for target"),
            ScrapeProtocol.OpenMetrics0 or ScrapeProtocol.OpenMetrics1 => ExpositionFormat.OpenMetrics,
            ScrapeProtocol.Protobuf => throw new ScrapeFailure($"received Content-Type \"{contentType}\", and the fallback {ScrapeProtocol.Protobuf} is not spoken"),
            _ => ExpositionFormat.Text,
        };
    }

    private static async Task<long> ReadAsync(Stream body, TailStream? packed, ScrapePass pass, long limit, ScraperSettings settings, ScrapeMetrics metrics, CancellationToken cancellation)
    {
        long total = 0;
        var held = 0;
        while (true)
        {
            if (held == pass.Buffer.Length)
                Grow(pass, settings);
            var read = await body.ReadAsync(pass.Buffer.AsMemory(held), cancellation);
            if (read == 0)
                break;
            total += read;
            if (total > limit)
                throw new ScrapeFailure($"body size limit exceeded: more than {limit} bytes", metrics.BodyLimit);
            held = TakeLines(pass, held, read);
        }
        // The runtime's stream ends without a word where a cut answer ends, but a whole one ends with its own length.
        if (packed is not null && packed.LastWord != (uint)total)
            throw new InvalidDataException("it does not end as it should");
        if (held > 0)
            pass.Take(pass.Buffer.AsSpan(0, held));
        pass.Finish();
        return total;
    }

    // Takes the whole lines and moves what is left of the last one to the front; gives its length.
    private static int TakeLines(ScrapePass pass, int held, int read)
    {
        var start = 0;
        var end = held + read;
        var buffer = pass.Buffer;
        for (var from = held; buffer.AsSpan(from, end - from).IndexOf((byte)'\n') is >= 0 and var step; from = start)
        {
            pass.Take(buffer.AsSpan(start, from + step - start));
            start = from + step + 1;
        }
        buffer.AsSpan(start, end - start).CopyTo(buffer);
        return end - start;
    }

    private static void Grow(ScrapePass pass, ScraperSettings settings)
    {
        if (pass.Buffer.Length >= settings.MaxLineBytes)
            throw new ScrapeFailure($"a line is longer than {settings.MaxLineBytes} bytes");
        var buffer = pass.Buffer;
        Array.Resize(ref buffer, Math.Min(buffer.Length * 2, settings.MaxLineBytes));
        pass.Buffer = buffer;
    }
}
