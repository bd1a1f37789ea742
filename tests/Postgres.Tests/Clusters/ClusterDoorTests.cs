using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>One cluster that several cases only ask.</summary>
public sealed class ShopCluster : IAsyncLifetime
{
    private readonly TestNode _node = new();

    internal ClusterSpec Spec { get; } = TestNode.Shop();

    public async ValueTask InitializeAsync() => await _node.RunAsync(Spec);

    public async ValueTask DisposeAsync() => await _node.DisposeAsync();
}

/// <summary>Who comes into which database.</summary>
public sealed class ClusterDoorTests(ShopCluster shop) : IClassFixture<ShopCluster>
{
    [Theory]
    [InlineData("shop_owner", "pw-of-shop-4711", "crm", "42501")]
    [InlineData("crm_owner", "pw-of-crm-4712", "shop", "42501")]
    [InlineData("reader", "pw-of-reader-4713", "crm", "42501")]
    [InlineData("shop_owner", "pw-of-shop-4711", "postgres", "42501")]
    [InlineData("shop_owner", "pw-of-shop-4711", "template1", "42501")]
    [InlineData("shop_owner", "pw-of-crm-4712", "shop", "28P01")]
    [InlineData("nobody", "pw-of-crm-4712", "shop", "28P01")]
    [InlineData("crew_admin", "pw-of-crm-4712", "shop", "28P01")]
    public async Task Who_is_not_named_for_a_database_does_not_come_in(string role, string password, string database, string code)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => TestNode.ConnectAsync(shop.Spec, role, password, database));
        Assert.Equal(code, refused.SqlState);
    }
}
