using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>Roles and databases with the least rights, proven by connections (U-73).</summary>
public sealed class ClusterAccessTests
{
    [Fact]
    public async Task An_owner_makes_tables_and_a_reader_uses_them_and_makes_none()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        await node.RunAsync(spec);
        await using var owner = await TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop");
        await TestNode.AskAsync(owner, "CREATE TABLE orders (id serial PRIMARY KEY, n int)");
        await using var reader = await TestNode.ConnectAsync(spec, "reader", "pw-of-reader-4713", "shop");
        Assert.Equal(1, await TestNode.AskAsync(reader, "INSERT INTO orders (n) VALUES (5) RETURNING id"));
        Assert.Equal(5, await TestNode.AskAsync(owner, "UPDATE orders SET n = n RETURNING n"));
        foreach (var sql in new[] { "CREATE TABLE mine (n int)", "CREATE SCHEMA mine", "DROP TABLE orders", "CREATE DATABASE mine", "CREATE ROLE mine", "SELECT * FROM pg_authid", "COPY orders TO '/tmp/x'" })
            Assert.Equal("42501", await RefusedAsync(reader, sql));
        // Its own database, and nothing of the others.
        Assert.Equal("42501", await RefusedAsync(owner, "ALTER SYSTEM SET fsync = off"));
        Assert.Equal("42501", await RefusedAsync(owner, "CREATE ROLE mine"));
    }

    [Fact]
    public async Task A_role_that_is_not_named_for_a_database_any_more_loses_it()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        await TestServer.AskAsync(server, "CREATE TABLE t (n int)", "shop");
        node.Want(spec with { Roles = [.. spec.Roles.Select(r => r.Name == "reader" ? r with { Databases = ["crm"], ConnectionLimit = 1 } : r)] });
        await node.SeeAsync(spec, ServerState.Ready);
        Assert.Equal("42501", (await Assert.ThrowsAsync<PostgresException>(() => TestNode.ConnectAsync(spec, "reader", "pw-of-reader-4713", "shop"))).SqlState);
        await using var one = await TestNode.ConnectAsync(spec, "reader", "pw-of-reader-4713", "crm");
        Assert.Equal("53300", (await Assert.ThrowsAsync<PostgresException>(() => TestNode.ConnectAsync(spec, "reader", "pw-of-reader-4713", "crm"))).SqlState);
    }

    [Fact]
    public async Task A_changed_password_counts_and_the_same_one_changes_nothing()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        const string verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'shop_owner'";
        var before = await TestServer.AskAsync(server, verifier);
        await node.RestartAsync();
        await node.SeeAsync(spec, ServerState.Ready);
        Assert.Equal(before, await TestServer.AskAsync(server, verifier));
        node.Secrets.Values["shop"] = new("pw-of-shop-new");
        node.Want(spec);
        await node.SeeAsync(spec, ServerState.Ready);
        await using var owner = await TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-new", "shop");
        Assert.Equal("28P01", (await Assert.ThrowsAsync<PostgresException>(() => TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop"))).SqlState);
    }

    [Fact]
    public async Task A_role_that_is_gone_stays_while_it_is_used_and_leaves_its_things_to_the_owner()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        var server = await node.RunAsync(spec);
        spec = spec with
        {
            Databases = [spec.Databases[0] with { Owner = "next" }, spec.Databases[1]],
            Roles = [new("next", "next", []), spec.Roles[0] with { Databases = ["shop"] }, spec.Roles[1]],
        };
        await using var old = await TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop");
        await TestNode.AskAsync(old, "CREATE TABLE made_before AS SELECT 1 AS n");
        node.Want(spec);
        await node.SeeAsync(spec, ServerState.Ready);
        await using var next = await TestNode.ConnectAsync(spec, "next", "pw-of-next-4714", "shop");
        await TestNode.AskAsync(next, "CREATE TABLE made_after AS SELECT 2 AS n; ALTER TABLE made_before ADD COLUMN m int");
        Assert.Equal(3L, await TestNode.AskAsync(old, "SELECT sum(n) FROM (SELECT n FROM made_before UNION SELECT n FROM made_after) both_of_them"));

        node.Want(spec with { Roles = [spec.Roles[0], spec.Roles[1] with { IsGone = true }, spec.Roles[2]] });
        var status = await node.SeeAsync(spec, s => s.LeavingRoles?.Count > 0, "who still uses it");
        Assert.Equal(1, status.LeavingRoles!["shop_owner"]);
        Assert.Equal(3L, await TestNode.AskAsync(old, "SELECT sum(n) FROM (SELECT n FROM made_before UNION SELECT n FROM made_after) both_of_them"));
        await old.CloseAsync();
        await node.SeeAsync(spec, s => s.LeavingRoles?.Count == 0, "that it is gone");
        Assert.Null(await TestServer.AskAsync(server, "SELECT 1 FROM pg_roles WHERE rolname = 'shop_owner'"));
        Assert.Equal("next", await TestServer.AskAsync(server, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'made_before'", "shop"));
    }

    [Fact]
    public async Task Two_logins_that_act_as_one_owner_share_what_they_make()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop() with
        {
            Databases = [new("shop", "shop_all", [])],
            Roles = [new("shop_all", null, []), new("shop_a", "shop", [], ActsAs: "shop_all"), new("shop_b", "next", [], ActsAs: "shop_all")],
        };
        var server = await node.RunAsync(spec);
        await using (var a = await TestNode.ConnectAsync(spec, "shop_a", "pw-of-shop-4711", "shop"))
            await TestNode.AskAsync(a, "CREATE TABLE things AS SELECT 1 AS n");
        await using var b = await TestNode.ConnectAsync(spec, "shop_b", "pw-of-next-4714", "shop");
        await TestNode.AskAsync(b, "ALTER TABLE things ADD COLUMN m int");
        node.Want(spec with { Roles = [spec.Roles[0], spec.Roles[1] with { IsGone = true }, spec.Roles[2]] });
        await node.SeeAsync(spec, ServerState.Ready);
        Assert.Null(await TestServer.AskAsync(server, "SELECT 1 FROM pg_roles WHERE rolname = 'shop_a'"));
        Assert.Equal(1L, await TestNode.AskAsync(b, "SELECT count(*) FROM things"));
        Assert.Equal("28P01", (await Assert.ThrowsAsync<PostgresException>(() => TestNode.ConnectAsync(spec, "shop_all", "x", "shop"))).SqlState);
    }

    [Fact]
    public async Task Names_of_the_platform_and_extensions_that_are_not_there_are_named()
    {
        await using var node = new TestNode();
        var spec = TestNode.Shop();
        spec = spec with { Databases = [spec.Databases[0] with { Extensions = ["no_such_thing"] }, new("later", "nobody", [])], Roles = [.. spec.Roles, new("crew_admin", "shop", [])] };
        node.Want(spec);
        var status = await node.SeeAsync(spec, s => s is { State: ServerState.Degraded, Role: not null }, "that it is not as wanted");
        Assert.Contains("the extension 'no_such_thing' of the database 'shop' cannot be created", status.Words, StringComparison.Ordinal);
        Assert.Contains("the name 'crew_admin' is PostgreSQL's or the platform's own", status.Words, StringComparison.Ordinal);
        Assert.Contains("there is no role 'nobody'", status.Words, StringComparison.Ordinal);
        await using var owner = await TestNode.ConnectAsync(spec, "shop_owner", "pw-of-shop-4711", "shop");
    }

    [Fact]
    public async Task A_name_with_quotes_is_only_a_name()
    {
        await using var node = new TestNode();
        const string odd = "o\"; DROP TABLE x; --'";
        var spec = TestNode.Shop() with { Databases = [new(odd, odd, [])], Roles = [new(odd, "shop", [])] };
        var server = await node.RunAsync(spec);
        Assert.Equal(odd, await TestServer.AskAsync(server, "SELECT current_database()::text", odd));
    }

    private static async Task<string> RefusedAsync(NpgsqlConnection connection, string sql) =>
        (await Assert.ThrowsAsync<PostgresException>(() => TestNode.AskAsync(connection, sql))).SqlState;
}
