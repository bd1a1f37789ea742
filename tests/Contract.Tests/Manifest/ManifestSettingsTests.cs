using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract.Manifest;
using Xunit;

namespace Groundcrew.Contract.Tests.Manifest;

public sealed class ManifestSettingsTests
{
    private const string Layered = """
        system: acme
        services:
          web:
            run: ./web
            health: { liveness: { path: /live, period: 10s }, readiness: /ready, timeout: 500ms }
            instances: 3
            resources: { cpu: 2, memory: 1G }
            environment: { GREETING: hello, LEVEL: info, TOKEN: plain }
            secrets: { DB_PASSWORD: db-password, KEY: key }
            domains: [app.acme.org]
            edge: { maxBody: 20MB, timeouts: { connect: 1s }, limits: [{ name: reads, requests: 5, per: 1m }] }
            environments:
              staging:
                edge: { timeouts: { idle: 5s }, limits: [] }
                instances: { default: 1, eu-west: 2 }
                resources: { memory: 256Mi }
                environment: { LEVEL: debug, KEY: not-so-secret }
                secrets: { DB_PASSWORD: staging-db, TOKEN: token }
                domains: [staging.acme.org]
              dev: {}
          worker: { run: [./worker, "--port", "${PORT}"] }
        """;

    [Fact]
    public void Production_has_the_services_own_settings()
    {
        var web = Read(Layered).For("production")["web"];
        Assert.Equal(3, web.Instances.CountIn("eu-west"));
        Assert.Equal(new ResourcesManifest { Millicores = 2000, MemoryBytes = 1_000_000_000 }, web.Resources);
        Assert.Equal(["app.acme.org"], web.Domains);
        Assert.Equal("hello", web.Environment["GREETING"]);
    }

    [Fact]
    public void An_environment_is_laid_over_the_service()
    {
        var web = Read(Layered).For("staging")["web"];
        Assert.Equal(1, web.Instances.CountIn("us-east"));
        Assert.Equal(2, web.Instances.CountIn("eu-west"));
        Assert.Equal(new ResourcesManifest { Millicores = 2000, MemoryBytes = 256 << 20 }, web.Resources);
        Assert.Equal(["staging.acme.org"], web.Domains);
        Assert.Equal([new("GREETING", "hello"), new("KEY", "not-so-secret"), new("LEVEL", "debug")], web.Environment.OrderBy(pair => pair.Key, StringComparer.Ordinal));
        Assert.Equal([new("DB_PASSWORD", "staging-db"), new("TOKEN", "token")], web.Secrets.OrderBy(pair => pair.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Of_the_edge_each_key_that_an_environment_names_counts_whole()
    {
        var (production, staging) = (Read(Layered).For("production")["web"].Edge!, Read(Layered).For("staging")["web"].Edge!);
        Assert.Equal(new EdgeTimeoutsManifest { Connect = TimeSpan.FromSeconds(1) }, production.Timeouts);
        Assert.Equal("reads", Assert.Single(production.Limits!).Name);
        Assert.Equal(new EdgeTimeoutsManifest { Idle = TimeSpan.FromSeconds(5) }, staging.Timeouts);
        Assert.Empty(staging.Limits!);
        Assert.Equal((20_000_000, 20_000_000), (production.MaxBodyBytes, staging.MaxBodyBytes));
        Assert.Null(staging.Retries);
    }

    [Fact]
    public void An_environment_may_speak_of_the_edge_where_the_service_does_not()
    {
        var manifest = Read("system: acme\nservices: { web: { run: ./web, environments: { dev: { edge: { slowStart: 5s } } } } }");
        Assert.Null(manifest.For("production")["web"].Edge);
        Assert.Equal(new EdgeManifest { SlowStart = TimeSpan.FromSeconds(5) }, manifest.For("dev")["web"].Edge);
    }

    [Fact]
    public void An_environment_may_lay_over_every_key_of_the_edge()
    {
        var all = Read(ManifestReference.Example()).Services["web"].Edge!;
        Assert.All(typeof(EdgeManifest).GetProperties(), property => Assert.NotNull(property.GetValue(all)));
        Assert.Equal(all, new EdgeManifest().With(all));
        Assert.Equal(all, all.With(new EdgeManifest()));
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("pr-12")]
    public void An_environment_that_says_nothing_has_the_services_settings_without_domains(string environment)
    {
        var web = Read(Layered).For(environment)["web"];
        Assert.Equal(3, web.Instances.CountIn("eu-west"));
        Assert.Empty(web.Domains);
    }

    [Fact]
    public void A_probe_overrides_what_the_probes_share()
    {
        var web = Read(Layered).For("production")["web"];
        Assert.Equal(new ProbeSettings("/live", TimeSpan.Zero, TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(500), 3), web.Liveness);
        Assert.Equal(new ProbeSettings("/ready", TimeSpan.Zero, TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(500), 3), web.Readiness);
    }

    [Fact]
    public void What_is_left_out_has_the_documented_default()
    {
        var worker = Read(Layered).For("production")["worker"];
        Assert.Equal(["."], worker.Package);
        Assert.Equal(["./worker", "--port", "${PORT}"], worker.Run!.Words!);
        Assert.Null(worker.Readiness);
        Assert.Equal(TimeSpan.FromSeconds(60), worker.Deadline);
        Assert.Equal(1, worker.Instances.CountIn("anywhere"));
        Assert.Equal(TimeSpan.FromSeconds(15), worker.Drain);
        Assert.Equal(TimeSpan.FromMinutes(10), worker.RollbackWindow);
        Assert.Equal(10, worker.KeepVersions);
        Assert.Equal(DeployStrategy.BlueGreen, worker.Strategy);
    }

    [Fact]
    public void A_service_runs_only_in_named_regions_when_there_is_no_default()
    {
        var manifest = Read("system: acme\nservices: { web: { run: ./web, instances: { eu-west: 2 } } }");
        var instances = manifest.For("production")["web"].Instances;
        Assert.Equal((2, 0), (instances.CountIn("eu-west"), instances.CountIn("us-east")));
    }

    [Fact]
    public void Production_comes_first_among_the_environments() =>
        Assert.Equal(["production", "dev", "staging"], Read(Layered).EnvironmentNames);

    [Fact]
    public void Settings_cross_the_wire_unchanged()
    {
        var sent = Read(Layered).For("staging")["web"];
        var json = JsonSerializer.Serialize(sent, Json.Options);
        var received = JsonSerializer.Deserialize<ServiceSettings>(json, Json.Options)!;
        Assert.Equal(json, JsonSerializer.Serialize(received, Json.Options));
        Assert.Equal(sent.Readiness, received.Readiness);
        Assert.Contains("\"strategy\":\"blue-green\"", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"vcpu": 2, "memory": 1024}""", 2000, 1_024_000_000L)]
    [InlineData("""{"vcpu": 0.5}""", 500, null)]
    [InlineData("{ cpu: 100m, memory: 128Mi }", 100, 134_217_728L)]
    [InlineData("{ cpu: '2', memory: 1G }", 2000, 1_000_000_000L)]
    public void Resources_read_alone_in_the_words_of_all_guides(string text, int millicores, long? bytes)
    {
        var resources = ManifestReader.ReadResources(text).Value!;
        Assert.Equal((millicores, bytes), (resources.Millicores!.Value, resources.MemoryBytes));
    }

    [Fact]
    public void Resources_alone_are_judged_whole()
    {
        var judged = ManifestReader.ReadResources("""{"vcpu": "many", "memory": -1, "disk": 10}""");
        Assert.Equal(["resources.vcpu", "resources.memory", "resources.disk"], judged.Problems.Select(problem => problem.Path));
    }

    [Fact]
    public void Resources_show_as_the_guide_writes_them()
    {
        var resources = ManifestReader.ReadResources("""{"vcpu": 2, "memory": 1024}""").Value!;
        Assert.Equal((2m, 1024L), (resources.VirtualProcessors(), resources.MemoryMegabytes()));
        Assert.Null(new ResourcesManifest().MemoryMegabytes());
    }

    private static SystemManifest Read(string yaml)
    {
        var judged = ManifestReader.Read(yaml, "crew.yaml");
        Assert.Empty(judged.Problems);
        return judged.Value!;
    }
}
