using System.Net;
using System.Text.Json;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>What holds on both paths.</summary>
public abstract class RoutingTests(bool isDirect) : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Each_host_reaches_its_own_deployment_and_a_custom_domain_the_same_as_its_label_ZW_67()
    {
        await using var one = await Instance.SayingAsync("one");
        await using var two = await Instance.SayingAsync("two");
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        Assert.IsType<ApplyOutcome.Applied>(edge.Table.Apply(Of(1,
            Route("web-a7x9k2m-acme.localhost", one.Target), Route("app.example.org", one.Target), Route("web-b8y3n5p-acme.localhost", two.Target))));

        Assert.Equal((HttpStatusCode.OK, "one"), await edge.GetAsync("web-a7x9k2m-acme.localhost"));
        Assert.Equal((HttpStatusCode.OK, "one"), await edge.GetAsync("app.example.org"));
        Assert.Equal((HttpStatusCode.OK, "two"), await edge.GetAsync("web-b8y3n5p-acme.localhost"));
    }

    [Theory]
    [InlineData("app.example.org:8000")]
    [InlineData("APP.Example.ORG")]
    [InlineData("app.example.org.")]
    [InlineData("app.example.org.:8000")]
    public async Task A_host_is_found_whatever_its_case_port_or_root_dot(string host)
    {
        await using var instance = await Instance.SayingAsync("here");
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route("app.example.org", instance.Target)));

        Assert.Equal((HttpStatusCode.OK, "here"), await edge.GetAsync(host));
    }

    [Theory]
    [InlineData("sub.app.example.org")]
    [InlineData("example.org")]
    [InlineData("[::1]:8000")]
    [InlineData("web-a7x9k2m-acme.localhost.evil.example")]
    public async Task A_host_is_looked_up_whole_and_never_parsed_T_40(string host)
    {
        await using var instance = await Instance.SayingAsync("here");
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route("app.example.org", instance.Target), Route("web-a7x9k2m-acme.localhost", instance.Target)));

        Assert.Equal(HttpStatusCode.NotFound, (await edge.GetAsync(host)).Status);
        Assert.Equal(0, instance.Seen);
        Assert.Equal(1, edge.Metric("groundcrew_edge_no_route_total"));
    }

    [Theory]
    [InlineData("application/json", "application/problem+json")]
    [InlineData("text/html,application/xhtml+xml", "text/html")]
    [InlineData("*/*", "text/plain")]
    public async Task An_unknown_host_is_told_so_in_the_form_that_the_client_reads(string accept, string type)
    {
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        using var request = edge.Request(HttpMethod.Get, "nobody.example", "/");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await edge.Client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal(type, response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("no route for this host", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.False(response.Headers.Contains("Server"));
    }

    [Fact]
    public async Task A_route_without_an_instance_asks_the_client_to_come_again()
    {
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        edge.Table.Apply(Of(1, Route("app.example.org")));
        using var request = edge.Request(HttpMethod.Get, "app.example.org", "/");
        using var response = await edge.Client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(2), response.Headers.RetryAfter?.Delta);
        Assert.Equal(1, edge.Metric("""groundcrew_edge_requests_total{org="acme",project="web",route="app.example.org",deployment="web-a7x9k2m-acme",status="503"}"""));
    }

    [Fact]
    public async Task The_status_port_tells_health_metrics_and_the_table_and_carries_no_traffic()
    {
        await using var instance = await Instance.SayingAsync("here");
        await using var edge = await EdgeHost.StartAsync(_folder.Path, isDirect: isDirect);
        var stop = TestContext.Current.CancellationToken;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await edge.Status.GetAsync("/health/ready", stop)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await edge.Status.GetAsync("/health/live", stop)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await edge.Status.GetAsync("/routes", stop)).StatusCode);

        edge.Table.Apply(Of(7, Route("app.example.org", instance.Target)));
        Assert.Equal(HttpStatusCode.OK, (await edge.GetAsync("app.example.org", "/health")).Status);

        using var health = JsonDocument.Parse(await edge.Status.GetStringAsync("/health", stop));
        Assert.Equal("healthy", health.RootElement.GetProperty("status").GetString());
        Assert.Equal("healthy", health.RootElement.GetProperty("checks").GetProperty("table").GetProperty("status").GetString());
        using var routes = JsonDocument.Parse(await edge.Status.GetStringAsync("/routes", stop));
        Assert.Equal(7, routes.RootElement.GetProperty("generation").GetInt64());
        var metrics = await edge.Status.GetStringAsync("/metrics", stop);
        Assert.Contains("groundcrew_edge_table_generation 7", metrics, StringComparison.Ordinal);
        Assert.Contains("""http_requests_total{service="web-acme",status="200"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains("""groundcrew_edge_request_duration_seconds_count{org="acme",project="web",route="app.example.org",deployment="web-a7x9k2m-acme"} 1""", metrics, StringComparison.Ordinal);
    }
}

/// <summary>On the direct path.</summary>
public sealed class RoutingOnTheDirectPathTests() : RoutingTests(isDirect: true);

/// <summary>On the full path.</summary>
public sealed class RoutingOnTheFullPathTests() : RoutingTests(isDirect: false);
