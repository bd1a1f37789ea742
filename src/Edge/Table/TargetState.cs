using System.Net;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// What is happening at one instance: requests in flight and passive health. Lives as long as a table names it or a
/// request uses it, across tables. Thread-safe, without a lock.
/// </summary>
internal sealed class TargetState(Target target, Nudge changed)
{
    private int _inFlight;
    private int _upgraded;
    private int _retired;
    private int _failures;
    private long _ejectedUntil;

    public Guid InstanceId { get; } = target.InstanceId;

    public string Address { get; } = target.Address;

    /// <summary>What the forwarder puts before a path.</summary>
    public string Prefix { get; } = "http://" + target.Address;

    /// <summary>Where the direct path connects to, and its connections that rest.</summary>
    public EndPoint EndPoint { get; } = TargetPool.EndPointOf(target.Address);

    public TargetPool Pool { get; } = new();

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
        if (Interlocked.Decrement(ref _inFlight) == 0 && IsRetired)
            changed.Set();
    }

    public void BeginUpgrade() => Interlocked.Increment(ref _upgraded);

    public void EndUpgrade() => Interlocked.Decrement(ref _upgraded);

    /// <summary>No route names it any more.</summary>
    public void Retire() => Interlocked.Exchange(ref _retired, 1);

    /// <summary>A route names it again.</summary>
    public void Return() => Interlocked.Exchange(ref _retired, 0);

    /// <summary>Whether passive health leaves it out at the timestamp <paramref name="now"/>.</summary>
    public bool IsEjected(long now) => Volatile.Read(ref _ejectedUntil) > now;

    /// <summary>It answered.</summary>
    public void Answered()
    {
        if (Volatile.Read(ref _failures) == 0)
            return;
        Volatile.Write(ref _failures, 0);
        Volatile.Write(ref _ejectedUntil, 0);
    }

    /// <summary>
    /// No connection could be opened. Returns true when that leaves it out until <paramref name="ejectUntil"/>. After
    /// that time one more failure leaves it out again, and one answer forgives everything.
    /// </summary>
    public bool FailedToConnect(int ejectAfter, long ejectUntil)
    {
        if (Interlocked.Increment(ref _failures) < ejectAfter)
            return false;
        Volatile.Write(ref _ejectedUntil, ejectUntil);
        return true;
    }
}
