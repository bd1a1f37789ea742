using System.Net;
using System.Runtime.InteropServices;

namespace Groundcrew.Edge;

/// <summary>
/// A token bucket for each key, kept as the one time at which it will be full again (the "generic cell rate algorithm").
/// Exact under concurrency: of a key, never more pass in any time t than the burst and rate times t. Keys are hashed
/// under a secret of this limiter. Memory is bounded: a bucket that is full again is forgotten first, and when none is,
/// the one that owes least is taken over, which forgives least. Thread-safe; keys share no lock but with the few that
/// fall into the same <see cref="RateBuckets"/>. Allocates only when a new key makes the table grow.
/// </summary>
internal sealed class RateLimiter
{
    /// <summary>How many buckets are kept when nothing else is said.</summary>
    public const int DefaultCapacity = 65_536;

    private readonly SipHash _hash = SipHash.Drawn();
    private readonly RateBuckets?[] _sets;
    private readonly int _ways;
    private readonly long _frequency;
    private readonly long _perTick;
    private readonly long _slack;
    private readonly long _interval;
    private readonly long _full;
    private readonly int _burst;
    private long _takenOver;
    private long _refused;

    /// <summary>Makes one with every bucket full.</summary>
    public RateLimiter(RateLimit limit, TimeProvider clock, int capacity = DefaultCapacity)
    {
        Limit = limit;
        _burst = limit.Burst ?? limit.Requests;
        _frequency = clock.TimestampFrequency;
        _perTick = _frequency % TimeSpan.TicksPerSecond == 0 ? _frequency / TimeSpan.TicksPerSecond : 0;
        // Threads hand over their time a little out of order; only a step of seconds is a clock that was set back.
        _slack = 10 * _frequency;
        // Rounded up, so that rounding never lets more through.
        var interval = (Int128)limit.Per.Ticks * _frequency;
        var divisor = (Int128)TimeSpan.TicksPerSecond * limit.Requests;
        _interval = (long)Int128.Max(1, (interval + divisor - 1) / divisor);
        _full = (long)Int128.Min((Int128)_interval * _burst, long.MaxValue / 4);
        _ways = limit.By == RateKey.Route ? 1 : Math.Min(RateBuckets.MostWays, capacity);
        _sets = new RateBuckets?[limit.By == RateKey.Route ? 1 : Math.Max(1, capacity / _ways)];
    }

    private enum Kind : ulong
    {
        Text = 0,
        Address = 1,
    }

    /// <summary>What it holds to.</summary>
    public RateLimit Limit { get; }

    /// <summary>How many buckets were taken over by another key although they were in use.</summary>
    public long TakenOver => Volatile.Read(ref _takenOver);

    /// <summary>How many requests it turned away.</summary>
    public long Refused => Volatile.Read(ref _refused);

    /// <summary>How many buckets are kept; never more than the capacity.</summary>
    public int Kept => _sets.Sum(s => s?.Count ?? 0);

    /// <summary>Whether requests of this method are counted.</summary>
    public bool Counts(string method)
    {
        for (var i = 0; i < Limit.Methods.Count; i++)
            if (string.Equals(Limit.Methods[i], method, StringComparison.Ordinal))
                return true;
        return Limit.Methods.Count == 0;
    }

    /// <summary>Takes one from the bucket of a text, such as a header's value or a token; false when it is empty.</summary>
    public bool TryTake(ReadOnlySpan<char> key, long now, out RateVerdict verdict) =>
        TryTake(_hash.Of(MemoryMarshal.AsBytes(key), (ulong)Kind.Text), now, out verdict);

    /// <summary>
    /// Takes one from the bucket of an address; false when it is empty. IPv4 counts whole, also when it is written as
    /// IPv6; of IPv6 the first 64 bits, because one subscriber has all the rest.
    /// </summary>
    public bool TryTake(IPAddress address, long now, out RateVerdict verdict)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        ReadOnlySpan<byte> key = length == 4 ? bytes[..4] : address.IsIPv4MappedToIPv6 ? bytes[12..] : bytes[..8];
        return TryTake(_hash.Of(key, (ulong)Kind.Address), now, out verdict);
    }

    /// <summary>Takes one from the bucket that all share; false when it is empty.</summary>
    public bool TryTake(long now, out RateVerdict verdict) => TryTake(UInt128.Zero, now, out verdict);

    private bool TryTake(UInt128 key, long now, out RateVerdict verdict)
    {
        var set = SetOf((ulong)(key >> 64));
        var taken = set.TryTake(key, now, _interval, _full, _slack, out var debt, out var tookOver);
        if (tookOver)
            Interlocked.Increment(ref _takenOver);
        if (!taken)
            Interlocked.Increment(ref _refused);
        var left = _full - debt;
        verdict = new RateVerdict(_burst, (int)Math.Clamp(left / _interval, 0, _burst), SpanOf(debt), taken ? TimeSpan.Zero : SpanOf(_interval - left));
        return taken;
    }

    private RateBuckets SetOf(ulong hash)
    {
        // The high half of a product spreads the hash over any number of sets.
        ref var place = ref _sets[(int)Math.BigMul(hash, (ulong)_sets.Length, out _)];
        if (Volatile.Read(ref place) is { } set)
            return set;
        var made = new RateBuckets(_ways);
        return Interlocked.CompareExchange(ref place, made, null) ?? made;
    }

    /// <summary>Rounded up. Clocks count in whole parts of a tick as a rule, which spares a wide division.</summary>
    private TimeSpan SpanOf(long time) => TimeSpan.FromTicks(_perTick > 0
        ? (time + _perTick - 1) / _perTick
        : (long)Int128.Min(long.MaxValue, (((Int128)time * TimeSpan.TicksPerSecond) + _frequency - 1) / _frequency));
}
