using System.Runtime.InteropServices;

namespace Groundcrew.Edge;

/// <summary>
/// The few buckets of a rate limiter whose keys fall together, under one lock that is held for a handful of
/// instructions. A bucket is the time at which it will be full again; how far that lies ahead is its debt.
/// Thread-safe.
/// </summary>
internal sealed class RateBuckets(int ways)
{
    /// <summary>The most buckets of a set: enough that sets fill evenly, few enough to look through.</summary>
    public const int MostWays = 32;

    private readonly Lock _gate = new();
    private Bucket[] _buckets = [];
    private int _count;
    private long _latest = long.MinValue;

    /// <summary>How many there are.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>
    /// Takes <paramref name="interval"/> from a key's bucket, which holds <paramref name="full"/>; false when so much
    /// is not there. All times are the clock's timestamps.
    /// </summary>
    /// <param name="key">Whose bucket.</param>
    /// <param name="now">The time. One that is earlier than another's by more than <paramref name="slack"/> means that the clock was set back.</param>
    /// <param name="interval">What one request takes.</param>
    /// <param name="full">What a full bucket holds.</param>
    /// <param name="slack">By how much times may come out of order.</param>
    /// <param name="debt">What the bucket lacks, after this.</param>
    /// <param name="tookOver">Whether another key lost its bucket by this.</param>
    public bool TryTake(UInt128 key, long now, long interval, long full, long slack, out long debt, out bool tookOver)
    {
        lock (_gate)
        {
            now = Later(now, slack);
            ref var bucket = ref Find(key, now, out tookOver);
            // A debt above the full bucket is one from before the clock was set back: then it is empty, and fills as ever.
            debt = Math.Clamp(bucket.FullAt - now, 0, full);
            var taken = debt <= full - interval;
            if (taken)
                debt += interval;
            bucket.FullAt = now + debt;
            return taken;
        }
    }

    /// <summary>Time that does not run back for those who share the set, unless the clock was set back.</summary>
    private long Later(long now, long slack)
    {
        if (_latest == long.MinValue || now > _latest || _latest - now > slack)
            _latest = now;
        return _latest;
    }

    /// <summary>The key's bucket; otherwise one that is full, a new one, or the one that owes least, in this order.</summary>
    private ref Bucket Find(UInt128 key, long now, out bool tookOver)
    {
        tookOver = false;
        var least = 0;
        for (var i = 0; i < _count; i++)
        {
            if (_buckets[i].Key == key)
                return ref _buckets[i];
            if (_buckets[i].FullAt < _buckets[least].FullAt)
                least = i;
        }
        if (_count > 0 && _buckets[least].FullAt <= now)
            return ref Give(least, key, now);
        if (_count < ways)
            return ref Give(Grow(), key, now);
        tookOver = true;
        return ref Give(least, key, now);
    }

    private ref Bucket Give(int place, UInt128 key, long now)
    {
        _buckets[place] = new Bucket { Key = key, FullAt = now };
        return ref _buckets[place];
    }

    private int Grow()
    {
        if (_count == _buckets.Length)
            Array.Resize(ref _buckets, Math.Min(ways, Math.Max(2, 2 * _count)));
        return _count++;
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Bucket
    {
        public UInt128 Key;
        public long FullAt;
    }
}
