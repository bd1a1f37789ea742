using System.Buffers;
using System.Globalization;
using System.Text;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class ExpositionTests
{
    private static readonly string Corpus = Path.Combine(AppContext.BaseDirectory, "corpus", "exposition.txt");

    [Fact]
    public void The_corpus_of_expositions_is_read_as_it_says()
    {
        var cases = Cases();
        Assert.True(cases.Count >= 70, $"There are {cases.Count} cases; 70 are known.");
        foreach (var (name, format, input, expected) in cases)
            Assert.True(expected == Read(format, input), $"{name}:\nwanted\n{expected}\nread\n{Read(format, input)}");
    }

    [Fact]
    public void Reading_known_lines_allocates_nothing()
    {
        var parser = new ExpositionParser();
        var draft = new LabelDraft();
        byte[][] lines = ["# HELP http_requests_total Requests."u8.ToArray(), "# TYPE http_requests_total counter"u8.ToArray(), "http_requests_total{method=\"post\",code=\"200\",path=\"/a\\\\b\"} 1027 1395066363000"u8.ToArray(), "x 1.5e-7"u8.ToArray(), "x 0.123456789012345678"u8.ToArray()];
        parser.Begin(ExpositionFormat.Text);
        void Round()
        {
            foreach (var line in lines)
            {
                parser.Read(line, out var read);
                if (read.Kind == LineKind.Sample)
                {
                    parser.ReadLabels(read.Series, read.SeriesAt, draft);
                    draft.Pack();
                }
            }
        }
        for (var i = 0; i < 100; i++)
            Round();
        Assert.InRange(Allocated.AtLeast(() =>
        {
            for (var i = 0; i < 1000; i++)
                Round();
        }), 0, 1000);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Damaged_expositions_are_refused_with_a_place_or_read_and_nothing_else(int seed)
    {
        var random = new Random(seed);
        var good = Cases().Select(c => c.Input).ToList();
        var bytes = "{}\"\\=, \t#\n1aé\0eE+-.NI"u8.ToArray();
        for (var round = 0; round < 5000; round++)
        {
            var text = Encoding.UTF8.GetBytes(good[random.Next(good.Count)]).ToList();
            for (var change = random.Next(1, 6); change > 0 && text.Count > 0; change--)
            {
                var at = random.Next(text.Count);
                switch (random.Next(4))
                {
                    case 0: text.RemoveAt(at); break;
                    case 1: text.Insert(at, bytes[random.Next(bytes.Length)]); break;
                    case 2: text[at] = (byte)random.Next(256); break;
                    default: text.RemoveRange(at, random.Next(text.Count - at)); break;
                }
            }
            foreach (var format in Enum.GetValues<ExpositionFormat>())
                try
                {
                    Parse(format, [.. text], (_, _) => { });
                }
                catch (ExpositionException e)
                {
                    Assert.True(e.Line >= 1 && e.Byte >= 1);
                }
        }
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var random = new Random(7);
        for (var round = 0; round < 500; round++)
        {
            var labels = Labels.Of(("__name__", Text(random) + "n"), (Text(random) + "l", Text(random)), ("plain", Text(random)));
            var value = BitConverter.Int64BitsToDouble(random.NextInt64());
            var output = new ArrayBufferWriter<byte>();
            var writer = new ExpositionWriter(output);
            writer.Family(labels.Get("__name__"), "untyped", Text(random));
            writer.Sample(labels, value, round);
            var seen = 0;
            Parse(ExpositionFormat.Text, output.WrittenSpan.ToArray(), (read, series) =>
            {
                Assert.Equal(labels, series);
                Assert.Equal(value, read.Value);
                Assert.Equal(round, read.Time);
                seen++;
            });
            Assert.Equal(1, seen);
        }
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(-0.0, "-0")]
    [InlineData(1, "1")]
    [InlineData(123456, "123456")]
    [InlineData(1234567, "1.234567e+06")]
    [InlineData(1000000, "1e+06")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00001, "1e-05")]
    [InlineData(-12.5, "-12.5")]
    [InlineData(1.7976931348623157e308, "1.7976931348623157e+308")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    public void Numbers_are_written_as_Go_writes_them(double value, string expected) => Assert.Equal(expected, FloatText.General(value));

    [Fact]
    public async Task Promtool_finds_nothing_wrong_with_what_is_written()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new ExpositionWriter(output);
        writer.Family("demo_requests_total", "counter", "Requests, with \\ and\nanother line.");
        writer.Sample(Labels.Of(("__name__", "demo_requests_total"), ("path", "a\"b\\c\nd")), 12345678);
        writer.Family("demo_ratio", "gauge", "A ratio.");
        writer.Sample(Labels.Of(("__name__", "demo_ratio")), double.NaN);
        Assert.Equal((0, ""), await Tool.RunAsync("promtool", ["check", "metrics"], output.WrittenSpan.ToArray()));
    }

    private static string Text(Random random)
    {
        const string pieces = "ab_1\\\"\n{}=, é\u4e16\t#";
        return string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => pieces[random.Next(pieces.Length)]));
    }

    private delegate void Sample(ExpositionLine read, Labels series);

    private static void Parse(ExpositionFormat format, byte[] input, Sample sample)
    {
        var parser = new ExpositionParser();
        var draft = new LabelDraft();
        parser.Begin(format);
        var rest = input.AsSpan();
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf((byte)'\n');
            parser.Read(end < 0 ? rest : rest[..end], out var read);
            if (read.Kind == LineKind.Sample)
            {
                parser.ReadLabels(read.Series, read.SeriesAt, draft);
                sample(read, draft.ToLabels());
            }
            rest = end < 0 ? default : rest[(end + 1)..];
        }
        parser.Finish();
    }

    private static string Read(ExpositionFormat format, string input)
    {
        var seen = new StringBuilder();
        try
        {
            Parse(format, Encoding.UTF8.GetBytes(input), (read, series) =>
                seen.Append(CultureInfo.InvariantCulture, $"{series.ToSeriesText()} {FloatText.General(read.Value)}{(read.Time is { } time ? $" @{time}" : "")}{(read.Exemplar.IsEmpty ? "" : " exemplar")}\n"));
        }
        catch (ExpositionException e)
        {
            return $"! {e.Message}";
        }
        return seen.ToString().TrimEnd('\n');
    }

    // Cases are divided by lines of "=== name | format"; the input ends at a line of "---".
    private static List<(string Name, ExpositionFormat Format, string Input, string Expected)> Cases() =>
        [.. File.ReadAllText(Corpus).Split("=== ", StringSplitOptions.RemoveEmptyEntries).Select(block =>
        {
            var head = block[..block.IndexOf('\n')].Split(" | ");
            var parts = block[(block.IndexOf('\n') + 1)..].Split("---\n");
            return (head[0], head[1] == "om" ? ExpositionFormat.OpenMetrics : ExpositionFormat.Text, parts[0], parts[1].TrimEnd('\n'));
        })];
}
