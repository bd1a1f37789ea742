using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

public sealed class TableTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly SeenSignals _signals = new();
    private readonly ManualClock _clock = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_older_generation_is_refused_and_the_newer_serves_on()
    {
        var table = Open();
        Assert.Equal(new ApplyOutcome.Applied(5), table.Apply(Of(5, Route("five.example"))));

        Assert.Equal(new ApplyOutcome.RefusedOlder(5), table.Apply(Of(4, Route("four.example"))));
        Assert.NotNull(table.Find("five.example"));
        Assert.Null(table.Find("four.example"));
    }

    [Fact]
    public void The_same_table_is_known_and_another_of_its_generation_is_a_problem()
    {
        var table = Open();
        table.Apply(Of(5, Route("five.example")));

        Assert.Equal(new ApplyOutcome.SameAlready(5), table.Apply(Of(5, Route("five.example"))));
        var refused = Assert.IsType<ApplyOutcome.RefusedProblems>(table.Apply(Of(5, Route("other.example"))));
        Assert.Equal("generation-used", Assert.Single(refused.Problems).Code);
        Assert.NotNull(table.Find("five.example"));
    }

    [Fact]
    public void Another_platform_is_refused_also_after_a_restart()
    {
        Open().Apply(Of(5, Route("five.example")));
        var stranger = Of(6, Route("six.example")) with { Platform = Ids.New(_clock) };

        Assert.Equal(new ApplyOutcome.RefusedOtherPlatform(Platform), Open().Apply(stranger));
    }

    [Fact]
    public void The_last_table_serves_after_a_restart_and_still_refuses_older_ones()
    {
        var target = Dead();
        var route = Route("five.example", target).Idling(TimeSpan.FromSeconds(7));
        Open().Apply(Of(5, route));

        var table = Open();
        Assert.Equal(5, table.Status().Generation);
        Assert.Equal(TimeSpan.FromSeconds(7), table.Find("five.example")!.Policy.Time.Idle);
        Assert.True(table.TryClaim("five.example", [], out _, out var claimed));
        Assert.Equal(target.Address, claimed.Address);
        Assert.Equal(new ApplyOutcome.RefusedOlder(5), table.Apply(Of(4)));
        Assert.Empty(_signals.All);
    }

    [Fact]
    public void A_table_survives_the_wire_unchanged()
    {
        var table = Of(3, Route("a.example", Dead(), Dead()).Idling(TimeSpan.FromMinutes(2)));
        var text = JsonSerializer.Serialize(table, Json.Options);

        var back = JsonSerializer.Deserialize<RouteTable>(text, Json.Options);
        Assert.Equal(text, JsonSerializer.Serialize(back, Json.Options));
        Assert.Equal(TimeSpan.FromMinutes(2), back!.Routes[0].Policy!.Time.Idle);
        Assert.Contains("\"instanceId\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_problem_of_a_table_is_named_at_once_and_the_old_one_serves_on()
    {
        var table = Open();
        table.Apply(Of(1, Route("good.example")));
        var target = Dead();
        var bad = new RouteTable(0, Guid.Empty,
        [
            Route("Upper.example"), Route("with.port:80"), Route("-dash.example"), Route("a..b"), Route(""), Route("*.example"),
            Route("twice.example"), Route("twice.example"),
            Route("targets.example", target, target, target with { Address = "nowhere" }, target with { Address = "127.0.0.1:0" },
                target with { Address = "http://x:80" }, target with { Address = "::1:80" }, target with { InstanceId = Guid.Empty }, null!),
            Route("names.example") with { Org = "Acme!", Deployment = "a b", Path = "x" },
            Route("null.example") with { Targets = null! },
            null!,
        ]);

        var refused = Assert.IsType<ApplyOutcome.RefusedProblems>(table.Apply(bad));
        Assert.Equal(
            [
                "bad-generation generation", "missing platform",
                "bad-host routes[0].host", "bad-host routes[1].host", "bad-host routes[2].host", "bad-host routes[3].host",
                "bad-host routes[4].host", "bad-host routes[5].host", "duplicate-host routes[7].host",
                "duplicate-target routes[8].targets[1]", "bad-address routes[8].targets[2].address",
                "bad-address routes[8].targets[3].address", "bad-address routes[8].targets[4].address",
                "bad-address routes[8].targets[5].address", "missing routes[8].targets[6].instanceId", "missing routes[8].targets[7]",
                "bad-path routes[9].path", "bad-name routes[9].org", "bad-name routes[9].deployment",
                "missing routes[10].targets", "missing routes[11]",
            ],
            refused.Problems.Select(p => $"{p.Code} {p.Path}"));
        Assert.NotNull(table.Find("good.example"));
        Assert.All(refused.Problems, p => Assert.NotEmpty(p.Fix));
    }

    [Theory]
    [InlineData("127.0.0.1:20001")]
    [InlineData("[::1]:20001")]
    [InlineData("node-1.internal:80")]
    public void Addresses_are_hosts_with_ports(string address) =>
        Assert.Empty(RouteTableJudge.Judge(Of(1, Route("a.example", Dead() with { Address = address }))));

    [Theory]
    [InlineData(DurableStep.Create)]
    [InlineData(DurableStep.Write)]
    [InlineData(DurableStep.SyncFile)]
    [InlineData(DurableStep.Rename)]
    [InlineData(DurableStep.SyncFolder)]
    public void A_disk_that_fails_at_any_step_leaves_the_old_table_serving_and_a_loadable_file(DurableStep at)
    {
        var fails = false;
        var files = new DurableFiles((step, _) =>
        {
            if (fails && step == at)
                throw new IOException("No space left on device.");
        });
        var table = Open(files);
        table.Apply(Of(1, Route("one.example")));
        fails = true;

        Assert.Equal(new ApplyOutcome.NotKept("No space left on device."), table.Apply(Of(2, Route("two.example"))));
        Assert.NotNull(table.Find("one.example"));
        Assert.Null(table.Find("two.example"));
        Assert.Equal(1, table.Status().Generation);

        var restarted = Open();
        Assert.Equal(at == DurableStep.SyncFolder ? 2 : 1, restarted.Status().Generation);
        Assert.Empty(_signals.All);

        fails = false;
        Assert.Equal(new ApplyOutcome.Applied(2), table.Apply(Of(2, Route("two.example"))));
        Assert.Equal(2, Open().Status().Generation);
    }

    [Fact]
    public void A_file_torn_at_any_byte_is_set_aside_and_said_aloud()
    {
        Open().Apply(Of(5, Route("five.example", Dead())));
        var path = _folder["routes.json"];
        var whole = File.ReadAllBytes(path);
        // The last byte is the line's end, without which the table is still whole.
        for (var length = 0; length < whole.Length - 1; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            var table = Open();
            Assert.Null(table.Current);
            Assert.False(File.Exists(path));
            Assert.Equal(length, new FileInfo(path + ".bad").Length);
            Assert.Equal(length + 1, _signals.All.Count);
        }
        Assert.All(_signals.All, s => Assert.Equal(("edge-table-unreadable", SignalUrgency.Urgent), (s.Kind, s.Urgency)));
        Assert.Equal(new ApplyOutcome.Applied(1), Open().Apply(Of(1)));
    }

    [Fact]
    public void A_changed_byte_is_noticed()
    {
        Open().Apply(Of(5, Route("five.example", Dead())));
        var path = _folder["routes.json"];
        File.WriteAllText(path, File.ReadAllText(path).Replace("five.example", "live.example", StringComparison.Ordinal));

        Assert.Null(Open().Current);
        Assert.Contains("digest", Assert.Single(_signals.All).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_a_newer_version_is_set_aside_with_the_version_named()
    {
        File.WriteAllText(_folder["routes.json"], """{"version":3,"sha256":"","table":{}}""");

        Assert.Null(Open().Current);
        Assert.Contains("version 3", Assert.Single(_signals.All).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_golden_file_of_version_1_is_read()
    {
        File.Copy(Path.Combine(AppContext.BaseDirectory, "golden", "routes-v1.json"), _folder["routes.json"]);
        var table = Open();

        Assert.Empty(_signals.All);
        Assert.Equal(42, table.Current!.Generation);
        Assert.Equal(TimeSpan.FromSeconds(100), table.Find("app.example.org")!.Policy.Time.Idle);
    }

    [Theory]
    [InlineData("routes-v2.json")]
    [InlineData("routes-v2-short.json")]
    public void A_golden_file_of_version_2_is_read_and_written_without_what_is_usual(string file)
    {
        var golden = Path.Combine(AppContext.BaseDirectory, "golden", "routes-v2-short.json");
        File.Copy(Path.Combine(AppContext.BaseDirectory, "golden", file), _folder["routes.json"]);
        var table = Open();

        Assert.Empty(_signals.All);
        var route = Assert.Single(table.Current!.Routes);
        Assert.Equal(("/api", "yes", 10), (route.Path, route.Match!.Value, route.Split[0].Percent));
        Assert.Equal((RateKey.Token, 100L), (route.Policy!.Rates[0].By, route.Policy.MaxBodyBytes));
        Assert.Equal(("Back soon.", "acme"), (table.Current.Holds[0].Hold.Message, table.Current.Maintenance[0].Org));
        Assert.Equal(File.ReadAllBytes(golden), RouteTableFile.Encode(table.Current).Content);
    }

    private EdgeTable Open(DurableFiles? files = null) =>
        new(new EdgeOptions { StateFolder = _folder.Path }, files ?? DurableFiles.Real, new MetricRegistry(), _signals, _clock);
}
