using System.Net;
using System.Net.Sockets;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Edge;

/// <summary>
/// Accepts the connections of one socket. As the server's own listener does, but for a process that has no descriptor left:
/// that one asks again at once, for ever, and keeps a processor busy with it; here the connections wait in the socket's
/// queue, and are looked for a few times a second. For one accept at a time.
/// </summary>
internal sealed class SocketListener : IConnectionListener
{
    private readonly Socket _socket;
    private readonly SocketConnectionContextFactory _connections;
    private readonly SocketTransportOptions _options;
    private readonly Scarcity _scarcity;

    private SocketListener(Socket socket, SocketTransportOptions options, Scarcity scarcity, ILogger log)
    {
        (_socket, _options, _scarcity) = (socket, options, scarcity);
        EndPoint = socket.LocalEndPoint!;
        _connections = new SocketConnectionContextFactory(
            new SocketConnectionFactoryOptions
            {
                IOQueueCount = options.IOQueueCount,
                MaxReadBufferSize = options.MaxReadBufferSize,
                MaxWriteBufferSize = options.MaxWriteBufferSize,
                UnsafePreferInlineScheduling = options.UnsafePreferInlineScheduling,
                WaitForDataBeforeAllocatingBuffer = options.WaitForDataBeforeAllocatingBuffer,
            },
            log);
    }

    /// <inheritdoc/>
    public EndPoint EndPoint { get; }

    /// <summary>Binds and listens.</summary>
    /// <exception cref="AddressInUseException">Somebody else does.</exception>
    public static SocketListener Bind(EndPoint endpoint, SocketTransportOptions options, Scarcity scarcity, ILogger log)
    {
        Socket socket;
        try
        {
            socket = options.CreateBoundListenSocket(endpoint);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new AddressInUseException(e.Message, e);
        }
        socket.Listen(options.Backlog);
        return new SocketListener(socket, options, scarcity, log);
    }

    /// <inheritdoc/>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                var accepted = await _socket.AcceptAsync(cancellationToken);
                if (accepted.LocalEndPoint is IPEndPoint)
                    accepted.NoDelay = _options.NoDelay;
                return _connections.Create(accepted);
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                return null;
            }
            catch (SocketException e) when (Scarcity.IsIn(e))
            {
                await _scarcity.WaitAsync(e, cancellationToken);
            }
            catch (SocketException)
            {
                // That one was reset before it was accepted; the next may be well.
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _connections.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>The system has no room for another connection of this process: no descriptor or no memory. Thread-safe.</summary>
internal sealed class Scarcity(MetricRegistry metrics, ISignals signals, TimeProvider clock)
{
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SayAgainAfter = TimeSpan.FromMinutes(1);

    private readonly Metric.Series _accepts = metrics.Counter("groundcrew_edge_accepts_postponed_total",
        "How often no connection could be accepted for want of descriptors or memory; those that wait are accepted when there is room.").With();

    private readonly Lock _gate = new();
    private long? _saidAt;

    /// <summary>Whether this is why a socket failed.</summary>
    public static bool IsIn(SocketException? failure) =>
        failure is { SocketErrorCode: SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable };

    /// <summary>Says it, once a minute at most, and waits for better times.</summary>
    public Task WaitAsync(SocketException failure, CancellationToken cancellation)
    {
        _accepts.Add();
        if (IsToBeSaid())
            signals.Raise(new Signal("edge-no-room", "edge",
                $"New connections wait: the system gives this process no more of them ({failure.Message}). What is open is served; raise its limit of open files, or find who holds so many.",
                SignalUrgency.Urgent, clock.GetUtcNow()));
        return Task.Delay(AskAgainAfter, clock, cancellation);
    }

    private bool IsToBeSaid()
    {
        lock (_gate)
        {
            if (_saidAt is { } at && clock.GetElapsedTime(at) < SayAgainAfter)
                return false;
            _saidAt = clock.GetTimestamp();
            return true;
        }
    }
}
