using System.Net;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>What an edge says of the moment: by its status port, and by the records that the link carries.</summary>
public sealed class LiveTests : IDisposable
{
    private const string Host = "app.example.org";
    private readonly TempFolder _folder = new();
    private readonly ManualClock _clock = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_breaker_says_how_often_and_until_when()
    {
        var table = Table();
        var (well, sick) = (Dead(), Dead());
        table.Apply(Of(1, Route(Host, well, sick) with { Policy = new RoutePolicy { Breaker = new BreakerPolicy { Failures = 2, OpenFor = TimeSpan.FromSeconds(7) } } }));
        var state = table.Find(Host)!.Targets.Single(t => t.InstanceId == sick.InstanceId);
        for (var i = 0; i < 2; i++)
            state.Breaker.Failed(_clock.GetTimestamp());

        var service = Assert.Single(table.Breakers());
        Assert.Equal(("acme/web/production", BreakerState.Closed), (service.Service, service.Breaker.State));
        var open = service.Targets.Single(t => t.Instance == sick.InstanceId).Breaker;
        Assert.Equal((BreakerState.Open, 2, 100, 1), (open.State, open.FailuresInARow, open.FailurePercent, open.Opened));
        Assert.Equal(_clock.GetUtcNow() + TimeSpan.FromSeconds(7), open.OpenUntil);
        Assert.Equal(BreakerState.Closed, service.Targets.Single(t => t.Instance == well.InstanceId).Breaker.State);
    }

    [Fact]
    public void Limits_say_what_they_turned_away_and_what_is_held()
    {
        var table = Table();
        var rate = new RateLimit("calls", 1, TimeSpan.FromMinutes(1));
        var hold = new Hold(HoldKind.Paused, null, TimeSpan.FromSeconds(30), 5, _clock.GetUtcNow());
        table.Apply(Of(1, Route(Host, Dead()) with { Policy = new RoutePolicy { Rates = [rate], Concurrency = new ConcurrencyLimit(3) } }) with { Holds = [new ServiceHold("acme", "web", "production", hold)] });
        var limiter = table.Find(Host)!.Rates.Single();
        for (var i = 0; i < 4; i++)
            limiter.TryTake("somebody", _clock.GetTimestamp(), out _);

        var service = Assert.Single(table.Limits());
        Assert.Equal(("acme/web/production", HoldKind.Paused, 0), (service.Service, service.Hold!.Kind, service.Held));
        Assert.Equal((0, 3, 0, 0L), (service.InFlight, service.InFlightAtMost, service.Waiting, service.Shed));
        Assert.Equal(("calls", 1, 3L), Assert.Single(service.Rates) is var r ? (r.Limit.Name, r.Keys, r.Refused) : default);
    }

    [Fact]
    public void Routes_say_shares_what_is_in_flight_and_what_still_drains()
    {
        var table = Table();
        var (old, main, share) = (Dead(), Dead(), Dead());
        table.Apply(Of(1, Route(Host, old)));
        Assert.True(table.TryClaim(Host, [], out _, out _));
        table.Apply(Of(2, Route(Host, main) with { Path = "/api", Split = [new Share("web-b", 30, [share])] }));
        table.Find(Host, "/api")!.Main.Targets.Single().TryEnter();

        var live = table.Routes();
        Assert.Equal((2, old.InstanceId), (live.Generation, Assert.Single(live.Draining).InstanceId));
        var route = Assert.Single(live.Routes);
        Assert.Equal((Host, "/api", null, "acme/web/production"), (route.Host, route.Path, route.Match, route.Service));
        Assert.Equal([("web-a7x9k2m-acme", 70, main.InstanceId, 1), ("web-b", 30, share.InstanceId, 0)],
            route.Backends.Select(b => (b.Deployment, b.Percent, Assert.Single(b.Targets).Instance, b.Targets[0].InFlight)));
        Assert.Equal(0, Table("other").Routes().Generation);
    }

    [Fact]
    public async Task The_status_port_names_everything_as_before()
    {
        await using var instance = await Instance.SayingAsync("here");
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        edge.Table.Apply(Of(7, Route(Host, instance.Target) with { Policy = new RoutePolicy { Rates = [new RateLimit("calls", 1, TimeSpan.FromHours(1))] } }));
        Assert.Equal(HttpStatusCode.OK, (await edge.GetAsync(Host)).Status);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await edge.GetAsync(Host)).Status);

        using var breakers = JsonDocument.Parse(await edge.Status.GetStringAsync("/debug/circuit-breakers", Stop));
        var service = breakers.RootElement[0];
        Assert.Equal(["service", "breaker", "targets"], NamesOf(service));
        Assert.Equal(["state", "failuresInARow", "requests", "failurePercent", "opened"], NamesOf(service.GetProperty("breaker")));
        Assert.Equal(["instance", "address", "breaker"], NamesOf(service.GetProperty("targets")[0]));
        using var limits = JsonDocument.Parse(await edge.Status.GetStringAsync("/debug/limits", Stop));
        Assert.Equal(["service", "held", "rates", "retriesRefused"], NamesOf(limits.RootElement[0]));
        var rate = limits.RootElement[0].GetProperty("rates")[0];
        Assert.Equal((1, 1), (rate.GetProperty("keys").GetInt32(), rate.GetProperty("refused").GetInt32()));
    }

    private EdgeTable Table(string folder = "state") => new(
        new EdgeOptions { StateFolder = Directory.CreateDirectory(_folder[folder]).FullName }, DurableFiles.Real, new MetricRegistry(), new SeenSignals(), _clock);

    private static IEnumerable<string> NamesOf(JsonElement element) => element.EnumerateObject().Select(p => p.Name);
}
