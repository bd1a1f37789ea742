using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>
/// The edge replaces itself under traffic: no connection is refused, no request cut, no instance stopped that an edge still
/// uses (invariants 4 and 7).
/// </summary>
public sealed partial class EdgeRestartJourneys(Platform platform) : IClassFixture<Platform>
{
    private const int Rounds = 3;

    private string State => Path.Combine(platform.Data, "edge");

    [Fact]
    public async Task The_edge_is_replaced_under_load_and_what_was_open_ends_where_it_began()
    {
        using var actor = new Actor("relay");
        await platform.DeployAsync(actor.Write());
        await using var load = platform.Load(actor.Host);
        using var echo = await Wire.EchoAsync(platform.EdgePort, actor.Host);
        await echo.EchoesAsync("before");
        for (var round = 1; round <= Rounds; round++)
        {
            using var slow = await Wire.GetAsync(platform.EdgePort, actor.Host, $"/until/mark-{round}");
            await slow.UntilAsync("begin ");
            var (before, sent) = (platform.ProcessOf("edge")!, load.Sent);
            var restarting = platform.CrewAsync("edge", "restart");
            await AnotherServesAsync(before);
            await Eventually.TrueAsync(() => load.Sent > sent + 500, "traffic flows");
            Assert.False(restarting.IsCompleted);
            await echo.EchoesAsync($"round {round}");
            actor.Mark($"mark-{round}");
            await slow.UntilAsync("end");

            var ran = Expect.Ok(await restarting);
            var said = Replaced().Match(ran.Out);
            Assert.True(said.Success, ran.All);
            Assert.Equal((before.Pid, platform.ProcessOf("edge")!.Pid), (Number(said, "before"), Number(said, "after")));
            Assert.True(Number(said, "drained") >= 1, ran.All);
            // The first one has the upgraded connection.
            if (round == 1)
                Assert.True(before.IsAlive());
            else
                await Eventually.TrueAsync(() => !before.IsAlive(), "the edge that was replaced ended");
        }
        Assert.Single(EdgeHandover.LeavingOf(State));
        await echo.EchoesAsync("after");
        echo.Dispose();
        await Eventually.TrueAsync(() => EdgeHandover.LeavingOf(State).Count == 0, "the first edge ended with its last connection");
        await load.StopWithoutFailureAsync($"crew edge restart, {Rounds} times");
        await SupervisedAsync();
    }

    [Fact]
    public async Task An_instance_that_a_replaced_edge_still_uses_is_not_stopped()
    {
        using var actor = new Actor("held") { Instances = 1, Drain = "45s" };
        var first = await platform.DeployAsync(actor.Write());
        var used = ProcessIdentity.Of((await platform.InstancesAsync(first.Label)).Single().Pid!.Value)!;
        using var slow = await Wire.GetAsync(platform.EdgePort, actor.Host, "/until/finish");
        await slow.UntilAsync("begin ");
        await using var load = platform.Load(actor.Host);
        var before = platform.ProcessOf("edge")!;
        var restarting = platform.CrewAsync("edge", "restart", "--json");
        await AnotherServesAsync(before);

        actor.Version = "2";
        var deploying = platform.DeployAsync(actor.Write());
        await Eventually.TrueAsync(async () => (await platform.GetAsync(actor.Host)).Body.Contains("\"version\":\"2\"", StringComparison.Ordinal), "the new version serves");
        await Eventually.TrueAsync(async () => (await platform.Http.GetStringAsync("nodes?role=all", Platform.Token)).Length > 0 && load.Sent > 1500, "there was time enough to stop it");
        Assert.True(used.IsAlive(), "the instance was stopped while the replaced edge had a request in flight to it");
        actor.Mark("finish");
        await slow.UntilAsync("end");

        await deploying;
        await Eventually.TrueAsync(() => !used.IsAlive(), "the instance is stopped once nobody uses it");
        var told = JsonDocument.Parse(Expect.Ok(await restarting).Out).RootElement;
        Assert.Equal(before.Pid, told.GetProperty("before").GetInt32());
        Assert.Equal(platform.ProcessOf("edge")!.Pid, told.GetProperty("after").GetInt32());
        Assert.True(told.GetProperty("drained").GetInt32() >= 1);
        await load.StopWithoutFailureAsync("a deploy while a replaced edge finishes a request");
    }

    [Fact]
    public async Task A_new_edge_that_is_killed_is_started_again_while_the_old_one_still_finishes()
    {
        using var actor = new Actor("orphan") { Instances = 1 };
        await platform.DeployAsync(actor.Write());
        using var echo = await Wire.EchoAsync(platform.EdgePort, actor.Host);
        await echo.EchoesAsync("one");
        var old = platform.ProcessOf("edge")!;
        var ran = Expect.Ok(await platform.CrewAsync("edge", "restart"));
        Assert.Contains("1 upgraded connections stay with it", ran.Out, StringComparison.Ordinal);
        await SupervisedAsync();
        await echo.EchoesAsync("two");

        // The third edge binds the port itself, and hears of the first.
        await Eventually.TrueAsync(async () => (await EdgeHandover.AskAsync(State, Platform.Token))?.Replaced is [{ Upgraded: 1 } replaced] && replaced.Process == old, "the old edge is known");
        await echo.EchoesAsync("three");
        await using (var load = platform.Load(actor.Host))
        {
            await Eventually.TrueAsync(() => load.Sent > 300, "traffic flows");
            await load.StopWithoutFailureAsync("after kill -9 of the edge that took over");
        }
        echo.Dispose();
        await Eventually.TrueAsync(() => !old.IsAlive(), "the old edge ended");
    }

    [Fact]
    public async Task Where_no_edge_can_take_over_the_old_one_serves_on_and_the_reason_is_told()
    {
        using var actor = new Actor("stays") { Instances = 1 };
        await platform.DeployAsync(actor.Write());
        var before = platform.ProcessOf("edge");
        await using var load = platform.Load(actor.Host);
        using (var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            await other.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(State, "handover.sock")), Platform.Token);
            await other.SendAsync("{\"version\":1,\"ask\":\"take\"}\n"u8.ToArray());
            Assert.True(await other.ReceiveAsync(new byte[4096]) > 0);
            var ran = Expect.Code(1, await platform.CrewAsync("edge", "restart"));
            Assert.Contains("taking over already", ran.Error, StringComparison.Ordinal);
            Assert.Contains("serves on", ran.Error, StringComparison.Ordinal);
        }
        Assert.Equal(before, platform.ProcessOf("edge"));
        using var nothing = new TempFolder();
        var none = Expect.Code(6, await CrewProgram.RunAsync("edge", "restart", "--data", nothing.Path));
        Assert.Contains("No edge runs", none.Error, StringComparison.Ordinal);
        await load.StopWithoutFailureAsync("an edge that could not be replaced");
    }

    /// <summary>kill -9 of the edge that serves: the supervisor knows it, and starts another.</summary>
    private async Task SupervisedAsync()
    {
        var serving = platform.ProcessOf("edge")!;
        await platform.KillAsync("edge");
        await Eventually.TrueAsync(() => platform.ProcessOf("edge") is { } edge && edge != serving && edge.IsAlive(), "another edge runs");
        await platform.ReadyAsync();
    }

    private Task AnotherServesAsync(ProcessIdentity before) => Eventually.TrueAsync(
        async () => await EdgeHandover.AskAsync(State, Platform.Token) is { } state && state.Process != before, "another edge serves");

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^The edge was replaced: pid (?<before>\d+) → (?<after>\d+); (?<drained>\d+) requests of the old one drained in [\d.]+ s", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Replaced();
}
