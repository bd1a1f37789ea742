using System.Net;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// What is happening at one instance: requests in flight and passive health. Lives as long as a table names it or a
/// request uses it, across tables. Thread-safe, without a lock.
/// </summary>
internal sealed class TargetState(Target target, BreakerPolicy policy, Nudge changed, TimeProvider clock)
{
    private int _inFlight;
    private int _upgraded;
    private int _retired;
    private volatile bool _isProbedBad;
    private volatile Breaker _breaker = new(policy, clock);
    private BreakerPolicy _policy = policy;
    private long _since = clock.GetTimestamp();

    public Guid InstanceId { get; } = target.InstanceId;

    public string Address { get; } = target.Address;

    /// <summary>What an access record says of it.</summary>
    public byte[] InLog { get; } = AccessRecord.Member("instance", target.InstanceId.ToString());

    /// <summary>What the forwarder puts before a path.</summary>
    public string Prefix { get; } = "http://" + target.Address;

    /// <summary>Where the direct path connects to, and its connections that rest.</summary>
    public EndPoint EndPoint { get; } = TargetPool.EndPointOf(target.Address);

    public TargetPool Pool { get; } = new();

    /// <summary>Its passive health.</summary>
    public Breaker Breaker
    {
        get => _breaker;
        private set => _breaker = value;
    }

    public int InFlight => Volatile.Read(ref _inFlight);

    public int Upgraded => Volatile.Read(ref _upgraded);

    public bool IsRetired => Volatile.Read(ref _retired) != 0;

    /// <summary>
    /// Claims the target, unless it is retired. The count goes up before the flag is read, and <see cref="Retire"/>
    /// sets the flag before anyone reads the count (both with a full fence): whoever saw zero after retiring knows that
    /// every later claim sees the flag. Such a claim shows in the count for a moment and forwards nothing.
    /// </summary>
    public bool TryEnter()
    {
        Interlocked.Increment(ref _inFlight);
        if (!IsRetired)
            return true;
        Leave();
        return false;
    }

    /// <summary>Gives a claim back.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref _inFlight) <= Upgraded && IsRetired)
            changed.Set();
    }

    /// <summary>A request became an upgraded connection, which a drain counts apart.</summary>
    public void BeginUpgrade()
    {
        Interlocked.Increment(ref _upgraded);
        if (IsRetired)
            changed.Set();
    }

    public void EndUpgrade() => Interlocked.Decrement(ref _upgraded);

    /// <summary>No route names it any more.</summary>
    public void Retire() => Interlocked.Exchange(ref _retired, 1);

    /// <summary>A route names it again.</summary>
    public void Return() => Interlocked.Exchange(ref _retired, 0);

    /// <summary>Whether it may be given a request at the timestamp <paramref name="now"/>: its breaker is closed or may be tried, and probes find it well.</summary>
    public bool IsWell(long now) => !_isProbedBad && Breaker.Allows(now);

    /// <summary>What the edge's own probes say.</summary>
    public void Probed(bool isWell) => _isProbedBad = !isWell;

    /// <summary>
    /// How busy it is, for comparison: requests in flight, the one to come included, over its share. A target that is new
    /// has a share that grows to one in the time of the slow start.
    /// </summary>
    public double Load(long now, long slowStart)
    {
        var age = now - Volatile.Read(ref _since);
        var share = slowStart > 0 && age < slowStart ? Math.Max(0.05, age / (double)slowStart) : 1;
        return (InFlight + 1) / share;
    }

    /// <summary>Its breaker, which begins anew when the policy is another one or the target comes back.</summary>
    public void Judge(BreakerPolicy policy, bool isBack, TimeProvider clock)
    {
        if (!isBack && policy == _policy)
            return;
        (_policy, Breaker) = (policy, new Breaker(policy, clock));
        if (isBack)
            Volatile.Write(ref _since, clock.GetTimestamp());
    }
}
