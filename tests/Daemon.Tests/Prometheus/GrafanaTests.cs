using System.Text.Json;
using Groundcrew.Contract;
using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>The calls of a Grafana data source of the kind Prometheus, each in the shape that it expects (AZ-45).</summary>
public sealed class GrafanaTests : IAsyncLifetime
{
    private const string Api = "/prometheus/api/v1";
    private ControlHost _host = null!;
    private Samples _samples = null!;
    private string _viewer = "";

    public async ValueTask InitializeAsync()
    {
        _host = await ControlHost.StartAsync();
        _samples = new(_host);
        _viewer = await _host.TokenAsync(Journal.Role.Viewer);
        foreach (var job in (string[])["api", "web"])
            _samples.Add(Labels.Of(("__name__", "http_requests_total"), ("job", job)), 0, 15, 30, 45, 60);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    /// <summary>What the button "Save and test" asks, and what the version of the query editor depends on.</summary>
    [Fact]
    public async Task The_data_source_is_tested_and_knows_what_it_talks_to()
    {
        var one = await PostedAsync("query", ("query", "1+1"), ("time", $"{_samples.Seconds}"));
        Assert.Equal(("scalar", "2"), (one.GetProperty("resultType").GetString(), one.GetProperty("result")[1].GetString()));
        var build = await AskedAsync("status/buildinfo");
        Assert.Equal(3, Version.Parse(build.GetProperty("version").GetString()!).Major);
        Assert.False(build.TryGetProperty("features", out _)); // Mimir has these; with them Grafana would take this for another product.
    }

    [Fact]
    public async Task Variables_and_the_builder_list_names_and_values_that_match()
    {
        var (start, end) = ($"{_samples.Seconds - 300}", $"{_samples.Seconds}");
        Assert.Equal(["__name__", "job"], Texts(await AskedAsync($"labels?start={start}&end={end}")));
        Assert.Equal(["__name__", "job"], Texts(await PostedAsync("labels", ("start", start), ("end", end), ("match[]", "http_requests_total"))));
        Assert.Equal(["api", "web"], Texts(await AskedAsync($"label/job/values?start={start}&end={end}&match[]={Uri.EscapeDataString("http_requests_total{job=~\".+\"}")}&limit=40000")));
        Assert.Equal(["http_requests_total"], Texts(await AskedAsync($"label/__name__/values?start={start}&end={end}")));
        Assert.Empty(Texts(await AskedAsync($"label/job/values?start={start}&end={end}&match[]=nothing")));
        var series = await PostedAsync("series", ("match[]", "http_requests_total{job=\"api\"}"), ("start", start), ("end", end), ("limit", "40000"));
        Assert.Equal("""[{"__name__":"http_requests_total","job":"api"}]""", series.GetRawText());
    }

    [Fact]
    public async Task A_panel_posts_its_range_and_gets_a_matrix_of_texts()
    {
        var matrix = await PostedAsync("query_range", ("query", "sum by (job) (rate(http_requests_total[1m]))"), ("start", $"{_samples.Seconds - 15}.000"), ("end", $"{_samples.Seconds}.000"), ("step", "15"));
        Assert.Equal("matrix", matrix.GetProperty("resultType").GetString());
        Assert.Equal(2, matrix.GetProperty("result").GetArrayLength());
        foreach (var series in matrix.GetProperty("result").EnumerateArray())
        {
            Assert.Equal(["metric", "values"], series.EnumerateObject().Select(p => p.Name));
            Assert.All(series.GetProperty("values").EnumerateArray(), p => Assert.Equal((JsonValueKind.Number, JsonValueKind.String), (p[0].ValueKind, p[1].ValueKind)));
        }
        var vector = await PostedAsync("query", ("query", "http_requests_total{job=\"api\"}"), ("time", $"{_samples.Seconds}.000"));
        Assert.Equal($$"""{"resultType":"vector","result":[{"metric":{"__name__":"http_requests_total","job":"api"},"value":[{{_samples.Seconds}},"60"]}]}""", vector.GetRawText());
    }

    [Fact]
    public async Task What_else_the_editor_asks_has_an_answer_of_its_shape()
    {
        Assert.Equal("[]", (await PostedAsync("query_exemplars", ("query", "http_requests_total"), ("start", $"{_samples.Seconds - 15}"), ("end", $"{_samples.Seconds}"))).GetRawText());
        Assert.Equal("{}", (await AskedAsync("metadata?limit=5000")).GetRawText());
        Assert.Equal("""{"groups":[]}""", (await AskedAsync("rules")).GetRawText());
        Assert.Equal("""{"groups":[]}""", (await AskedAsync("rules?type=alert&limit_alerts=16")).GetRawText());
        Assert.Equal("\"sum by (job) (up)\"", (await AskedAsync("format_query?query=sum(up)by(job)")).GetRawText());
        var stats = (await PostedAsync("query", ("query", "http_requests_total"), ("time", $"{_samples.Seconds}"), ("stats", "all"))).GetProperty("stats");
        Assert.Equal("""{"totalQueryableSamples":2,"peakSamples":2}""", stats.GetProperty("samples").GetRawText());
        Assert.Equal(
            ["evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"], stats.GetProperty("timings").EnumerateObject().Select(p => p.Name));
    }

    [Fact]
    public async Task A_mistake_is_an_error_of_prometheus_and_a_wrong_token_is_told_before()
    {
        var wrong = (await _host.SendAsync("POST", $"{Api}/query_range", _viewer, new FormUrlEncodedContent(
            [new("query", "sum("), new("start", "1"), new("end", "2"), new("step", "1")]))).Ok(400);
        Assert.Equal("""{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}""", wrong.Text);
        (await _host.SendAsync("POST", $"{Api}/query", "none", new FormUrlEncodedContent([new("query", "1")]))).IsProblem(401, ProblemCodes.Unauthenticated);
    }

    private async Task<JsonElement> AskedAsync(string path) => Data((await _host.GetAsync($"{Api}/{path}", _viewer)).Ok(200));

    private async Task<JsonElement> PostedAsync(string path, params (string Name, string Value)[] form) =>
        Data((await _host.SendAsync("POST", $"{Api}/{path}", _viewer, new FormUrlEncodedContent(form.Select(f => KeyValuePair.Create(f.Name, f.Value))))).Ok(200));

    private static JsonElement Data(Answer answer)
    {
        Assert.Equal(("application/json", "success"), (answer.ContentType, answer.Json.GetProperty("status").GetString()));
        return answer.Json.GetProperty("data");
    }

    private static IEnumerable<string?> Texts(JsonElement list) => list.EnumerateArray().Select(t => t.GetString());
}
