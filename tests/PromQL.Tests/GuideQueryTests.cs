using System.Globalization;
using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.PromQL.Tests;

/// <summary>
/// Every query of the five guides runs as it is written and gives a right answer, or has its documented correction beside
/// it (U-25; T-15, T-24). The cases are corpus/guides.txt.
/// </summary>
public sealed class GuideQueryTests
{
    private const int Cases = 24;
    private const long End = 600_000;
    private static readonly GuideCorpus Corpus = GuideCorpus.Read();

    public static TheoryData<string, string> Asked => [.. Corpus.Cases.Select(c => (c.Entry, c.Query))];

    [Fact]
    public void The_corpus_has_its_cases() => Assert.Equal(Cases, Corpus.Cases.Count);

    [Theory]
    [MemberData(nameof(Asked))]
    public void A_query_of_a_guide_is_answered(string entry, string query)
    {
        var result = new QueryEngine(new EngineOptions(), TimeProvider.System).Instant(Corpus.Source, query, End, TestContext.Current.CancellationToken);
        Assert.True(result.Error is null, $"{entry}: {result.Error?.Message}");
        var given = Assert.IsType<VectorValue>(result.Value).Samples.ToDictionary(s => s.Labels.ToSeriesText(), s => s.Point.Value);
        var wanted = Corpus.Cases.First(c => c.Entry == entry && c.Query == query).Answer;
        Assert.Equal(wanted.Keys.Order(StringComparer.Ordinal), given.Keys.Order(StringComparer.Ordinal));
        Assert.All(wanted, w => Assert.Equal(w.Value, given[w.Key], 1e-9 * Math.Max(1, Math.Abs(w.Value))));
    }

    /// <summary>The cases of the file and the data that they are asked of.</summary>
    private sealed class GuideCorpus
    {
        private const long Step = 15_000;

        public MemoryMetrics Source { get; } = new();

        public List<(string Entry, string Query, Dictionary<string, double> Answer)> Cases { get; } = [];

        public static GuideCorpus Read()
        {
            var corpus = new GuideCorpus();
            foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "corpus/guides.txt")).Where(l => l.Length > 0 && l[0] != '#'))
                corpus.Take(line);
            return corpus;
        }

        private void Take(string line)
        {
            var words = line.Split(' ');
            if (words[0] == "data")
                Load(words[1], Number(words[2]), Number(words[3]));
            else if (words[0] is "ask" or "fix")
                Cases.Add((string.Join(' ', words[1..(words[0] == "ask" ? 2 : 3)]), string.Join(' ', words[(words[0] == "ask" ? 2 : 3)..]), []));
            else
                Cases[^1].Answer.Add(Labelled(line[..line.LastIndexOf(' ')]).ToSeriesText(), Number(words[^1]));
        }

        private void Load(string series, double start, double step)
        {
            var labels = Labelled(series);
            for (var time = 0L; time <= End; time += Step)
                Source.Add(labels, time, start + (step * (time / Step)));
        }

        private static Labels Labelled(string series)
        {
            var (matchers, error) = Parser.ParseSelector(series);
            Assert.True(matchers is not null, $"{series}: {error}");
            return Labels.Of([.. matchers!.Select(m => (m.Name, m.Value))]);
        }

        private static double Number(string word) => double.Parse(word, CultureInfo.InvariantCulture);
    }
}
