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
        if (media.Equals("application/vnd.google.protobuf", StringComparison.OrdinalIgnoreCase))
            return IsFamilies(contentType) ? ExpositionFormat.Protobuf : throw new ScrapeFailure($"received unsupported Content-Type \"{contentType}\": of protobuf only proto=io.prometheus.client.MetricFamily with encoding=delimited is read");
        if (media.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
            return ExpositionFormat.Text;
        return job.Config.FallbackScrapeProtocol switch
        {
            null when media.Length == 0 => throw new ScrapeFailure("non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"),
            null => throw new ScrapeFailure($"received unsupported Content-Type \"{contentType}\" and no fallback_scrape_protocol specified for target"),
            ScrapeProtocol.OpenMetrics0 or ScrapeProtocol.OpenMetrics1 => ExpositionFormat.OpenMetrics,
            ScrapeProtocol.Protobuf => ExpositionFormat.Protobuf,
            _ => ExpositionFormat.Text,
        };
    }

    // What the type does not say is taken for granted.
    private static bool IsFamilies(string contentType)
    {
        foreach (var parameter in contentType.Split(';').Skip(1).Select(p => p.Split('=', 2, StringSplitOptions.TrimEntries)))
            if ((parameter[0].Equals("proto", StringComparison.OrdinalIgnoreCase) && parameter[^1].Trim('"') != "io.prometheus.client.MetricFamily")
                || (parameter[0].Equals("encoding", StringComparison.OrdinalIgnoreCase) && parameter[^1].Trim('"') != "delimited"))
                return false;
        return true;
    }

    private static async Task<long> ReadAsync(Stream body, TailStream? packed, ScrapePass pass, long limit, ScraperSettings settings, ScrapeMetrics metrics, CancellationToken cancellation)
    {
        long total = 0;
        var held = 0;
        long needed = 0;
        while (true)
        {
            if (held == pass.Buffer.Length || needed > pass.Buffer.Length)
                Grow(pass, needed, limit, settings);
            var read = await body.ReadAsync(pass.Buffer.AsMemory(held), cancellation);
            if (read == 0)
                break;
            total += read;
            if (total > limit)
                throw new ScrapeFailure($"body size limit exceeded: more than {limit} bytes", metrics.BodyLimit);
            var taken = pass.TakeFrom(pass.Buffer.AsSpan(0, held + read), out needed);
            held += read - taken;
            pass.Buffer.AsSpan(taken, held).CopyTo(pass.Buffer);
        }
        // The runtime's stream ends without a word where a cut answer ends, but a whole one ends with its own length.
        if (packed is not null && packed.LastWord != (uint)total)
            throw new InvalidDataException("it does not end as it should");
        pass.Finish(pass.Buffer.AsSpan(0, held));
        return total;
    }

    private static void Grow(ScrapePass pass, long needed, long limit, ScraperSettings settings)
    {
        var most = pass.IsText ? settings.MaxLineBytes : Math.Min(limit, settings.MaxFamilyBytes);
        if (Math.Max(needed, pass.Buffer.Length + 1L) > most)
            throw new ScrapeFailure($"a {(pass.IsText ? "line" : "family")} is longer than {most} bytes");
        var buffer = pass.Buffer;
        Array.Resize(ref buffer, (int)Math.Min(Math.Max(needed, buffer.Length * 2L), most));
        pass.Buffer = buffer;
    }
}
