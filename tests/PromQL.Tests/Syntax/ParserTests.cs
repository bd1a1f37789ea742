using System.Text;
using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.PromQL.Tests.Syntax;

public sealed class ParserTests
{
    [Fact]
    public void What_is_printed_reads_as_the_same_expression()
    {
        var random = new RandomExpr(20260131);
        for (var i = 0; i < 3000; i++)
        {
            var expr = random.Vector(i % 6);
            var text = ExprPrinter.Print(expr);
            var again = Parser.Parse(text);
            Assert.True(again.Expr is not null, $"{text}\n{again.Error}");
            Assert.Equal(WithoutSpans(expr), WithoutSpans(again.Expr));
            Assert.Equal(text, ExprPrinter.Print(again.Expr));
        }
    }

    [Fact]
    public void What_is_printed_on_many_lines_reads_as_the_same_expression()
    {
        var random = new RandomExpr(7);
        for (var i = 0; i < 500; i++)
        {
            var expr = random.Vector(8);
            Assert.Equal(ExprPrinter.Print(expr), ExprPrinter.Print(Parser.Parse(ExprPrinter.Pretty(expr)).Expr!));
        }
    }

    [Fact]
    public void Long_expressions_are_divided_as_Prometheus_divides_them()
    {
        var cases = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "corpus", "pretty.txt")).Split("\n----\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.True(cases.Length >= 20, $"Only {cases.Length} cases.");
        foreach (var parts in cases.Select(c => c.Split("\n=>\n")))
            Assert.Equal(parts[1].TrimEnd('\n'), ExprPrinter.Pretty(Parser.Parse(parts[0]).Expr!));
    }

    [Fact]
    public void Spans_say_where_each_part_stands()
    {
        const string query = "  sum by (a) (rate(foo{a=\"é\"}[5m] offset 1m)) / -bar @ end()";
        var division = Assert.IsType<Binary>(Parser.Parse(query).Expr);
        var sum = Assert.IsType<Aggregate>(division.Left);
        var rate = Assert.IsType<Call>(sum.Inner);
        var range = Assert.IsType<MatrixSelector>(rate.Arguments[0]);
        var sign = Assert.IsType<Unary>(division.Right);

        Assert.Equal(query.Trim(), At(division));
        Assert.Equal("sum by (a) (rate(foo{a=\"é\"}[5m] offset 1m))", At(sum));
        Assert.Equal("rate(foo{a=\"é\"}[5m] offset 1m)", At(rate));
        Assert.Equal("foo{a=\"é\"}[5m] offset 1m", At(range));
        Assert.Equal("foo{a=\"é\"}", At(range.Selector));
        Assert.Equal("-bar @ end()", At(sign));
        Assert.Equal("bar @ end()", At(sign.Inner));

        static string At(Expr expr) => query[expr.Span.Start..expr.Span.End];
    }

    [Theory]
    [InlineData("(")]
    [InlineData("-")]
    [InlineData("abs(")]
    [InlineData("sum by (a) (")]
    [InlineData("foo + (")]
    [InlineData("foo ^ ")]
    [InlineData("foo or ")]
    public void Depth_without_end_is_refused(string piece)
    {
        var deep = string.Concat(Enumerable.Repeat(piece, 100_000)) + "foo" + (piece.Contains('(', StringComparison.Ordinal) ? new string(')', 100_000) : "");
        var result = Parser.Parse(deep);
        Assert.Null(result.Expr);
        Assert.Contains("nested too deeply", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("foo", " + foo")]
    [InlineData("foo", "[5m:]")]
    [InlineData("1", " ^ 1")]
    public void A_long_chain_is_refused_too(string first, string more)
    {
        Assert.Contains("nested too deeply", Parser.Parse(first + string.Concat(Enumerable.Repeat(more, 50_000))).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_deep_but_allowed_is_read_and_printed()
    {
        var deep = new string('(', 900) + "foo" + new string(')', 900);
        Assert.Equal(deep, ExprPrinter.Print(Parser.Parse(deep).Expr!));
        var chain = "foo" + string.Concat(Enumerable.Repeat(" + foo", 900));
        Assert.Equal(chain, ExprPrinter.Print(Parser.Parse(chain).Expr!));
    }

    [Fact]
    public void Wrong_texts_are_refused_with_a_place_inside_them()
    {
        var random = new Random(99);
        string[] seeds = ["sum by (a, b) (rate(foo{a=\"b\",c=~\"d.*\"}[5m:1m] offset -1h @ 12.5)) > bool 1e3", "a * on (x) group_left (y) b unless 'q' == 0x1F or {\"u.v\", w!~\"z\"}[1y2w] @ start()"];
        const string noise = "()[]{}\"'`\\#,:=!~<>@+-*/%^ \n0123456789abcinfsumbyoffseté😀\ud800";
        for (var i = 0; i < 30_000; i++)
        {
            var text = new StringBuilder(i % 3 == 0 ? "" : seeds[i % 2]);
            for (var j = random.Next(1, 8); j > 0; j--)
            {
                var at = random.Next(text.Length + 1);
                if (random.Next(3) == 0 && at < text.Length)
                    text.Remove(at, Math.Min(text.Length - at, random.Next(1, 6)));
                else
                    text.Insert(at, noise[random.Next(noise.Length)]);
            }
            var query = text.ToString();
            var result = Parser.Parse(query, experimental: i % 2 == 0);
            Assert.True(result.Expr is null != (result.Problems.Count == 0), query);
            Assert.All(result.Problems, p => Assert.True(p.Span.Start >= 0 && p.Span.Start <= p.Span.End && p.Span.End <= query.Length, $"{query}: {p}"));
            if (result.Expr is { } expr)
                Assert.True(Parser.Parse(ExprPrinter.Print(expr)).Expr is not null, $"{query} printed as {ExprPrinter.Print(expr)}");
            else
                Assert.Contains("parse error: ", result.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("mad_over_time(foo[5m])", "1:1: parse error: function \"mad_over_time\" is not enabled")]
    [InlineData("1 + limitk(1, foo)", "1:5: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions")]
    [InlineData("rate(foo[5m])", "")]
    public void Experiments_can_be_forbidden(string query, string error) => Assert.Equal(error, Parser.Parse(query, experimental: false).Error);

    [Theory]
    [InlineData("up{job=\"x\",a!~\"y|z\"}", "job=\"x\" a!~\"y|z\" __name__=\"up\"")]
    [InlineData("{\"http.requests\"}", "__name__=\"http.requests\"")]
    [InlineData("{}", "")]
    public void A_lone_selector_gives_its_matchers(string selector, string matchers)
    {
        var (found, error) = Parser.ParseSelector(selector);
        Assert.Null(error);
        Assert.Equal(matchers, string.Join(' ', found!));
    }

    [Theory]
    [InlineData("", "unknown position: parse error: unexpected end of input")]
    [InlineData("up[5m]", "1:3: parse error: unexpected \"[\"")]
    [InlineData("up + up", "1:4: parse error: unexpected <op:+>")]
    [InlineData("1", "1:1: parse error: unexpected number \"1\"")]
    [InlineData("up{a=~\"(\"}", "1:4: parse error: error parsing regexp: missing closing ): `(`")]
    public void What_is_no_lone_selector_is_refused(string selector, string error)
    {
        var (found, why) = Parser.ParseSelector(selector);
        Assert.Null(found);
        Assert.Equal(error, why);
    }

    [Fact]
    public void Every_function_has_one_signature_in_the_order_of_names()
    {
        Assert.Equal(FunctionSignatures.All.Select(f => f.Name).Order(StringComparer.Ordinal), FunctionSignatures.All.Select(f => f.Name));
        Assert.Equal(FunctionSignatures.All.Count, FunctionSignatures.All.Select(f => f.Name).Distinct().Count());
        Assert.Null(FunctionSignatures.Find("Rate"));
    }

    /// <summary>The same with all spans at zero and matchers in one order, because printing orders them.</summary>
    private static Expr WithoutSpans(Expr expr) => expr switch
    {
        VectorSelector v => v with { Span = default, Matchers = [.. v.Matchers.OrderBy(m => new LabelMatcher(m.Kind, m.Name, m.Value).ToString(), StringComparer.Ordinal)] },
        MatrixSelector m => m with { Span = default, Selector = (VectorSelector)WithoutSpans(m.Selector) },
        Subquery s => s with { Span = default, Inner = WithoutSpans(s.Inner) },
        Aggregate a => a with { Span = default, Inner = WithoutSpans(a.Inner), Parameter = a.Parameter is { } parameter ? WithoutSpans(parameter) : null },
        Binary b => b with { Span = default, Left = WithoutSpans(b.Left), Right = WithoutSpans(b.Right) },
        Unary u => u with { Span = default, Inner = WithoutSpans(u.Inner) },
        Paren p => p with { Span = default, Inner = WithoutSpans(p.Inner) },
        Call c => c with { Span = default, Arguments = [.. c.Arguments.Select(WithoutSpans)] },
        _ => expr with { Span = default },
    };
}
