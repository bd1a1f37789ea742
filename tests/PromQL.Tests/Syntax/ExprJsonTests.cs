using System.Text;
using System.Text.Json;
using Xunit;

namespace Groundcrew.PromQL.Tests.Syntax;

/// <summary>The tree of an expression, with the names that the clients of <c>parse_query</c> know.</summary>
public sealed class ExprJsonTests
{
    private const string X = """{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"x"}],"name":"x","offset":0,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"}""";

    [Theory]
    [InlineData("1e3", """{"type":"numberLiteral","val":"1000"}""")]
    [InlineData("-Inf", """{"type":"numberLiteral","val":"-Inf"}""")]
    [InlineData("5m", """{"type":"numberLiteral","val":"300"}""")]
    [InlineData("'a\"b'", """{"type":"stringLiteral","val":"a\"b"}""")]
    [InlineData("x", X)]
    [InlineData("-(x)", """{"expr":{"expr":XX,"type":"parenExpr"},"op":"-","type":"unaryExpr"}""")]
    [InlineData("x offset 5m", """{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"x"}],"name":"x","offset":300000,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"}""")]
    [InlineData("{a!=\"1\",b=~\"2\",c!~\"3\"} @ 1.5", """{"anchored":false,"matchers":[{"name":"a","type":"!=","value":"1"},{"name":"b","type":"=~","value":"2"},{"name":"c","type":"!~","value":"3"}],"name":"","offset":0,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":1500,"type":"vectorSelector"}""")]
    [InlineData("x[5m] anchored @ end()", """{"anchored":true,"matchers":[{"name":"__name__","type":"=","value":"x"}],"name":"x","offset":0,"offsetExpr":null,"range":300000,"rangeExpr":null,"smoothed":false,"startOrEnd":"end","timestamp":null,"type":"matrixSelector"}""")]
    [InlineData("x[1h:5m] @ start()", """{"expr":XX,"offset":0,"offsetExpr":null,"range":3600000,"rangeExpr":null,"step":300000,"stepExpr":null,"startOrEnd":"start","timestamp":null,"type":"subquery"}""")]
    [InlineData("x[-(1m - step()) * 2:max(1m, 30)]", """{"expr":XX,"offset":0,"offsetExpr":null,"range":0,"rangeExpr":{"lhs":{"lhs":null,"op":"-","rhs":{"lhs":{"duration":true,"type":"numberLiteral","val":"60"},"op":"-","rhs":{"lhs":null,"op":"step","rhs":null,"type":"durationExpr","wrapped":false},"type":"durationExpr","wrapped":true},"type":"durationExpr","wrapped":false},"op":"*","rhs":{"duration":false,"type":"numberLiteral","val":"2"},"type":"durationExpr","wrapped":false},"step":60000,"stepExpr":{"lhs":{"duration":true,"type":"numberLiteral","val":"60"},"op":"max","rhs":{"duration":false,"type":"numberLiteral","val":"30"},"type":"durationExpr","wrapped":false},"startOrEnd":null,"timestamp":null,"type":"subquery"}""")]
    [InlineData("topk by (a) (2, x)", """{"expr":XX,"grouping":["a"],"op":"topk","param":{"type":"numberLiteral","val":"2"},"type":"aggregation","without":false}""")]
    [InlineData("sum without () (x)", """{"expr":XX,"grouping":[],"op":"sum","param":null,"type":"aggregation","without":true}""")]
    [InlineData("round(x)", """{"args":[XX],"func":{"argTypes":["vector","scalar"],"name":"round","returnType":"vector","variadic":1},"type":"call"}""")]
    [InlineData("x > bool 1", """{"bool":true,"lhs":XX,"matching":null,"op":">","rhs":{"type":"numberLiteral","val":"1"},"type":"binaryExpr"}""")]
    [InlineData("x * on (a) group_left (b) x", """{"bool":false,"lhs":XX,"matching":{"card":"many-to-one","include":["b"],"labels":["a"],"on":true},"op":"*","rhs":XX,"type":"binaryExpr"}""")]
    [InlineData("x and x", """{"bool":false,"lhs":XX,"matching":{"card":"many-to-many","include":[],"labels":[],"on":false},"op":"and","rhs":XX,"type":"binaryExpr"}""")]
    public void Each_node_says_what_it_is(string query, string json) => Assert.Equal(JsonOf(json.Replace("XX", X, StringComparison.Ordinal)), JsonOf(Written(query)));

    [Fact]
    public void Whatever_can_be_parsed_can_be_written()
    {
        var random = new RandomExpr(4);
        for (var i = 0; i < 1_000; i++)
        {
            using var tree = JsonDocument.Parse(Written(random.Vector(5)));
            Assert.Equal(JsonValueKind.String, tree.RootElement.GetProperty("type").ValueKind);
        }
    }

    [Fact]
    public void The_deepest_expression_has_no_more_levels_than_are_told()
    {
        foreach (var (open, close) in ((string, string)[])[("abs(", ")"), ("sum by (a) (", ")"), ("(", ")"), ("1 + ", ""), ("sum_over_time((", ")[1m:])")])
        {
            var depth = Parser.MaxDepth;
            string query;
            do
                query = string.Concat(Enumerable.Repeat(open, depth)) + "x" + string.Concat(Enumerable.Repeat(close, depth));
            while (Parser.Parse(query).Expr is null && --depth > 0);
            Assert.True(depth > 100, $"{open} only {depth} times");
            Written(query);
        }
    }

    private static string Written(string query)
    {
        var parsed = Parser.Parse(query);
        Assert.Equal("", parsed.Error);
        return Written(parsed.Expr!);
    }

    private static string Written(Expr expr)
    {
        var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new() { MaxDepth = (Parser.MaxDepth * ExprJson.LevelsEach) + 2 }))
            ExprJson.Write(writer, expr);
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static string JsonOf(string json) => JsonSerializer.Serialize(JsonSerializer.Deserialize<JsonElement>(json));
}
