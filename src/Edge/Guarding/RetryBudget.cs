namespace Groundcrew.Edge;

/// <summary>
/// How much may be offered again: a share of the requests of the last ten seconds, and beside it a few a second. A
/// service that fails is thereby not made to fail faster. Thread-safe; a request that is not offered again takes no lock.
/// </summary>
internal sealed class RetryBudget
{
    /// <summary>Over how many seconds the share is counted.</summary>
    public const int WindowSeconds = 10;

    private readonly Lock _gate = new();
    private readonly RollingCounts _counts;
    private readonly int _percent;
    private readonly int _minimum;
    private readonly long _second;
    private long _secondBegan = long.MinValue;
    private int _inSecond;
    private long _refused;

    public RetryBudget(RetryPolicy policy, TimeProvider clock)
    {
        (_percent, _minimum, _second) = (policy.BudgetPercent, policy.BudgetMinimum, clock.TimestampFrequency);
        _counts = new RollingCounts(WindowSeconds * _second);
    }

    /// <summary>How many retries were refused.</summary>
    public long Refused => Volatile.Read(ref _refused);

    /// <summary>A request came (not a retry).</summary>
    public void Deposit(long now) => _counts.Add(now, 1, 0);

    /// <summary>Whether a retry may be made; it is counted as made. The few a second are used first.</summary>
    public bool TryWithdraw(long now)
    {
        lock (_gate)
        {
            if (TryWithdrawOfSecond(now))
                return true;
            var (requests, retries) = _counts.Sum(now);
            if ((retries + 1) * 100 <= requests * _percent)
            {
                _counts.Add(now, 0, 1);
                return true;
            }
        }
        Interlocked.Increment(ref _refused);
        return false;
    }

    private bool TryWithdrawOfSecond(long now)
    {
        if (_secondBegan == long.MinValue || now - _secondBegan >= _second || now < _secondBegan - _second)
            (_secondBegan, _inSecond) = (now, 0);
        if (_inSecond >= _minimum)
            return false;
        _inSecond++;
        return true;
    }
}
