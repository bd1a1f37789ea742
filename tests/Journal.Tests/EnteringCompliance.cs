using System.Text;
using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Journal.Tests;

/// <summary>Tokens, audit, request keys and secrets, on every engine.</summary>
public abstract class EnteringCompliance(StoreSource source) : StoreTests(source)
{
    [Fact]
    public async Task A_token_lets_its_actor_in_until_it_is_revoked()
    {
        var access = new Access(Store, Clock);
        var made = await access.CreateAsync("ci", Role.Deployer, "acme", null, Ct);
        Assert.StartsWith("gct_", made.Secret.Reveal(), StringComparison.Ordinal);
        var actor = (await access.AuthenticateAsync(made.Secret, Ct))!;
        Assert.Equal((made.Token.Id.ToString("D"), "ci", Role.Deployer, "acme"), (actor.Id, actor.Name, actor.Role, actor.Org));
        Assert.True(await access.RevokeAsync(made.Token.Id, Ct));
        Assert.Null(await access.AuthenticateAsync(made.Secret, Ct));
        Assert.False(await access.RevokeAsync(made.Token.Id, Ct));
    }

    [Fact]
    public async Task An_unknown_changed_or_expired_token_lets_nobody_in()
    {
        var access = new Access(Store, Clock);
        var made = await access.CreateAsync("ci", Role.Viewer, null, Clock.GetUtcNow().AddHours(1), Ct);
        Assert.Null(await access.AuthenticateAsync(new Secret(made.Secret.Reveal() + "x"), Ct));
        Assert.Null(await access.AuthenticateAsync(new Secret(""), Ct));
        Assert.Null(await access.AuthenticateAsync(new Secret("gct_" + new string('a', 5000)), Ct));
        Assert.NotNull(await access.AuthenticateAsync(made.Secret, Ct));
        Clock.Advance(TimeSpan.FromHours(1));
        Assert.Null(await access.AuthenticateAsync(made.Secret, Ct));
    }

    [Fact]
    public async Task A_token_that_another_control_plane_revoked_is_refused_within_half_a_minute()
    {
        var (here, there) = (new Access(Store, Clock), new Access(Store, Clock));
        var made = await here.CreateAsync("ci", Role.Viewer, cancellation: Ct);
        Assert.NotNull(await there.AuthenticateAsync(made.Secret, Ct));
        await here.RevokeAsync(made.Token.Id, Ct);
        Clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Null(await there.AuthenticateAsync(made.Secret, Ct));
    }

    [Fact]
    public async Task The_last_use_is_shown_at_once_and_saved_later()
    {
        var access = new Access(Store, Clock);
        var made = await access.CreateAsync("ci", Role.Viewer, cancellation: Ct);
        Assert.Null((await access.ListAsync(Ct))[0].LastUsedAt);
        Clock.Advance(TimeSpan.FromMinutes(1));
        await access.AuthenticateAsync(made.Secret, Ct);
        Assert.Equal(Clock.GetUtcNow(), (await access.ListAsync(Ct))[0].LastUsedAt);
        Assert.Equal(1, await access.SaveLastUsedAsync(Ct));
        Assert.Equal(Clock.GetUtcNow(), (await new Access(Store, Clock).ListAsync(Ct))[0].LastUsedAt);
    }

    [Fact]
    public async Task The_token_file_is_private_and_mended_when_file_and_store_disagree()
    {
        var (access, file) = (new Access(Store, Clock), Source.Folder["admin.token"]);
        Assert.True(await access.EnsureTokenFileAsync(file, "admin", Role.Admin, Ct));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var first = new Secret((await File.ReadAllTextAsync(file, Ct)).Trim());
        Assert.Equal(Role.Admin, (await access.AuthenticateAsync(first, Ct))!.Role);
        Assert.False(await access.EnsureTokenFileAsync(file, "admin", Role.Admin, Ct));
        File.Delete(file);
        Assert.True(await access.EnsureTokenFileAsync(file, "admin", Role.Admin, Ct));
        Assert.Null(await access.AuthenticateAsync(first, Ct));
        DurableFiles.Real.Replace(file, first.Reveal());
        Assert.True(await access.EnsureTokenFileAsync(file, "admin", Role.Admin, Ct));
        Assert.Single(await access.ListAsync(Ct), t => t.RevokedAt is null);
    }

    [Theory]
    [InlineData(Role.Viewer, null, Role.Viewer, "acme", true)]
    [InlineData(Role.Viewer, null, Role.Deployer, "acme", false)]
    [InlineData(Role.Admin, null, Role.OnCall, null, true)]
    [InlineData(Role.Deployer, "acme", Role.Deployer, "acme", true)]
    [InlineData(Role.Deployer, "acme", Role.Deployer, "other", false)]
    [InlineData(Role.Admin, "acme", Role.Viewer, null, false)]
    [InlineData(Role.Admin, null, Role.Node, null, false)]
    [InlineData(Role.Node, null, Role.Viewer, null, false)]
    [InlineData(Role.Node, null, Role.Node, null, true)]
    public void A_role_allows_what_it_should(Role role, string? org, Role needed, string? where, bool allowed) =>
        Assert.Equal(allowed, new Actor("id", "name", role, org).Allows(needed, where));

    [Fact]
    public async Task Audit_entries_are_listed_newest_first_and_cannot_be_changed_or_deleted()
    {
        var audit = new Audit(Store, Clock);
        for (var i = 0; i < 5; i++)
        {
            await audit.WriteAsync(Ann, "deploy", $"acme/web-{i}", "ok", new { commit = "abc", token = new Secret("s3cr3t") }, "r1", Ct);
            Clock.Advance(TimeSpan.FromSeconds(1));
        }
        var first = await audit.ListAsync(new AuditFilter(SubjectPrefix: "acme/"), 2, null, Ct);
        var rest = await audit.ListAsync(new AuditFilter(SubjectPrefix: "acme/"), 10, first.Next, Ct);
        Assert.Equal(["acme/web-4", "acme/web-3", "acme/web-2", "acme/web-1", "acme/web-0"], first.Items.Concat(rest.Items).Select(a => a.Subject));
        Assert.Equal("""{"commit":"abc","token":"[secret]"}""", first.Items[0].Detail);
        await Assert.ThrowsAnyAsync<Exception>(() => Store.WriteAsync((db, token) => db.Set<AuditRow>().ExecuteDeleteAsync(token), Ct));
        await Assert.ThrowsAnyAsync<Exception>(() => Store.WriteAsync((db, token) => db.Set<AuditRow>().ExecuteUpdateAsync(s => s.SetProperty(a => a.Outcome, "no"), token), Ct));
        Assert.Equal(5, (await audit.ListAsync(new AuditFilter(Outcome()), 10, null, Ct)).Items.Count);
        static string? Outcome() => null;
    }

    [Fact]
    public async Task A_repeated_request_gets_the_first_answer_whatever_the_clock_does()
    {
        var keys = new RequestKeys(Store, Clock);
        var claimed = Assert.IsType<KeyClaim.Claimed>(await keys.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct));
        Assert.IsType<KeyClaim.InProgress>(await keys.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct));
        Assert.IsType<KeyClaim.Reused>(await keys.ClaimAsync(Ann, "k", "other", TimeSpan.Zero, Ct));
        await keys.CompleteAsync(claimed.Ticket, new KeptResponse(201, "application/json", "{}"u8.ToArray()), Ct);
        Clock.Advance(TimeSpan.FromDays(-3));
        var replay = Assert.IsType<KeyClaim.Replay>(await keys.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct)).Response;
        Assert.Equal((201, "application/json", "{}"), (replay.Status, replay.ContentType, Encoding.UTF8.GetString(replay.Body)));
        Assert.IsType<KeyClaim.Claimed>(await keys.ClaimAsync(Ann with { Id = "bob" }, "k", "h", TimeSpan.Zero, Ct));
    }

    [Fact]
    public async Task A_repeat_at_the_same_time_waits_for_the_answer()
    {
        var keys = new RequestKeys(Store, TimeProvider.System);
        var claims = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            var claim = await keys.ClaimAsync(Ann, "k", "h", TimeSpan.FromMinutes(1), Ct);
            if (claim is KeyClaim.Claimed claimed)
                await keys.CompleteAsync(claimed.Ticket, new KeptResponse(200, null, [1]), Ct);
            return claim;
        }, Ct)));
        Assert.Single(claims.OfType<KeyClaim.Claimed>());
        Assert.Equal(5, claims.OfType<KeyClaim.Replay>().Count());
    }

    [Fact]
    public async Task Keys_are_freed_by_abandoning_by_a_crash_by_a_day_and_by_a_body_too_large()
    {
        var keys = new RequestKeys(Store, Clock);
        var first = Assert.IsType<KeyClaim.Claimed>(await keys.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct));
        await keys.AbandonAsync(first.Ticket, Ct);
        Assert.IsType<KeyClaim.Claimed>(await keys.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct));
        var next = new RequestKeys(Store, Clock);
        var taken = Assert.IsType<KeyClaim.Claimed>(await next.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct));
        await keys.CompleteAsync(first.Ticket, new KeptResponse(200, null, [1]), Ct);
        await next.CompleteAsync(taken.Ticket, new KeptResponse(204, null, []), Ct);
        Assert.Equal(204, Assert.IsType<KeyClaim.Replay>(await next.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct)).Response.Status);
        Clock.Advance(TimeSpan.FromHours(24));
        Assert.Equal(1, await next.PruneAsync(Ct));
        var large = Assert.IsType<KeyClaim.Claimed>(await next.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct));
        await next.CompleteAsync(large.Ticket, new KeptResponse(200, null, new byte[RequestKeys.MaxBody + 1]), Ct);
        Assert.IsType<KeyClaim.Claimed>(await next.ClaimAsync(Ann, "k", "h", TimeSpan.Zero, Ct));
    }

    [Fact]
    public async Task Keys_are_bounded()
    {
        var keys = new RequestKeys(Store, Clock, maxKeys: 2);
        Assert.IsType<KeyClaim.Claimed>(await keys.ClaimAsync(Ann, "1", "h", TimeSpan.Zero, Ct));
        Assert.IsType<KeyClaim.Claimed>(await keys.ClaimAsync(Ann, "2", "h", TimeSpan.Zero, Ct));
        Assert.IsType<KeyClaim.Crowded>(await keys.ClaimAsync(Ann, "3", "h", TimeSpan.Zero, Ct));
        Clock.Advance(TimeSpan.FromHours(24));
        await keys.PruneAsync(Ct);
        Assert.IsType<KeyClaim.Claimed>(await keys.ClaimAsync(Ann, "3", "h", TimeSpan.Zero, Ct));
    }

    [Fact]
    public async Task Secrets_have_versions_that_only_grow_and_lists_show_no_values()
    {
        var secrets = new SecretStore(Store, SealedBox.Open(Source.Folder["key"], DurableFiles.Real), Clock);
        for (var i = 1; i <= 7; i++)
            Assert.Equal(i, await secrets.SetAsync("acme", "DB", new Secret($"value-{i}"), Ann, Ct));
        Assert.Equal("value-7", (await secrets.RevealAsync("acme", "DB", null, Ct))!.Reveal());
        Assert.Equal("value-3", (await secrets.RevealAsync("acme", "DB", 3, Ct))!.Reveal());
        Assert.Null(await secrets.RevealAsync("acme", "DB", 2, Ct));
        Assert.Null(await secrets.RevealAsync("other", "DB", null, Ct));
        var view = Assert.Single(await secrets.ListAsync("acme", Ct));
        Assert.Equal(("DB", 7, "ann"), (view.Name, view.Version, view.Actor));
        Assert.True(await secrets.DeleteAsync("acme", "DB", Ann, Ct));
        Assert.False(await secrets.DeleteAsync("acme", "DB", Ann, Ct));
        Assert.Null(await secrets.RevealAsync("acme", "DB", null, Ct));
        Assert.Empty(await secrets.ListAsync("acme", Ct));
        Assert.Equal(8, await secrets.SetAsync("acme", "DB", new Secret("again"), Ann, Ct));
    }
}

public sealed class EnteringOnSqlite() : EnteringCompliance(new SqliteSource());

public sealed class EnteringOnPostgreSql(PostgresServer server) : EnteringCompliance(new PostgresSource(server));
