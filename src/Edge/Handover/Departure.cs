using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Groundcrew.Edge;

/// <summary>
/// Knows the connections that are open, and ends them without cutting a request once the edge is leaving: every answer of
/// HTTP/1.1 says <c>Connection: close</c>, and a connection is closed only after it was quiet for a while, for a client may
/// send its next request at the moment of the close. Thread-safe.
/// </summary>
internal sealed class Departure(EdgeOptions options, TimeProvider clock)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private readonly ConcurrentDictionary<OpenConnection, bool> _open = new();
    private long _leftAt;
    private volatile bool _isLeaving;

    /// <summary>Whether another edge has taken over.</summary>
    public bool IsLeaving => _isLeaving;

    /// <summary>What is still open.</summary>
    public (int Connections, int Requests, int Upgraded) Count()
    {
        var (connections, requests, upgraded) = (0, 0, 0);
        foreach (var (connection, _) in _open)
        {
            connections++;
            requests += connection.Requests;
            upgraded += connection is { IsUpgraded: true, Requests: > 0 } ? 1 : 0;
        }
        return (connections, requests, upgraded);
    }

    /// <summary>A connection was accepted.</summary>
    public void Opened(ConnectionContext context)
    {
        var connection = new OpenConnection(context, this, clock.GetTimestamp());
        context.Features.Set(connection);
        _open[connection] = true;
        context.ConnectionClosed.UnsafeRegister(static state => ((OpenConnection)state!).Departure.Closed((OpenConnection)state), connection);
    }

    /// <summary>Serves a request and keeps count of it.</summary>
    public async Task ServeAsync(HttpContext context, RequestDelegate serve)
    {
        // A host that brought its own listeners has no connections that could be handed over.
        if (context.Features.Get<OpenConnection>() is not { } connection)
        {
            await serve(context);
            return;
        }
        context.Response.OnStarting(SayWhetherItStays, context);
        connection.Enter(context.Request.Protocol);
        try
        {
            await serve(context);
        }
        finally
        {
            connection.Leave(clock.GetTimestamp());
            if (connection.IsGone)
                _open.TryRemove(connection, out _);
        }
    }

    /// <summary>From now on connections are asked to end; no more come.</summary>
    public void Leave()
    {
        Volatile.Write(ref _leftAt, clock.GetTimestamp());
        _isLeaving = true;
    }

    /// <summary>Ends once no connection is left: each by itself, or cut off when its time is over.</summary>
    public async Task DrainAsync(CancellationToken stop)
    {
        while (!_open.IsEmpty)
        {
            var now = clock.GetTimestamp();
            foreach (var (connection, _) in _open)
                Press(connection, now);
            await Task.Delay(LookEvery, clock, stop);
        }
    }

    private void Press(OpenConnection connection, long now)
    {
        var since = clock.GetElapsedTime(_leftAt, now);
        if (since > (connection.IsUpgraded ? options.LeaveUpgradesAfter : options.LeaveRequestsAfter))
        {
            connection.Abort();
            return;
        }
        var quietFor = clock.GetElapsedTime(Math.Max(connection.QuietSince, _leftAt), now);
        connection.AskToClose(isQuiet: connection.Requests == 0 && quietFor >= options.CloseQuietAfter);
    }

    private void Closed(OpenConnection connection)
    {
        connection.MarkClosed();
        if (connection.IsGone)
            _open.TryRemove(connection, out _);
    }

    private static Task SayWhetherItStays(object state)
    {
        var context = (HttpContext)state;
        if (context.Features.Get<OpenConnection>() is { Departure.IsLeaving: true }
            && context.Response.StatusCode != StatusCodes.Status101SwitchingProtocols
            && (HttpProtocol.IsHttp11(context.Request.Protocol) || HttpProtocol.IsHttp10(context.Request.Protocol)))
            context.Response.Headers.Connection = "close";
        return Task.CompletedTask;
    }
}
