using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Groundcrew.Edge;

/// <summary>
/// One connection of a client, from its accept until it is closed and its last request ended. Found as a feature of the
/// connection and of its requests. Thread-safe, without a lock.
/// </summary>
internal sealed class OpenConnection(ConnectionContext connection, Departure departure, long now)
{
    private int _requests;
    private int _upgraded;
    private int _closed;
    private int _asked;
    private int _handshaking;
    private bool _isMultiplexed;
    private long _quietSince = now;

    /// <summary>Requests whose response has not ended, an upgraded one included.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Whether it became something that is no request any more, such as a WebSocket.</summary>
    public bool IsUpgraded => Volatile.Read(ref _upgraded) != 0;

    /// <summary>Whether nothing of it is left.</summary>
    public bool IsGone => Volatile.Read(ref _closed) != 0 && Requests == 0;

    /// <summary>Whether it came to a traffic port. Set before its first request.</summary>
    public bool IsTraffic { get; set; }

    /// <summary>The edge that it came to.</summary>
    public Departure Departure => departure;

    /// <summary>The timestamp since which it has had no request.</summary>
    public long QuietSince => Volatile.Read(ref _quietSince);

    /// <summary>A request of it begins.</summary>
    public void Enter(string protocol)
    {
        Interlocked.Increment(ref _requests);
        if (!_isMultiplexed && !HttpProtocol.IsHttp11(protocol) && !HttpProtocol.IsHttp10(protocol))
            Volatile.Write(ref _isMultiplexed, true);
    }

    /// <summary>A request of it ended.</summary>
    public void Leave(long now)
    {
        Volatile.Write(ref _quietSince, now);
        Interlocked.Decrement(ref _requests);
    }

    /// <summary>Its client and the edge agree on keys: it is not quiet, though it has no request yet.</summary>
    public void BeginHandshake() => Interlocked.Exchange(ref _handshaking, 1);

    /// <summary>They have agreed.</summary>
    public void EndHandshake(long now)
    {
        Volatile.Write(ref _quietSince, now);
        Interlocked.Exchange(ref _handshaking, 0);
    }

    public void BeginUpgrade() => Interlocked.Exchange(ref _upgraded, 1);

    public void MarkClosed() => Interlocked.Exchange(ref _closed, 1);

    /// <summary>
    /// Asks it to end: at once when nothing is under way, otherwise with what is. One of HTTP/2 and later can be asked at any
    /// time, for its protocol tells the client which requests are still answered; one of HTTP/1.1 only when it is quiet.
    /// </summary>
    public void AskToClose(bool isQuiet)
    {
        if (((isQuiet && Volatile.Read(ref _handshaking) == 0) || Volatile.Read(ref _isMultiplexed)) && Interlocked.Exchange(ref _asked, 1) == 0)
            connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
    }

    /// <summary>Cuts it off.</summary>
    public void Abort() => connection.Abort(new ConnectionAbortedException("The edge that holds it was replaced, and its time is over."));
}
