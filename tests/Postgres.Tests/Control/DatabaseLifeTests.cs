using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

public sealed class DatabaseLifeTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_is_made_on_a_node_and_its_password_is_shown_in_no_view()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync();
        Assert.Equal("ready", info.Health);
        Assert.Equal(ServerState.Ready, info.Primary!.Status!.State);
        var connection = (await world.Get<Databases>().ConnectAsync("acme", "main", null, ControlWorld.Admin, Ct))!;
        Assert.StartsWith($"postgresql://main_1:", connection.Url.Reveal(), StringComparison.Ordinal);
        Assert.EndsWith($"@127.0.0.1:{info.Primary.Port}/main", connection.Url.Reveal(), StringComparison.Ordinal);
        var password = connection.Url.Reveal()["postgresql://main_1:".Length..].Split('@')[0];
        Assert.DoesNotContain(password, JsonSerializer.Serialize(info, Json.Options), StringComparison.Ordinal);
        Assert.DoesNotContain(password, world.Node.Told.Values.Select(t => t.Payload.GetRawText()).Aggregate("", string.Concat), StringComparison.Ordinal);
        var audited = (await world.Get<Audit>().ListAsync(new AuditFilter(Action: "database.connect"), 10, null, Ct)).Items;
        Assert.Equal("acme/main", Assert.Single(audited).Subject);
    }

    [Fact]
    public async Task The_node_of_a_server_gets_its_secrets_and_no_other_node_does()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync();
        var given = (await world.Get<DatabaseSecrets>().ForAsync(world.Node.Id, info.Id, Ct))!;
        Assert.Equal(["admin", "backup-key", "replication", "role/main_1"], given.Keys.Order(StringComparer.Ordinal));
        Assert.Null(await world.Get<DatabaseSecrets>().ForAsync(Guid.Parse("11111111-1111-1111-1111-111111111111"), info.Id, Ct));
    }

    [Fact]
    public async Task A_server_that_cannot_be_made_leaves_nothing_and_its_name_can_be_used_again()
    {
        await using var world = await ControlWorld.BuildAsync();
        world.Node.OfServer = spec => spec.Desire == ClusterDesire.Running
            ? new ServerStatus(ServerState.Failed, "PostgreSQL 15 is not installed on this node.", null, null, 0, default, null, new Dictionary<string, string>(), null) : null;
        var ended = await world.EndAsync(await world.Get<Databases>().CreateAsync(new CreateDatabase("acme", "main", new DatabaseSettings(), null, null, null, null), ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Contains("not installed", ended.Why, StringComparison.Ordinal);
        Assert.Equal("failed", (await world.InfoAsync()).Health);
        Assert.Empty((await world.InfoAsync()).Servers);
        world.Node.OfServer = _ => null;
        Assert.Equal("ready", (await world.CreateAsync()).Health);
    }

    [Fact]
    public async Task Two_databases_get_two_ports_and_a_name_is_taken_once()
    {
        await using var world = await ControlWorld.BuildAsync();
        var first = await world.CreateAsync();
        Assert.IsType<DatabaseAnswer.Conflict>(await world.Get<Databases>().CreateAsync(new CreateDatabase("acme", "main", new DatabaseSettings(), null, null, null, null), ControlWorld.Admin, Ct));
        await world.SucceedAsync(await world.Get<Databases>().CreateAsync(new CreateDatabase("acme", "other", new DatabaseSettings(), null, null, null, null), ControlWorld.Admin, Ct));
        Assert.NotEqual(first.Primary!.Port, (await world.InfoAsync("other")).Primary!.Port);
        var same = await world.Get<Databases>().CreateAsync(new CreateDatabase("acme-main", "x", new DatabaseSettings(), null, null, null, null), ControlWorld.Admin, Ct);
        Assert.IsType<DatabaseAnswer.Accepted>(same);
        Assert.IsType<DatabaseAnswer.Conflict>(await world.Get<Databases>().CreateAsync(new CreateDatabase("acme", "main-x", new DatabaseSettings(), null, null, null, null), ControlWorld.Admin, Ct));
    }

    [Fact]
    public async Task What_is_asked_is_judged_whole()
    {
        await using var world = await ControlWorld.BuildAsync();
        var answer = await world.Get<Databases>().CreateAsync(new CreateDatabase("acme", "main", new DatabaseSettings
        {
            Version = 9, MemoryBytes = 1, Parameters = new Dictionary<string, string> { ["port"] = "1" }, Databases = [new WantedDatabase("Main", ["a b"])], Networks = ["x"],
        }, null, 80, null, null), ControlWorld.Admin, Ct);
        var problems = Assert.IsType<DatabaseAnswer.Refused>(answer).Problems;
        Assert.Equal(
            ["databases[0]", "databases[0].extensions", "memory", "networks", "port", "settings.port", "version"], problems.Select(p => p.Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_removed_database_is_gone_and_its_backups_and_key_stay()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync();
        await world.SucceedAsync(await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct));
        var key = await world.Get<SecretStore>().RevealAsync("acme", "database/main/backup-key", null, Ct);
        Assert.IsType<DatabaseAnswer.Refused>(await world.Get<Databases>().RemoveAsync("acme", "main", "wrong", ControlWorld.Admin, Ct));
        await world.SucceedAsync(await world.Get<Databases>().RemoveAsync("acme", "main", "main", ControlWorld.Admin, Ct));
        Assert.Equal("removed", (await world.InfoAsync()).Health);
        Assert.Single((await world.Get<DatabaseBackups>().SeenAsync("acme", "main", Ct))!.Seen.Backups);
        var again = await world.CreateAsync();
        Assert.Equal(info.Id, again.Id);
        Assert.Equal(key!.Reveal(), (await world.Get<SecretStore>().RevealAsync("acme", "database/main/backup-key", null, Ct))!.Reveal());
    }

    [Fact]
    public async Task A_database_of_somebody_else_is_known_by_its_address_and_what_needs_files_is_refused_with_words()
    {
        await using var world = await ControlWorld.BuildAsync();
        var url = new Secret("postgresql://app:secret@db.example.org:5433/shop");
        Assert.IsType<DatabaseAnswer.Done>(await world.Get<Databases>().CreateAsync(new CreateDatabase("acme", "legacy", new DatabaseSettings(), null, null, null, url), ControlWorld.Admin, Ct));
        Assert.Equal("external", (await world.InfoAsync("legacy")).Health);
        Assert.Equal(url.Reveal(), (await world.Get<Databases>().ConnectAsync("acme", "legacy", null, ControlWorld.Admin, Ct))!.Url.Reveal());
        var refused = Assert.IsType<DatabaseAnswer.Conflict>(await world.Get<DatabaseBackups>().BackupAsync("acme", "legacy", "request", null, ControlWorld.Admin, Ct));
        Assert.Contains("needs its files", refused.Words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_change_and_go_back_when_the_server_does_not_take_them()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        await world.SucceedAsync(await world.Get<Databases>().ChangeAsync("acme", "main", s => s with { MemoryBytes = 1L << 30 }, null, ControlWorld.Admin, Ct));
        Assert.Equal(1L << 30, (await world.InfoAsync()).Settings.MemoryBytes);
        world.Node.OfServer = spec => spec.Settings.ContainsKey("work_mem")
            ? new ServerStatus(ServerState.Failed, "invalid value for work_mem", null, null, 0, default, null, new Dictionary<string, string>(), null) : null;
        var ended = await world.EndAsync(await world.Get<Databases>().ChangeAsync(
            "acme", "main", s => s with { Parameters = new Dictionary<string, string> { ["work_mem"] = "64MB" } }, null, ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Empty((await world.InfoAsync()).Settings.Parameters);
        Assert.IsType<DatabaseAnswer.Done>(await world.Get<Databases>().ChangeAsync("acme", "main", s => s, null, ControlWorld.Admin, Ct));
    }

    [Fact]
    public async Task A_control_plane_that_ends_in_the_middle_goes_on_where_it_was()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        world.Node.OfJob = job => job.Work is TakeBaseBackup ? FakeNode.Status(JobState.Running, "copying", null, 10, 100) : null;
        var answer = (DatabaseAnswer.Accepted)await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct);
        await Eventually.TrueAsync(() => !world.Node.Began.IsEmpty, "the backup began");
        var work = world.Node.Told.Keys.Count(k => k.StartsWith("job-", StringComparison.Ordinal));
        await world.RestartAsync();
        world.Node.OfJob = _ => null;
        await world.Node.SayAgainAsync();
        var ended = (await world.Get<Operations>().WaitForEndAsync(answer.Operation.Id, Ct))!;
        Assert.True(ended.Outcome == OutcomeKind.Succeeded, ended.Why);
        Assert.Equal(1, work);
        Assert.Equal(2, world.Node.Told.Keys.Count(k => k.StartsWith("job-", StringComparison.Ordinal)));
    }
}
