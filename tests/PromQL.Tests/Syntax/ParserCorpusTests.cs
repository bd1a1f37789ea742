using Xunit;

namespace Groundcrew.PromQL.Tests.Syntax;

/// <summary>The cases of corpus/parser.txt: a query, then <c>=</c> and how it is printed, or <c>!</c> and what is wrong with it.</summary>
public sealed class ParserCorpusTests
{
    private const int CasesAtLeast = 250;

    [Fact]
    public void Every_query_of_the_corpus_is_printed_or_refused_as_it_says()
    {
        var wrong = new List<string>();
        var count = 0;
        string? query = null;
        foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "corpus", "parser.txt")))
        {
            if (line.Length == 0 || line.StartsWith("##", StringComparison.Ordinal))
                continue;
            if (line[0] is not ('=' or '!'))
            {
                query = line[0] is 'f' or '#' ? line.Replace("\\n", "\n", StringComparison.Ordinal) : line;
                continue;
            }
            count++;
            var result = Parser.Parse(query!);
            var actual = result.Expr is { } expr ? "= " + ExprPrinter.Print(expr) : "! " + result.Error;
            if (actual != line)
                wrong.Add($"{query}\n  expected {line}\n  actual   {actual}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(count >= CasesAtLeast, $"Only {count} cases.");
    }
}
