using System.Text;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class HeaderRulesTests
{
    private static readonly HeaderRules Rules = new(["X-Tenant", "X-Internal-*"]);

    [Theory]
    [InlineData("X-User-Id", true)]
    [InlineData("x-user-", true)]
    [InlineData("X-USER-ROLES", true)]
    [InlineData("X_User_Id", true)]
    [InlineData("X-User", false)]
    [InlineData("X-Users-Id", false)]
    [InlineData("X-Tenant", true)]
    [InlineData("x-tenant", true)]
    [InlineData("x_tenant", true)]
    [InlineData("X-Tenant-Id", false)]
    [InlineData("X-Tenan", false)]
    [InlineData("X-Internal-Anything", true)]
    [InlineData("X-Internal", false)]
    [InlineData("Accept", false)]
    [InlineData("", false)]
    [InlineData("X-Uſer-Id", false)]
    public void Names_that_say_who_somebody_is_are_stripped(string name, bool expected)
    {
        Assert.Equal(expected, Rules.Strips(name.AsSpan()));
        Assert.Equal(expected, Rules.Strips(Encoding.UTF8.GetBytes(name)));
    }

    [Fact]
    public void The_rule_that_always_holds_needs_no_list()
    {
        Assert.True(new HeaderRules([]).Strips("X-User-Id".AsSpan()));
        Assert.False(new HeaderRules([]).Strips("X-Tenant".AsSpan()));
    }

    [Fact]
    public void Asking_allocates_nothing()
    {
        Assert.False(Rules.Strips("X-Request-Id".AsSpan()));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            Rules.Strips("X-Request-Id".AsSpan());
            Rules.Strips("X-Internal-Id"u8);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
