using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class RetryBudgetTests
{
    private readonly ManualClock _clock = new();

    private long Now => _clock.GetTimestamp();

    [Fact]
    public void A_few_a_second_are_allowed_without_any_traffic()
    {
        var budget = Budget(20, 3);
        Assert.Equal(3, Withdraw(budget, 10));
        _clock.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Equal(0, Withdraw(budget, 10));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(3, Withdraw(budget, 10));
        Assert.Equal(24, budget.Refused);
    }

    [Fact]
    public void Traffic_allows_its_share_and_old_traffic_does_not()
    {
        var budget = Budget(20, 0);
        Assert.Equal(0, Withdraw(budget, 1));
        Deposit(budget, 104);
        Assert.Equal(20, Withdraw(budget, 100));
        Deposit(budget, 1);
        Assert.Equal(1, Withdraw(budget, 100));
        _clock.Advance(TimeSpan.FromSeconds(RetryBudget.WindowSeconds));
        Assert.Equal(0, Withdraw(budget, 100));
        Deposit(budget, 10);
        Assert.Equal(2, Withdraw(budget, 100));
    }

    [Fact]
    public async Task Many_at_once_never_withdraw_more_than_there_is()
    {
        var budget = Budget(10, 7);
        Deposit(budget, 1000);
        var now = Now;
        var withdrawn = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
            Task.Run(() => Enumerable.Range(0, 1000).Count(_ => budget.TryWithdraw(now)), TestContext.Current.CancellationToken)));
        Assert.Equal(107, withdrawn.Sum());
    }

    [Fact]
    public void A_clock_set_back_leaves_the_few_a_second()
    {
        var budget = Budget(20, 3);
        Withdraw(budget, 10);
        _clock.Advance(TimeSpan.FromHours(-1));
        Assert.Equal(3, Withdraw(budget, 10));
    }

    private int Withdraw(RetryBudget budget, int times) => Enumerable.Range(0, times).Count(_ => budget.TryWithdraw(Now));

    private void Deposit(RetryBudget budget, int times)
    {
        for (var i = 0; i < times; i++)
            budget.Deposit(Now);
    }

    private RetryBudget Budget(int percent, int minimum) =>
        new(new RetryPolicy { BudgetPercent = percent, BudgetMinimum = minimum }, _clock);
}
