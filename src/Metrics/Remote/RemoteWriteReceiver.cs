using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>How a request of remote write ended.</summary>
/// <param name="Status">The status of the answer: 204; 400 (do not send it again), 413, 415; 500 (send it again).</param>
/// <param name="Message">What is wrong; empty when nothing is.</param>
/// <param name="Samples">Floats that were stored.</param>
/// <param name="Histograms">Native histograms that were stored.</param>
/// <param name="Exemplars">Exemplars that were taken.</param>
public sealed record RemoteWriteOutcome(int Status, string Message, int Samples, int Histograms, int Exemplars = 0)
{
    /// <summary>The headers of the answer, which say what was written.</summary>
    public IEnumerable<KeyValuePair<string, string>> Headers =>
    [
        new("X-Prometheus-Remote-Write-Samples-Written", Samples.ToString(CultureInfo.InvariantCulture)),
        new("X-Prometheus-Remote-Write-Histograms-Written", Histograms.ToString(CultureInfo.InvariantCulture)),
        new("X-Prometheus-Remote-Write-Exemplars-Written", Exemplars.ToString(CultureInfo.InvariantCulture)),
    ];
}

/// <summary>
/// Takes requests of Prometheus' remote write, versions 1 and 2, into a sink. Good samples are stored, also when others of the
/// request are refused; the answer names the first of these. Thread-safe.
/// </summary>
public sealed class RemoteWriteReceiver
{
    private readonly ConcurrentBag<RemoteWriteRequest> _requests = [];
    private readonly ISampleSink _sink;
    private readonly int _maxUnpackedBytes;
    private readonly ExemplarStore? _exemplars;
    private readonly Metric _samples;
    private readonly Metric _refused;
    private readonly Metric _answers;

    /// <summary>Takes requests into a sink.</summary>
    /// <param name="sink">Where samples go.</param>
    /// <param name="metrics">Where the counters are.</param>
    /// <param name="maxUnpackedBytes">The most bytes of a request after unpacking; judged before room is made.</param>
    /// <param name="exemplars">Where exemplars go; null drops them.</param>
    public RemoteWriteReceiver(ISampleSink sink, MetricRegistry metrics, int maxUnpackedBytes = 64 * 1024 * 1024, ExemplarStore? exemplars = null)
    {
        (_sink, _maxUnpackedBytes, _exemplars) = (sink, maxUnpackedBytes, exemplars);
        _samples = metrics.Counter("prometheus_api_remote_write_samples_total", "Samples that were received by remote write and stored.");
        _refused = metrics.Counter("prometheus_api_remote_write_samples_refused_total", "Samples that were received by remote write and refused, by reason.", "reason");
        _answers = metrics.Counter("prometheus_api_remote_write_requests_total", "Requests of remote write, by the status of their answer.", "status");
    }

    /// <summary>Takes one request; its body may be reused afterwards.</summary>
    /// <param name="body">The body as it was sent, packed.</param>
    /// <param name="contentType">The header <c>Content-Type</c>; null or empty when absent.</param>
    /// <param name="contentEncoding">The header <c>Content-Encoding</c>; null or empty when absent.</param>
    public RemoteWriteOutcome Receive(ReadOnlySpan<byte> body, string? contentType, string? contentEncoding)
    {
        var outcome = Judge(body, contentType, contentEncoding);
        _answers.With(outcome.Status.ToString(CultureInfo.InvariantCulture)).Add();
        _samples.Add(outcome.Samples + outcome.Histograms);
        return outcome;
    }

    private RemoteWriteOutcome Judge(ReadOnlySpan<byte> body, string? contentType, string? contentEncoding)
    {
        if (VersionOf(contentType) is not { } version)
            return new(415, $"unsupported content type \"{contentType}\": expected application/x-protobuf", 0, 0);
        if (!string.IsNullOrEmpty(contentEncoding) && !contentEncoding.Equals("snappy", StringComparison.OrdinalIgnoreCase))
            return new(415, $"{contentEncoding} encoding (compression) is not accepted by this server; only snappy is acceptable", 0, 0);
        if (!SnappyBlock.TryReadLength(body, out var length, out _))
            return new(400, "snappy: corrupt input", 0, 0);
        if (length > _maxUnpackedBytes)
            return new(413, $"the request has {length} bytes; {_maxUnpackedBytes} is the most", 0, 0);
        // The tightest packing gives 64 bytes for 3, so a small body that claims more lies.
        if (length > (long)body.Length * 22)
            return new(400, "snappy: corrupt input", 0, 0);
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(length, 1));
        try
        {
            var message = buffer.AsSpan(0, length);
            return SnappyBlock.TryUnpack(body, message) ? Store(message, version) : new(400, "snappy: corrupt input", 0, 0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private RemoteWriteOutcome Store(ReadOnlySpan<byte> message, int version)
    {
        if (!_requests.TryTake(out var request))
            request = new();
        try
        {
            request.Read(message, version == 2, _sink);
            var floats = request.Floats.Count > 0 ? _sink.Commit(request.Floats) : default;
            if (floats.Failure is null && request.Histograms.Count > 0)
                return Conclude(request, floats, _sink.Commit(request.Histograms));
            return Conclude(request, floats, default);
        }
        catch (ProtoException e)
        {
            return new(400, $"proto: {e.Message}", 0, 0);
        }
        finally
        {
            _requests.Add(request);
        }
    }

    private RemoteWriteOutcome Conclude(RemoteWriteRequest request, CommitResult floats, CommitResult histograms)
    {
        if (request.Refused > 0)
            _refused.With("labels").Add(request.Refused);
        foreach (var why in Enum.GetValues<SampleRefusal>())
            if (floats.RefusedFor(why) + histograms.RefusedFor(why) is > 0 and var count)
                _refused.With(why.ToString()).Add(count);
        if ((floats.Failure ?? histograms.Failure) is { } failure)
            return new(500, failure, floats.Stored, histograms.Stored);
        // As in Prometheus, one that is refused is counted and does not spoil the answer.
        var exemplars = _exemplars is { } store ? request.Exemplars.AddTo(store) : 0;
        var message = request.FirstRefusal;
        if ((floats.FirstRefused ?? histograms.FirstRefused) is { } first)
            message ??= $"{(first.Why == SampleRefusal.InvalidHistogram ? floats.HistogramProblem ?? histograms.HistogramProblem : null) ?? Words(first.Why)}; series={first.Series}, timestamp={first.Time}";
        return new(message is null ? 204 : 400, message ?? "", floats.Stored, histograms.Stored, exemplars);
    }

    /// <summary>The words of Prometheus' storage.</summary>
    private static string Words(SampleRefusal why) => why switch
    {
        SampleRefusal.Duplicate => "duplicate sample for timestamp",
        SampleRefusal.OutOfOrder => "out of order sample",
        SampleRefusal.TooOld => "too old sample",
        SampleRefusal.OutOfBounds => "out of bounds",
        SampleRefusal.TooNew => "out of bounds: the sample is too far in the future",
        SampleRefusal.InvalidHistogram => "invalid histogram",
        SampleRefusal.SeriesLimit => "the limit of series is reached",
        _ => "not stored",
    };

    // No type at all is what the first clients of version 1 sent.
    private static int? VersionOf(string? contentType)
    {
        if (string.IsNullOrWhiteSpace(contentType))
            return 1;
        var parts = contentType.Split(';', StringSplitOptions.TrimEntries);
        if (!parts[0].Equals("application/x-protobuf", StringComparison.OrdinalIgnoreCase))
            return null;
        var proto = parts.Skip(1).FirstOrDefault(p => p.StartsWith("proto=", StringComparison.OrdinalIgnoreCase));
        return proto?["proto=".Length..].Trim('"') switch
        {
            null or "prometheus.WriteRequest" => 1,
            "io.prometheus.write.v2.Request" => 2,
            _ => null,
        };
    }
}
