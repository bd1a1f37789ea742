using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary><c>crew metrics</c>: tables, lines of blocks, and where a query is wrong (U-25).</summary>
public sealed class MetricsTests
{
    private const string Vector = """
        {"resultType":"vector","result":[
          {"metric":{"__name__":"up","job":"crew-agent","instance":"w1:8081"},"value":[1772625600,"1"]},
          {"metric":{"job":"crew-edge"},"value":[1772625600.5,"+Inf"]}]}
        """;

    [Fact]
    public Task A_vector_is_a_table() => ShowsAsync("POST metrics/query", Vector, "metrics-vector", "query", "up");

    [Fact]
    public Task A_range_of_one_series_is_a_plot() => ShowsAsync("POST metrics/query_range", MatrixOf(Wave("web")), "metrics-plot", "query", "x", "--range", "1h", "--step", "1m");

    [Fact]
    public Task A_range_of_several_series_is_a_line_for_each() =>
        ShowsAsync("POST metrics/query_range", MatrixOf(Wave("web"), Flat("api")), "metrics-sparks", "query", "x", "--range", "1h", "--step", "1m");

    [Fact]
    public Task Targets_say_why_they_do_not_answer() => ShowsAsync("GET metrics/targets", """
        {"activeTargets":[
          {"discoveredLabels":{},"labels":{"instance":"w1:8081"},"scrapePool":"crew-agent","scrapeUrl":"http://w1:8081/metrics","globalUrl":"","lastError":"","lastScrape":"2026-03-04T11:59:50Z","lastScrapeDuration":0.0123,"health":"up"},
          {"discoveredLabels":{},"labels":{"instance":"shop:80"},"scrapePool":"shop","scrapeUrl":"http://shop:80/metrics","globalUrl":"","lastError":"connection refused","lastScrape":"2026-03-04T11:59:40Z","lastScrapeDuration":0.001,"health":"down"},
          {"discoveredLabels":{},"labels":{"instance":"w2:8081"},"scrapePool":"crew-agent","scrapeUrl":"http://w2:8081/metrics","globalUrl":"","lastError":"","lastScrape":"0001-01-01T00:00:00Z","lastScrapeDuration":0,"health":"unknown"}],
         "droppedTargets":[]}
        """, "metrics-targets", "targets");

    [Fact]
    public Task What_has_the_most_series_comes_first() => ShowsAsync("GET metrics/status/tsdb", """
        {"headStats":{"numSeries":1200,"numLabelPairs":50,"chunkCount":0,"minTime":0,"maxTime":1},
         "seriesCountByMetricName":[{"name":"http_requests_total","value":900},{"name":"up","value":7}],"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]}
        """, "metrics-top", "top");

    [Fact]
    public async Task The_place_of_a_mistake_is_marked_under_the_query()
    {
        await using var control = await FakeControl.StartAsync();
        control.Does("POST metrics/query", http => ErrorAsync(http, 400, "bad_data", "invalid parameter \"query\": 2:5: parse error: unclosed left parenthesis"));
        using var crew = new Crew(control);
        var ran = await crew.AsScriptAsync("metrics", "query", "sum(\n  up");
        ran.Ends(ExitCode.Refused);
        Assert.Contains("parse error: unclosed left parenthesis\n    up\n      ^", ran.Error, StringComparison.Ordinal);
        control.Does("POST metrics/query", http => ErrorAsync(http, 422, "execution", "found duplicate series"));
        var failed = await crew.AsScriptAsync("metrics", "query", "up");
        failed.Ends(ExitCode.Refused);
        Assert.Contains("found duplicate series", failed.Error, StringComparison.Ordinal);
        control.Does("POST metrics/query", http => ErrorAsync(http, 503, "timeout", "query timed out in expression evaluation"));
        (await crew.AsScriptAsync("metrics", "query", "up")).Ends(ExitCode.Unable);
    }

    [Fact]
    public async Task Remarks_go_beside_the_answer_and_json_is_what_prometheus_says()
    {
        await using var control = await FakeControl.StartAsync();
        control.Does("POST metrics/query", http => AnswerAsync(http, """{"status":"success","data":{"resultType":"scalar","result":[1,"0.5"]},"warnings":["w1"],"infos":["i1"]}"""));
        using var crew = new Crew(control);
        var ran = await crew.AsScriptAsync("metrics", "query", "0.5");
        Assert.Equal("0.5\n", ran.Out);
        Assert.Contains("w1", ran.Error, StringComparison.Ordinal);
        Assert.Contains("i1", ran.Error, StringComparison.Ordinal);
        Assert.Equal("scalar", (await crew.AsScriptAsync("metrics", "query", "0.5", "--json")).Json().GetProperty("resultType").GetString());
    }

    [Fact]
    public async Task The_moment_the_range_and_the_step_are_sent_as_the_api_takes_them()
    {
        await using var control = await FakeControl.StartAsync();
        control.Does("POST metrics/query", http => AnswerAsync(http, Envelope(Vector))).Does("POST metrics/query_range", http => AnswerAsync(http, Envelope(MatrixOf(Flat("a")))));
        using var crew = new Crew(control);
        var now = Crew.Now.ToUnixTimeSeconds();
        foreach (var (args, sent) in ((string[], string)[])
        [
            (["--at", "10m"], $"time={now - 600}"), (["--at", "2026-01-31T12:00:00Z"], "time=1769860800"), (["--at", "1700000000.5"], "time=1700000000.5"),
            (["--range", "6h"], $"start={now - 21600}&end={now}&step=180"), (["--range", "1h", "--step", "1m", "--at", "1h"], $"start={now - 7200}&end={now - 3600}&step=60"),
        ])
        {
            (await crew.AsScriptAsync(["metrics", "query", "up{a=\"b\"}", .. args])).Ends(ExitCode.Ok);
            Assert.Equal($"query=up%7Ba%3D%22b%22%7D&{sent}", control.Asked.Last().Body);
        }
        foreach (var wrong in (string[][])[["--at", "soon"], ["--step", "1m"], ["--range", "long"], ["--range", "0s"], ["--range", "100d", "--step", "1s"]])
            (await crew.AsScriptAsync(["metrics", "query", "up", .. wrong])).Ends(ExitCode.Usage);
    }

    [Fact]
    public async Task Where_nothing_is_to_show_it_says_what_to_do()
    {
        await using var control = await FakeControl.StartAsync();
        control.Does("POST metrics/query", http => AnswerAsync(http, """{"status":"success","data":{"resultType":"vector","result":[]}}"""))
            .Does("POST metrics/series", http => AnswerAsync(http, """{"status":"success","data":[]}"""))
            .Does("GET metrics/targets", http => AnswerAsync(http, """{"status":"success","data":{"activeTargets":[],"droppedTargets":[]}}"""))
            .Does("GET metrics/labels", http => AnswerAsync(http, """{"status":"success","data":[]}""")).Does("GET metrics/label/none/values", http => AnswerAsync(http, """{"status":"success","data":[]}"""));
        using var crew = new Crew(control);
        foreach (var (words, args) in ((string, string[])[])
            [("crew metrics targets", ["query", "up"]), ("last hour", ["series", "up"]), ("metrics: /metrics", ["targets"]), ("no series yet", ["labels"]), ("'none'", ["labels", "none"])])
        {
            var ran = await crew.AsScriptAsync(["metrics", .. args]);
            ran.Ends(ExitCode.Ok);
            Assert.Contains(words, ran.Error, StringComparison.Ordinal);
            Assert.Empty(ran.Out);
        }
    }

    [Fact]
    public Task What_all_series_share_stands_once_where_the_terminal_would_cut_it()
    {
        static string Of(string cpu) => $$"""{"metric":{"__name__":"node_cpu_seconds_total","cpu":"{{cpu}}","instance":"w1:8081","job":"crew-agent","region":"local"},"value":[1772625600,"12.5"]}""";
        return ShowsAsync("POST metrics/query", $$"""{"resultType":"vector","result":[{{Of("0")}},{{Of("1")}}]}""", "metrics-shared", "query", "x");
    }

    [Fact]
    public Task A_range_of_one_moment_is_a_line_for_each_sample() => ShowsAsync(
        "POST metrics/query", """{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[1772625570.25,"0"],[1772625600,"1"]]}]}""", "metrics-samples", "query", "up[1m]");

    [Theory]
    [InlineData("invalid parameter \"match[]\": 1:3: parse error: unexpected end of input", "parse error: unexpected end of input\n  éx{\n   ^\n", "éx{", 3)]
    [InlineData("invalid parameter \"match[]\": 1:4: parse error: here", "parse error: here\n  éx{\n    ^\n", "éx{", 4)]
    [InlineData("invalid parameter \"match[]\": unknown position: parse error: no expression found in input", "parse error: no expression found in input\n", "", 0)]
    public async Task A_mistake_in_a_selector_is_marked_too(string said, string shown, string selector, int columns)
    {
        await using var control = await FakeControl.StartAsync();
        control.Does("POST metrics/series", http => ErrorAsync(http, 400, "bad_data", said));
        using var crew = new Crew(control);
        var ran = await crew.AsScriptAsync("metrics", "series", selector);
        ran.Ends(ExitCode.Refused);
        Assert.EndsWith(shown, ran.Error, StringComparison.Ordinal);
        Assert.Equal(columns > 0, ran.Error.Contains('^', StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-3")]
    [InlineData("many")]
    public async Task A_limit_is_a_number_from_one(string limit)
    {
        await using var control = await FakeControl.StartAsync();
        using var crew = new Crew(control);
        foreach (var words in (string[][])[["series", "up"], ["top"]])
            (await crew.AsScriptAsync(["metrics", .. words, "--limit", limit])).Ends(ExitCode.Usage);
    }

    [Fact]
    public async Task Series_and_labels_are_lines()
    {
        await using var control = await FakeControl.StartAsync();
        control.Does("POST metrics/series", http => AnswerAsync(http, """{"status":"success","data":[{"__name__":"up","job":"a\"b","instance":"x"},{"__name__":"up"}],"warnings":["results truncated due to limit"]}"""))
            .Does("GET metrics/label/job/values", http => AnswerAsync(http, """{"status":"success","data":["a","b"]}"""));
        using var crew = new Crew(control);
        var series = await crew.AsScriptAsync("metrics", "series", "up", "--limit", "2");
        Assert.Equal("up{instance=\"x\", job=\"a\\\"b\"}\nup\n", series.Out);
        Assert.Contains("--limit", series.Error, StringComparison.Ordinal);
        Assert.Contains("limit=2", control.Asked.Last().Body, StringComparison.Ordinal);
        Assert.Equal("a\nb\n", (await crew.AsScriptAsync("metrics", "labels", "job", "--match", "up")).Out);
        Assert.Equal("GET metrics/label/job/values?match%5B%5D=up", Uri.UnescapeDataString(control.Asked.Last().Line).Replace("[]", "%5B%5D", StringComparison.Ordinal));
        Assert.Equal(2, (await crew.AsScriptAsync("metrics", "series", "up", "--json")).Json().GetArrayLength());
    }

    private static string Wave(string name) => SeriesOf(name, Enumerable.Range(0, 61).Select(i => 50 + (50 * Math.Sin(i / 8.0))));

    private static string Flat(string name) => SeriesOf(name, Enumerable.Range(30, 31).Select(_ => 1500.0), from: 30);

    private static string SeriesOf(string name, IEnumerable<double> values, int from = 0)
    {
        var start = Crew.Now.AddHours(-1).ToUnixTimeSeconds();
        var points = values.Select((v, i) => $"[{start + ((from + i) * 60)},\"{Math.Round(v, 3)}\"]");
        return $$"""{"metric":{"service":"{{name}}"},"values":[{{string.Join(',', points)}}]}""";
    }

    private static string MatrixOf(params string[] series) => $$"""{"resultType":"matrix","result":[{{string.Join(',', series)}}]}""";

    private static string Envelope(string data) => $$"""{"status":"success","data":{{data}}}""";

    private static Task AnswerAsync(HttpContext http, string json, int status = 200)
    {
        (http.Response.StatusCode, http.Response.ContentType) = (status, "application/json");
        return http.Response.WriteAsync(json);
    }

    private static Task ErrorAsync(HttpContext http, int status, string type, string error) =>
        AnswerAsync(http, JsonSerializer.Serialize(new { status = "error", errorType = type, error }, Json.Options), status);

    private static async Task ShowsAsync(string call, string data, string name, params string[] args)
    {
        await using var control = await FakeControl.StartAsync();
        control.Does(call, http => AnswerAsync(http, Envelope(data)));
        using var crew = new Crew(control);
        var ran = await crew.AsPersonAsync(["metrics", .. args, "--no-color"]);
        Assert.All(ran.Out.Split('\n'), l => Assert.True(l.Length <= 80, l));
        Golden.Screen(name, $"{ran.Out}{ran.Error}exit {ran.Code}\n");
        (await crew.AsScriptAsync(["metrics", .. args, "--json"])).Json();
    }
}
