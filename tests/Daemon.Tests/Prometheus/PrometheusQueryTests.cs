using System.Diagnostics;
using Groundcrew.Contract;
using Groundcrew.Journal;
using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Prometheus' API: queries and what there is, in the shapes and words that its clients know (AZ-45, AZ-61, AZ-70).</summary>
public sealed class PrometheusQueryTests : IAsyncLifetime
{
    private const string Api = "/prometheus/api/v1";
    private ControlHost _host = null!;
    private Samples _samples = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await ControlHost.StartAsync(trustLoopback: true);
        _samples = new(_host);
        _samples.Add(Labels.Of(("__name__", "up"), ("job", "api"), ("org", "acme")), 1, 1, 0, 1);
        _samples.Add(Labels.Of(("__name__", "up"), ("job", "web"), ("org", "other")), 0, 0, 0, double.PositiveInfinity);
        _samples.Add(Labels.Of(("__name__", "http_requests_total"), ("service", "web-acme"), ("status", "200"), ("org", "acme")), 0, 15, 30, 45);
        _samples.Add(Labels.Of(("__name__", "small"), ("org", "acme")), 1e-9);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("query=up{job=\"api\"}&time=$T", """{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"api","org":"acme"},"value":[$T,"1"]}]}""")]
    [InlineData("query=up{job=\"web\"}&time=$T.5", """{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"web","org":"other"},"value":[$T.500,"+Inf"]}]}""")]
    [InlineData("query=small&time=$T", """{"resultType":"vector","result":[{"metric":{"__name__":"small","org":"acme"},"value":[$T,"1e-09"]}]}""")]
    [InlineData("query=none&time=$T", """{"resultType":"vector","result":[]}""")]
    [InlineData("query=0/0&time=1.5", """{"resultType":"scalar","result":[1.500,"NaN"]}""")]
    [InlineData("query='x<\"y'&time=1", """{"resultType":"string","result":[1,"x<\"y"]}""")]
    [InlineData("query=up{job=\"api\"}[31s]&time=$T", """{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"api","org":"acme"},"values":[[$B,"1"],[$A,"0"],[$T,"1"]]}]}""")]
    public async Task An_instant_query_is_answered(string query, string data)
    {
        foreach (var answer in (Answer[])[await _host.GetAsync($"{Api}/query?{Encoded(query)}"), await FormAsync("query", query)])
        {
            Assert.Equal("application/json", answer.Ok(200).ContentType);
            Assert.Equal($$"""{"status":"success","data":{{InTime(data)}}}""", answer.Text);
        }
    }

    [Theory]
    [InlineData("query=up{job=\"api\"}&start=$A&end=$T&step=15", """{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"api","org":"acme"},"values":[[$A,"0"],[$T,"1"]]}]}""")]
    [InlineData("query=1&start=10&end=11&step=500ms", """{"resultType":"matrix","result":[{"metric":{},"values":[[10,"1"],[10.500,"1"],[11,"1"]]}]}""")]
    [InlineData("query=sum(rate(http_requests_total[1m]))&start=$T&end=$T&step=1m", """{"resultType":"matrix","result":[{"metric":{},"values":[[$T,"0.75"]]}]}""")]
    public async Task A_range_query_is_answered(string query, string data)
    {
        var answer = (await _host.GetAsync($"{Api}/query_range?{Encoded(query)}")).Ok(200);
        Assert.Equal($$"""{"status":"success","data":{{InTime(data)}}}""", answer.Text);
        Assert.Equal(answer.Text, (await FormAsync("query_range", query)).Text);
    }

    [Theory]
    [InlineData(400, "bad_data", "query?query=sum(up&time=1", "invalid parameter \"query\": 1:7: parse error: unclosed left parenthesis")]
    [InlineData(400, "bad_data", "query", "invalid parameter \"query\": unknown position: parse error: no expression found in input")]
    [InlineData(400, "bad_data", "query?query=up&time=foo", "invalid parameter \"time\": invalid time value for 'time': cannot parse \"foo\" to a valid timestamp")]
    [InlineData(400, "bad_data", "query?query=1&timeout=x", "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration")]
    [InlineData(400, "bad_data", "query?query=up&limit=-1", "invalid parameter \"limit\": limit must be non-negative")]
    [InlineData(400, "bad_data", "query_range?query=1&start=10&end=5&step=1", "invalid parameter \"end\": end timestamp must not be before start time")]
    [InlineData(400, "bad_data", "query_range?query=1&start=0&end=5&step=0", "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer")]
    [InlineData(400, "bad_data", "query_range?query=1&start=0&end=11001&step=1", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")]
    [InlineData(400, "bad_data", "query_range?query=1", "invalid parameter \"start\": cannot parse \"\" to a valid timestamp")]
    [InlineData(400, "bad_data", "series", "no match[] parameter provided")]
    [InlineData(400, "bad_data", "series?match[]={a=\"\"}", "invalid parameter \"match[]\": ")]
    [InlineData(400, "bad_data", "labels?start=x", "invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp")]
    [InlineData(400, "bad_data", "metadata?limit=x", "limit must be a number")]
    [InlineData(400, "bad_data", "parse_query?query=up{", "invalid parameter \"query\": ")]
    [InlineData(400, "bad_data", "format_query?query=up{", "invalid parameter \"query\": ")]
    [InlineData(422, "execution", "query?query=label_replace(up,\"a\",\"b\",\"c\",\"(\")", "invalid regular expression in label_replace(): (")]
    [InlineData(422, "execution", "query?query=up%2Bon(nothing)up", "found duplicate series for the match group")]
    public async Task What_cannot_be_answered_is_told_in_prometheus_words(int status, string type, string path, string error)
    {
        var answer = (await _host.GetAsync($"{Api}/{path}")).Ok(status);
        Assert.Equal(("application/json", "error", type), (answer.ContentType, answer.Json.GetProperty("status").GetString(), answer.Json.GetProperty("errorType").GetString()));
        Assert.StartsWith(error, answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exemplars_of_the_series_in_a_query_are_given()
    {
        var exemplars = _host.Get<Wiring.Monitoring>().Exemplars;
        foreach (var (org, trace) in ((string, string)[])[("acme", "1"), ("other", "2")])
            Assert.True(exemplars.Add(Labels.Of(("__name__", "x_bucket"), ("org", org)), Labels.Of(("trace_id", trace)).Packed, 0.25, _samples.Now));
        const string query = "query=histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) + up&start=$A&end=$T";
        var (first, second) = (InTime("""{"seriesLabels":{"__name__":"x_bucket","org":"acme"},"exemplars":[{"labels":{"trace_id":"1"},"value":"0.25","timestamp":$T}]}"""), "\"trace_id\":\"2\"");

        var all = (await FormAsync("query_exemplars", query)).Ok(200).Text;
        var own = (await _host.GetAsync($"{Api}/query_exemplars?{Encoded(query)}", await _host.TokenAsync(Role.Viewer, "acme"))).Ok(200).Text;

        Assert.StartsWith($$"""{"status":"success","data":[{{first}},""", all, StringComparison.Ordinal);
        Assert.Contains(second, all, StringComparison.Ordinal);
        Assert.Equal($$"""{"status":"success","data":[{{first}}]}""", own);
        Assert.Equal("""{"status":"success","data":[]}""", (await _host.GetAsync($"{Api}/query_exemplars?{Encoded("query=x_bucket&start=$B&end=$A")}")).Ok(200).Text);
    }

    [Fact]
    public async Task The_deepest_query_is_given_as_its_tree()
    {
        var query = string.Concat(Enumerable.Repeat("abs(", 499)) + "up" + new string(')', 499);
        Assert.Contains("vectorSelector", (await FormAsync("parse_query", "query=" + query)).Ok(200).Text, StringComparison.Ordinal);
        Assert.Contains("nested too deeply", (await FormAsync("parse_query", "query=" + new string('(', 2000))).Ok(400).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_limit_cuts_and_says_so()
    {
        var cut = (await _host.GetAsync($"{Api}/query?query=up&limit=1&time={_samples.Seconds}")).Ok(200).Json;
        Assert.Equal((1, "results truncated due to limit"), (cut.GetProperty("data").GetProperty("result").GetArrayLength(), cut.GetProperty("warnings")[0].GetString()));
        var series = (await _host.GetAsync($"{Api}/series?match[]=up&limit=1")).Ok(200).Json;
        Assert.Equal((1, "results truncated due to limit"), (series.GetProperty("data").GetArrayLength(), series.GetProperty("warnings")[0].GetString()));
        Assert.False((await _host.GetAsync($"{Api}/query?query=up&limit=2&time={_samples.Seconds}")).Json.TryGetProperty("warnings", out _));
    }

    [Fact]
    public async Task Remarks_on_a_query_stand_beside_the_answer()
    {
        var answer = (await _host.GetAsync($"{Api}/query?query=rate(up[5m])&time={_samples.Seconds}")).Ok(200).Json;
        Assert.Equal(
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"up\" (1:6)", Assert.Single(answer.GetProperty("infos").EnumerateArray()).GetString());
        Assert.True((await _host.GetAsync($"{Api}/query?query=1&stats=all")).Json.GetProperty("data").GetProperty("stats").GetProperty("timings").GetProperty("execTotalTime").GetDouble() >= 0);
    }

    [Theory]
    [InlineData("series?match[]=up{job=\"api\"}", """[{"__name__":"up","job":"api","org":"acme"}]""")]
    [InlineData("series?match[]=up{job=\"api\"}&match[]=small&match[]=up{job=~\"a.*\"}", """[{"__name__":"small","org":"acme"},{"__name__":"up","job":"api","org":"acme"}]""")]
    [InlineData("labels", """["__name__","job","org","service","status"]""")]
    [InlineData("labels?match[]=up", """["__name__","job","org"]""")]
    [InlineData("label/job/values", """["api","web"]""")]
    [InlineData("label/__name__/values?match[]={org=\"other\"}", """["up"]""")]
    [InlineData("label/U__no_2e_dots/values", "[]")]
    [InlineData("format_query?query=sum(up)by(job)", "\"sum by (job) (up)\"")]
    [InlineData("parse_query?query=-up", """{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"up"}],"name":"up","offset":0,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"op":"-","type":"unaryExpr"}""")]
    [InlineData("notifications", "[]")]
    [InlineData("alertmanagers", """{"activeAlertmanagers":[],"droppedAlertmanagers":[]}""")]
    [InlineData("query_exemplars?query=up&start=0&end=1", "[]")]
    [InlineData("rules", """{"groups":[]}""")]
    [InlineData("alerts", """{"alerts":[]}""")]
    [InlineData("targets", """{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}""")]
    [InlineData("metadata", "{}")]
    [InlineData("targets/metadata", "[]")]
    [InlineData("status/walreplay", null)]
    [InlineData("status/config", null)]
    [InlineData("status/flags", null)]
    [InlineData("status/runtimeinfo", null)]
    public async Task What_there_is_is_told(string path, string? data)
    {
        var answer = (await _host.GetAsync($"{Api}/{path}")).Ok(200);
        if (data is null)
            Assert.Equal("success", answer.Json.GetProperty("status").GetString());
        else
            Assert.Equal($$"""{"status":"success","data":{{data}}}""", answer.Text);
    }

    [Fact]
    public async Task What_makes_series_many_is_counted()
    {
        var view = (await _host.GetAsync($"{Api}/status/tsdb?limit=2")).Ok(200).Json.GetProperty("data");
        Assert.Equal(4, view.GetProperty("headStats").GetProperty("numSeries").GetInt32());
        Assert.Equal("""[{"name":"up","value":2},{"name":"http_requests_total","value":1}]""", view.GetProperty("seriesCountByMetricName").GetRawText());
        Assert.Equal("""{"name":"org=acme","value":3}""", view.GetProperty("seriesCountByLabelValuePair")[0].GetRawText());
    }

    [Fact]
    public async Task A_token_of_an_organization_sees_its_own_series_whatever_it_asks()
    {
        var own = await _host.TokenAsync(Role.Viewer, "acme");
        foreach (var query in (string[])["up", "{__name__=~\".+\"}", "up{org=\"other\"} or up", "count({org=~\".+\"}) or up"])
        {
            var seen = (await _host.GetAsync($"{Api}/query?{Encoded($"query={query}&time={_samples.Seconds}")}", own)).Ok(200).Text;
            Assert.DoesNotContain("other", seen, StringComparison.Ordinal);
            Assert.Contains("\"acme\"", seen, StringComparison.Ordinal);
        }
        foreach (var path in (string[])["series?match[]=up", "label/org/values", "label/job/values", "labels", "status/tsdb"])
            Assert.False((await _host.GetAsync($"{Api}/{path}", own)).Ok(200).Text is var text && (text.Contains("other", StringComparison.Ordinal) || text.Contains("web\"", StringComparison.Ordinal)), path);
        foreach (var path in (string[])["status/config", "status/flags", "status/runtimeinfo", "notifications"])
            (await _host.GetAsync($"{Api}/{path}", own)).IsProblem(403, ProblemCodes.Forbidden);
    }

    [Fact]
    public async Task The_newest_samples_are_federated()
    {
        var answer = (await _host.GetAsync("/prometheus/federate?match[]=up", await _host.TokenAsync(Role.Viewer, "acme"))).Ok(200);
        Assert.Equal(("text/plain", $"# TYPE up untyped\nup{{job=\"api\",org=\"acme\",instance=\"\"}} 1 {_samples.Now}\n"), (answer.ContentType, answer.Text));
        (await _host.GetAsync("/prometheus/federate?match[]=up{")).Ok(400);
        Assert.Equal("", (await _host.GetAsync("/prometheus/federate")).Ok(200).Text);
    }

    [Fact]
    public async Task What_is_deleted_is_gone_at_once_and_audited()
    {
        (await _host.SendAsync("POST", $"{Api}/admin/tsdb/delete_series?match[]=up%7Bjob%3D%22web%22%7D", await _host.TokenAsync(Role.Deployer), (string?)null)).IsProblem(403, ProblemCodes.Forbidden);
        (await _host.SendAsync("POST", $"{Api}/admin/tsdb/delete_series?match[]=up%7Bjob%3D%22web%22%7D", _host.Admin, (string?)null)).Ok(204);
        Assert.DoesNotContain("web", (await _host.GetAsync($"{Api}/query?query=up&time={_samples.Seconds}")).Text, StringComparison.Ordinal);
        Assert.Contains("api", (await _host.GetAsync($"{Api}/query?query=up&time={_samples.Seconds}")).Text, StringComparison.Ordinal);
        (await _host.SendAsync("PUT", $"{Api}/admin/tsdb/clean_tombstones", _host.Admin, (string?)null)).Ok(204);
        Assert.Equal(["metrics.clean", "metrics.delete"], (await _host.GetAsync("/api/v1/audit")).As<AuditView[]>().Select(a => a.Action).Where(a => a.StartsWith("metrics.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_is_sent_by_remote_write_must_be_packed_protobuf_from_a_token_of_the_platform()
    {
        HttpContent Body() => new ByteArrayContent([0]) { Headers = { ContentType = new("application/x-protobuf"), ContentEncoding = { "snappy" } } };
        (await _host.SendAsync("POST", $"{Api}/write", await _host.TokenAsync(Role.Deployer), Body())).Ok(204);
        (await _host.SendAsync("POST", $"{Api}/write", await _host.TokenAsync(Role.Viewer), Body())).IsProblem(403, ProblemCodes.Forbidden);
        (await _host.SendAsync("POST", $"{Api}/write", await _host.TokenAsync(Role.Deployer, "acme"), Body())).IsProblem(403, ProblemCodes.Forbidden);
        (await _host.SendAsync("POST", $"{Api}/write", _host.Admin, "{}")).Ok(415);
    }

    [Fact]
    public async Task The_real_promtool_asks_with_the_token_and_without_where_loopback_is_trusted()
    {
        foreach (var server in (string[])[$"{_host.Address}prometheus", $"http://x:{_host.Admin}@{_host.Address.Authority}/prometheus"])
        {
            Assert.Equal($"up{{job=\"api\", org=\"acme\"}} => 1 @[{_samples.Seconds}]\n", await PromtoolAsync("query", "instant", $"--time={_samples.Seconds}", server, "up{job=\"api\"}"));
            Assert.Contains($"\n1 @[{_samples.Seconds}]", await PromtoolAsync("query", "range", $"--start={_samples.Seconds - 15}", $"--end={_samples.Seconds}", "--step=15s", server, "up{job=\"api\"}"), StringComparison.Ordinal);
            Assert.Equal("{__name__=\"small\", org=\"acme\"}\n", await PromtoolAsync("query", "series", "--match=small", server));
            Assert.Equal("api\nweb\n", await PromtoolAsync("query", "labels", server, "job"));
        }
    }

    private static async Task<string> PromtoolAsync(params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo("promtool", args) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (said, failed) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"promtool {string.Join(' ', args)}: {await failed}");
        return await said;
    }

    private Task<Answer> FormAsync(string call, string query) => _host.SendAsync(
        "POST", $"{Api}/{call}", _host.Admin, new FormUrlEncodedContent(InTime(query).Split('&').Select(p => p.Split('=', 2)).Select(p => KeyValuePair.Create(p[0], p[1]))));

    private string Encoded(string query) => string.Join('&', InTime(query).Split('&').Select(p => p.Split('=', 2)).Select(p => $"{p[0]}={Uri.EscapeDataString(p[1])}"));

    /// <summary>$T is the time of the newest samples, $A and $B of those before.</summary>
    private string InTime(string text) => text.Replace("$T", $"{_samples.Seconds}", StringComparison.Ordinal)
        .Replace("$A", $"{_samples.Seconds - 15}", StringComparison.Ordinal).Replace("$B", $"{_samples.Seconds - 30}", StringComparison.Ordinal);
}
