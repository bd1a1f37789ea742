using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class RemoteWriteReceiverTests
{
    private const string Second = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    private readonly MemorySink _sink = new();
    private readonly MetricRegistry _registry = new();
    private readonly RemoteWriteReceiver _receiver;

    public RemoteWriteReceiverTests() => _receiver = new(_sink, _registry, maxUnpackedBytes: 1024 * 1024);

    [Fact]
    public void Samples_and_histograms_are_stored()
    {
        var histogram = Histogram();
        var encoder = new WriteEncoder();
        var ticket = new SendTicket(default, 0);
        var body = encoder.Encode([new(Labels.Of(("__name__", "x"), ("a", "1")), 1000, 5, null, ticket), new(Labels.Of(("__name__", "x"), ("a", "1")), 2000, -0.5, null, ticket), new(Labels.Of(("__name__", "h")), 1000, 0, histogram, ticket)]).ToArray();

        var outcome = _receiver.Receive(body, "application/x-protobuf", "snappy");

        Assert.Equal((204, "", 2, 1), (outcome.Status, outcome.Message, outcome.Samples, outcome.Histograms));
        Assert.Equal([(1000L, 5.0, null), (2000, -0.5, null)], _sink.Of("x{a=\"1\"}"));
        AssertSame(histogram, Assert.Single(_sink.Of("h")).Histogram!);
    }

    [Fact]
    public void Whole_numbers_of_a_histogram_are_differences()
    {
        // count 6, sum 2.5, schema 1, zero threshold 0.001 and count 1, one run of three buckets from -1 with 1, 3, 1.
        byte[] message = [0x08, 6, 0x19, .. BitConverter.GetBytes(2.5), 0x20, 2, 0x29, .. BitConverter.GetBytes(0.001), 0x30, 1, 0x5A, 4, 0x08, 1, 0x10, 3, 0x62, 3, 2, 4, 3, 0x70, 3, 0x78, 7];
        var read = HistogramForm.Read(message, out var time);
        Assert.Equal(7, time);
        AssertSame(new FloatHistogram { Count = 6, Sum = 2.5, Schema = 1, ZeroThreshold = 0.001, ZeroCount = 1, PositiveSpans = [new(-1, 3)], PositiveBuckets = [1, 3, 1], ResetHint = CounterResetHint.Gauge }, read);
    }

    [Fact]
    public void The_second_version_names_its_labels_by_symbols()
    {
        var series = new ProtoWriter();
        series.Bytes(1, [1, 2, 3, 4]);
        series.Bytes(2, Sample(1.5, 1000));
        var request = new ProtoWriter();
        foreach (var symbol in new[] { "", "__name__", "x", "a", "1" })
            request.Bytes(4, Encoding.UTF8.GetBytes(symbol));
        request.Bytes(5, series.Written);

        var outcome = _receiver.Receive(SnappyTests.Pack(request.Written.ToArray()), Second, "snappy");

        Assert.Equal((204, 1), (outcome.Status, outcome.Samples));
        Assert.Equal([1.5], _sink.ValuesOf("x{a=\"1\"}"));
        Assert.Contains(new("X-Prometheus-Remote-Write-Samples-Written", "1"), outcome.Headers);
    }

    [Theory]
    [InlineData(new byte[] { 1, 9 }, "labelRefs 9 (name or value) is outside of the 3 symbols")]
    [InlineData(new byte[] { 1 }, "invalid labelRefs length")]
    public void References_to_nothing_are_refused(byte[] references, string why)
    {
        var series = new ProtoWriter();
        series.Bytes(1, references);
        var request = new ProtoWriter();
        foreach (var symbol in new[] { "", "__name__", "x" })
            request.Bytes(4, Encoding.UTF8.GetBytes(symbol));
        request.Bytes(5, series.Written);
        var outcome = _receiver.Receive(SnappyTests.Pack(request.Written.ToArray()), Second, "snappy");
        Assert.Equal(400, outcome.Status);
        Assert.Contains(why, outcome.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Good_samples_are_stored_and_the_first_bad_one_is_named()
    {
        Receive(([("__name__", "x")], 1, 2000));
        _sink.OldestTime = 500;
        var outcome = Receive(([("__name__", "x")], 1, 1000), ([("__name__", "x")], 2, 2000), ([("__name__", "y")], 3, 100), ([("__name__", "z")], 4, 3000));

        Assert.Equal(400, outcome.Status);
        Assert.Equal("out of order sample; series={__name__=\"x\"}, timestamp=1000", outcome.Message);
        Assert.Equal(1, outcome.Samples);
        Assert.Equal([4], _sink.ValuesOf("z"));
        var text = _registry.WriteText();
        Assert.Contains("prometheus_api_remote_write_samples_refused_total{reason=\"Duplicate\"} 1", text, StringComparison.Ordinal);
        Assert.Contains("prometheus_api_remote_write_samples_refused_total{reason=\"OutOfBounds\"} 1", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a", "1", "a", "2", "label name \"a\" is not unique: invalid labels")]
    [InlineData("a", "1", "b", "2", "there is no metric name")]
    [InlineData("__name__", "x", "", "2", "a name is empty")]
    public void Labels_are_judged(string name1, string value1, string name2, string value2, string why)
    {
        var outcome = Receive(([(name1, value1), (name2, value2)], 1, 1), ([("__name__", "good")], 1, 1));
        Assert.Equal((400, 1), (outcome.Status, outcome.Samples));
        Assert.Contains(why, outcome.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Labels_that_are_no_UTF8_are_refused()
    {
        var label = new ProtoWriter();
        label.Bytes(1, "__name__"u8);
        label.Bytes(2, [0xC3, 0x28]);
        var series = new ProtoWriter();
        series.Bytes(1, label.Written);
        series.Bytes(2, Sample(1, 1));
        var request = new ProtoWriter();
        request.Bytes(1, series.Written);
        Assert.Equal(400, _receiver.Receive(SnappyTests.Pack(request.Written.ToArray()), "application/x-protobuf", "snappy").Status);
    }

    [Fact]
    public void A_store_that_fails_asks_for_the_request_again()
    {
        _sink.Failure = "No space left on device";
        Assert.Equal((500, "No space left on device"), Receive(([("__name__", "x")], 1, 1)) is var o ? (o.Status, o.Message) : default);
    }

    [Theory]
    [InlineData("application/json", "snappy", 415)]
    [InlineData("application/x-protobuf;proto=something.Else", "snappy", 415)]
    [InlineData("application/x-protobuf", "gzip", 415)]
    [InlineData("application/x-protobuf; charset=utf-8", "snappy", 204)]
    [InlineData("application/x-protobuf;proto=prometheus.WriteRequest", "SNAPPY", 204)]
    [InlineData(null, null, 204)]
    public void The_kind_of_the_request_is_judged(string? contentType, string? encoding, int status) =>
        Assert.Equal(status, _receiver.Receive([0], contentType, encoding).Status);

    [Fact]
    public void What_is_too_large_or_damaged_is_refused_before_room_is_made()
    {
        Assert.Equal(413, _receiver.Receive(SnappyTests.Pack(new byte[1024 * 1024 + 1]), null, null).Status);
        Assert.Equal(400, _receiver.Receive([0xFF, 0xFF, 0x3F, 0], null, null).Status);
        Assert.Equal(400, _receiver.Receive([], null, null).Status);
        Assert.Equal(400, _receiver.Receive([1, 0, 0xFF], null, null).Status);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Damaged_requests_are_refused_or_stored_and_nothing_else(int seed)
    {
        var random = new Random(seed);
        var ticket = new SendTicket(default, 0);
        for (var round = 0; round < 3000; round++)
        {
            var body = new WriteEncoder().Encode([new(Labels.Of(("__name__", "x"), ("l", $"{round % 7}")), round, 5, null, ticket), new(Labels.Of(("__name__", "h")), round, 0, Histogram(), ticket)]).ToArray();
            SnappyBlock.TryReadLength(body, out var length, out _);
            var plain = new byte[length];
            Assert.True(SnappyBlock.TryUnpack(body, plain));
            for (var change = random.Next(1, 5); change > 0; change--)
                plain[random.Next(plain.Length)] = (byte)random.Next(256);
            Assert.Contains(_receiver.Receive(SnappyTests.Pack(plain), round % 2 == 0 ? null : Second, null).Status, new[] { 204, 400 });
        }
    }

    [Fact]
    public void Known_series_are_received_without_garbage()
    {
        var sink = new CountingSink();
        var request = new RemoteWriteRequest();
        var write = new ProtoWriter();
        for (var i = 0; i < 100; i++)
            write.Bytes(1, Series([("__name__", "http_requests_total"), ("instance", "a:1"), ("n", $"{i}")], i, 1000));
        var message = write.Written.ToArray();
        for (var i = 0; i < 50; i++)
            request.Read(message, false, sink);
        Assert.InRange(Allocated.AtLeast(() =>
        {
            for (var i = 0; i < 100; i++)
                request.Read(message, false, sink);
        }), 0, 1000);
        Assert.Equal(100, request.Floats.Count);
    }

    internal static byte[] Sample(double value, long time)
    {
        var sample = new ProtoWriter();
        sample.Double(1, value);
        sample.Number(2, (ulong)time);
        return sample.Written.ToArray();
    }

    private static byte[] Series((string, string)[] labels, double value, long time)
    {
        var series = new ProtoWriter();
        foreach (var (name, text) in labels)
        {
            var label = new ProtoWriter();
            label.Bytes(1, Encoding.UTF8.GetBytes(name));
            label.Bytes(2, Encoding.UTF8.GetBytes(text));
            series.Bytes(1, label.Written);
        }
        series.Bytes(2, Sample(value, time));
        return series.Written.ToArray();
    }

    internal static FloatHistogram Histogram() => new()
    {
        Count = 10, Sum = 3.25, Schema = 3, ZeroThreshold = 0.001, ZeroCount = 1,
        PositiveSpans = [new(-2, 2), new(1, 1)], PositiveBuckets = [2, 1.5, 3], NegativeSpans = [new(0, 1)], NegativeBuckets = [2.5],
    };

    private static void AssertSame(FloatHistogram expected, FloatHistogram actual)
    {
        Assert.Equal((expected.Count, expected.Sum, expected.Schema, expected.ZeroThreshold, expected.ZeroCount, expected.ResetHint), (actual.Count, actual.Sum, actual.Schema, actual.ZeroThreshold, actual.ZeroCount, actual.ResetHint));
        Assert.Equal(expected.PositiveSpans, actual.PositiveSpans);
        Assert.Equal(expected.PositiveBuckets, actual.PositiveBuckets);
        Assert.Equal(expected.NegativeSpans, actual.NegativeSpans);
        Assert.Equal(expected.NegativeBuckets, actual.NegativeBuckets);
        Assert.Equal(expected.CustomValues, actual.CustomValues);
    }

    private RemoteWriteOutcome Receive(params ((string, string)[] Labels, double Value, long Time)[] samples)
    {
        var request = new ProtoWriter();
        foreach (var (labels, value, time) in samples)
            request.Bytes(1, Series(labels, value, time));
        return _receiver.Receive(SnappyTests.Pack(request.Written.ToArray()), "application/x-protobuf", "snappy");
    }

    private sealed class CountingSink : ISampleSink
    {
        private readonly One _one = new();

        public SeriesHandle Resolve(ReadOnlySpan<byte> packedLabels) => _one;

        public CommitResult Commit(SampleBatch batch) => default;

        private sealed class One : SeriesHandle
        {
            public override Labels Labels => Labels.Empty;
        }
    }
}
