using System.Net;

namespace Groundcrew.Edge;

/// <summary>Connections to one target that rest between requests. At most <see cref="Most"/>; one more is closed. Thread-safe, without a lock.</summary>
internal sealed class TargetPool
{
    private const int Most = 256;
    private readonly TargetConnection?[] _resting = new TargetConnection?[Most];
    private int _closed;

    /// <summary>
    /// Takes one that rested no longer than <paramref name="most"/>; null when there is none. Whether it is well is looked
    /// at when it rested longer than <paramref name="unseen"/>.
    /// </summary>
    public TargetConnection? Take(TimeProvider clock, long now, TimeSpan most, TimeSpan unseen)
    {
        for (var i = 0; i < Most; i++)
        {
            if (Volatile.Read(ref _resting[i]) is null || Interlocked.Exchange(ref _resting[i], null) is not { } connection)
                continue;
            var rested = clock.GetElapsedTime(connection.IdleSince, now);
            if (rested <= unseen || (rested <= most && !connection.IsStale))
                return connection;
            connection.Dispose();
        }
        return null;
    }

    /// <summary>Puts one back to rest.</summary>
    public void Give(TargetConnection connection, long now)
    {
        connection.Rest();
        connection.IdleSince = now;
        for (var i = 0; i < Most && Volatile.Read(ref _closed) == 0; i++)
        {
            if (Volatile.Read(ref _resting[i]) is not null || Interlocked.CompareExchange(ref _resting[i], connection, null) is not null)
                continue;
            // Closed in between: whoever closed may have passed this place already.
            if (Volatile.Read(ref _closed) != 0)
                Close();
            return;
        }
        connection.Dispose();
    }

    /// <summary>Closes those that rested longer than <paramref name="most"/> or that the target closed.</summary>
    public void Sweep(TimeProvider clock, TimeSpan most)
    {
        for (var i = 0; i < Most; i++)
        {
            if (Volatile.Read(ref _resting[i]) is null || Interlocked.Exchange(ref _resting[i], null) is not { } connection)
                continue;
            if (clock.GetElapsedTime(connection.IdleSince) > most || connection.IsStale || Interlocked.CompareExchange(ref _resting[i], connection, null) is not null)
                connection.Dispose();
        }
    }

    /// <summary>Closes all, now and from now on.</summary>
    public void Close()
    {
        Volatile.Write(ref _closed, 1);
        for (var i = 0; i < Most; i++)
            Interlocked.Exchange(ref _resting[i], null)?.Dispose();
    }

    /// <summary>Where an address leads: as it is, or by a name that is looked up when a connection is opened.</summary>
    public static EndPoint EndPointOf(string address)
    {
        var colon = address.LastIndexOf(':');
        return IPEndPoint.TryParse(address, out var endPoint) ? endPoint : new DnsEndPoint(address[..colon], int.Parse(address.AsSpan(colon + 1)));
    }
}
