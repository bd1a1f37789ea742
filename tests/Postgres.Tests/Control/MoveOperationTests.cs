using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

public sealed class MoveOperationTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_switchover_stops_the_primary_before_the_standby_takes_writes()
    {
        await using var world = await PairAsync();
        var before = await world.InfoAsync();
        var ended = await world.SucceedAsync(await world.Get<DatabaseMoves>().SwitchoverAsync("acme", "main", ControlWorld.Admin, Ct));
        var after = await world.InfoAsync();
        Assert.Equal((before.Servers[1].Id, before.Servers[0].Id), (after.Servers[0].Id, after.Servers[1].Id));
        Assert.Equal("the old primary follows", ended.Steps[^1].Name);
        var url = (await world.Get<Databases>().ConnectAsync("acme", "main", null, ControlWorld.Admin, Ct))!.Url.Reveal();
        Assert.Contains($"@127.0.0.1:{after.Servers[0].Port},127.0.0.1:{after.Servers[1].Port}/main?target_session_attrs=read-write", url, StringComparison.Ordinal);
        Assert.Equal(["renew"], world.Clients.Asked);
        var follower = world.Node.SpecOf(after.Servers[1].Id);
        Assert.Equal((ServerRole.Standby, after.Servers[0].Port, ClusterDesire.Running), (follower.Role, follower.PrimaryPort, follower.Desire));
    }

    [Fact]
    public async Task A_standby_that_does_not_follow_takes_nothing_over()
    {
        await using var world = await PairAsync();
        var info = await world.InfoAsync();
        world.Node.OfServer = spec => spec.ServerId == info.Servers[1].Id
            ? new ServerStatus(ServerState.Failed, "the slot was dropped", null, null, 0, default, null, new Dictionary<string, string>(), null) : null;
        await world.Node.SayAgainAsync();
        var ended = await world.EndAsync(await world.Get<DatabaseMoves>().SwitchoverAsync("acme", "main", ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Contains("nothing was touched", ended.Why, StringComparison.Ordinal);
        Assert.Equal(ClusterDesire.Running, world.Node.SpecOf(info.Servers[0].Id).Desire);
    }

    [Fact]
    public async Task Nothing_is_promoted_while_the_old_primary_could_not_be_fenced()
    {
        await using var world = await PairAsync();
        var info = await world.InfoAsync();
        world.Node.OfServer = spec => spec.ServerId == info.Servers[0].Id
            ? new ServerStatus(ServerState.Failed, "it does not stop", null, null, 0, default, null, new Dictionary<string, string>(), null) : null;
        var ended = await world.EndAsync(await world.Get<DatabaseMoves>().FailoverAsync("acme", "main", false, ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Contains("not promoted, the old primary could not be fenced", ended.Why, StringComparison.Ordinal);
        Assert.Contains("--old-is-off", ended.Why, StringComparison.Ordinal);
        Assert.Equal(info.Servers[0].Id, (await world.InfoAsync()).Servers[0].Id);
    }

    [Fact]
    public async Task A_failover_says_that_the_follower_is_pending()
    {
        await using var world = await PairAsync();
        var info = await world.InfoAsync();
        world.Node.OfServer = spec => spec.ServerId == info.Servers[0].Id
            ? new ServerStatus(ServerState.Failed, "its machine is off", null, null, 0, default, null, new Dictionary<string, string>(), null) : null;
        var ended = await world.SucceedAsync(await world.Get<DatabaseMoves>().FailoverAsync("acme", "main", true, ControlWorld.Admin, Ct));
        Assert.StartsWith("promoted, follower pending", ended.Why, StringComparison.Ordinal);
        Assert.Equal(info.Servers[1].Id, (await world.InfoAsync()).Servers[0].Id);
    }

    [Fact]
    public async Task A_password_is_changed_by_a_second_role_and_the_first_goes_last()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        var before = (await world.Get<Databases>().ConnectAsync("acme", "main", null, ControlWorld.Admin, Ct))!;
        await world.SucceedAsync(await world.Get<DatabaseMoves>().RotateAsync("acme", "main", null, ControlWorld.Admin, Ct));
        var after = (await world.Get<Databases>().ConnectAsync("acme", "main", null, ControlWorld.Admin, Ct))!;
        Assert.Equal(("main_1", "main_2"), (before.Role, after.Role));
        Assert.Equal(["renew"], world.Clients.Asked);
        var roles = world.Node.SpecOf((await world.InfoAsync()).Primary!.Id).Roles;
        Assert.True(roles.Single(r => r.Name == "main_1").IsGone);
        Assert.Equal("main_owner", roles.Single(r => r.Name == "main_2").ActsAs);
    }

    [Fact]
    public async Task A_rotation_that_services_do_not_take_goes_back_to_the_password_of_before()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        world.Clients.RenewFails = "no node has room";
        var answer = await world.Get<DatabaseMoves>().RotateAsync("acme", "main", null, ControlWorld.Admin, Ct);
        world.Clients.RenewFails = "no node has room";
        var id = ((DatabaseAnswer.Accepted)answer).Operation.Id;
        // Renewing back works: the failure was of the new ones.
        await Groundcrew.Tests.Support.Eventually.TrueAsync(() => world.Clients.Asked.Count > 0, "renewing was asked for");
        world.Clients.RenewFails = null;
        var ended = (await world.Get<Operations>().WaitForEndAsync(id, Ct))!;
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Equal("main_1", (await world.Get<Databases>().ConnectAsync("acme", "main", null, ControlWorld.Admin, Ct))!.Role);
    }

    private static async Task<ControlWorld> PairAsync()
    {
        var world = await ControlWorld.BuildAsync();
        await world.CreateAsync(s => s with { Standbys = 1 });
        Assert.Equal(2, (await world.InfoAsync()).Servers.Count);
        return world;
    }
}
