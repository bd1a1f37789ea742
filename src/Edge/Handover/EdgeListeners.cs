using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Edge;

/// <summary>
/// The listening sockets of this edge: bound here, or taken over from the edge before. They can be given on while they
/// listen, and let go without a trace. Thread-safe.
/// </summary>
/// <remarks>
/// Two processes that hold a listening socket share more than its queue. Disposing a .NET socket that owns its descriptor
/// while an accept waits sets SO_LINGER to zero on it, which every connection that the other process accepts would
/// inherit: it would reset its clients. So the server accepts through sockets that do not own their descriptor, an
/// accept that waits is cancelled before its socket is disposed, and the descriptor is closed by a plain close(2).
/// </remarks>
internal sealed class EdgeListeners : IConnectionListenerFactory, IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SafeFileHandle> _held = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafeFileHandle> _inherited = new(StringComparer.Ordinal);
    private readonly List<EdgeListener> _listeners = [];
    private readonly SocketTransportOptions _transport;
    private readonly Scarcity _scarcity;
    private readonly ILogger _log;
    private readonly Departure _departure;
    private readonly CancellationTokenSource _leaving = new();
    private TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public EdgeListeners(Departure departure, IOptions<SocketTransportOptions> options, Scarcity scarcity, ILoggerFactory logs)
    {
        (_departure, _scarcity, _transport) = (departure, scarcity, options.Value);
        _log = logs.CreateLogger<SocketListener>();
        var bind = _transport.CreateBoundListenSocket;
        _transport.CreateBoundListenSocket = endpoint => Listen(endpoint, bind);
        _open.SetResult();
    }

    /// <summary>The sockets that listen, each with its endpoint.</summary>
    public IReadOnlyList<(string Endpoint, SafeFileHandle Handle)> Held
    {
        get
        {
            lock (_gate)
                return [.. _held.Select(h => (h.Key, h.Value))];
        }
    }

    /// <summary>Takes sockets over before the server starts; it accepts nothing before <see cref="Open"/>.</summary>
    public void Inherit(IEnumerable<(string Endpoint, SafeFileHandle Handle)> sockets)
    {
        lock (_gate)
        {
            _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            foreach (var (endpoint, handle) in sockets)
                if (!_inherited.TryAdd(endpoint, handle))
                    handle.Dispose();
        }
    }

    /// <summary>Begins to accept, and lets go what was inherited and is not served any more.</summary>
    public void Open()
    {
        lock (_gate)
        {
            foreach (var handle in _inherited.Values)
                handle.Dispose();
            _inherited.Clear();
            _open.TrySetResult();
        }
    }

    /// <summary>
    /// Accepts nothing more and closes this process's descriptors. When it returns, every connection that was accepted is
    /// counted, and the others wait for whoever else holds the sockets.
    /// </summary>
    public async Task LeaveAsync()
    {
        await _leaving.CancelAsync();
        List<EdgeListener> listeners;
        lock (_gate)
            listeners = [.. _listeners];
        foreach (var listener in listeners)
            await listener.LeftAsync();
    }

    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var inner = SocketListener.Bind(endpoint, _transport, _scarcity, _log);
        var listener = new EdgeListener(inner, _departure, () => Close(inner.EndPoint), _open.Task, _leaving.Token);
        lock (_gate)
            _listeners.Add(listener);
        return new(listener);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _open.TrySetCanceled();
        CloseAll();
        _leaving.Dispose();
    }

    private Socket Listen(EndPoint endpoint, Func<EndPoint, Socket> bind)
    {
        lock (_gate)
        {
            if (!_inherited.Remove(endpoint.ToString()!, out var handle))
            {
                // Closed by its owner before anything waits on it; what remains is our own descriptor.
                using var bound = bind(endpoint);
                handle = Descriptors.Duplicate(bound.SafeHandle);
            }
            var socket = new Socket(new SafeSocketHandle(handle.DangerousGetHandle(), ownsHandle: false));
            _held.Add(socket.LocalEndPoint!.ToString()!, handle);
            return socket;
        }
    }

    private void Close(EndPoint endpoint)
    {
        lock (_gate)
            if (_held.Remove(endpoint.ToString()!, out var handle))
                handle.Dispose();
    }

    private void CloseAll()
    {
        lock (_gate)
        {
            foreach (var handle in _held.Values.Concat(_inherited.Values))
                handle.Dispose();
            _held.Clear();
            _inherited.Clear();
        }
    }
}

/// <summary>One listener of the server, whose accepting can begin later and end earlier than the server's own life.</summary>
internal sealed class EdgeListener(IConnectionListener inner, Departure departure, Action close, Task open, CancellationToken leaving) : IConnectionListener
{
    private readonly TaskCompletionSource _unbound = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _accepting = new(1);

    /// <inheritdoc/>
    public EndPoint EndPoint => inner.EndPoint;

    /// <inheritdoc/>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        if (!open.IsCompleted)
            await Task.WhenAny(open, _unbound.Task);
        if (await AcceptOneAsync(cancellationToken) is { } accepted)
            return accepted;
        // To the server an edge that is leaving only has no more visitors, until it unbinds.
        await _unbound.Task.WaitAsync(cancellationToken);
        return null;
    }

    /// <summary>Ends when no accept is under way any more; the socket is then disposed.</summary>
    public async Task LeftAsync()
    {
        await _accepting.WaitAsync(CancellationToken.None);
        _accepting.Release();
        await inner.UnbindAsync();
        close();
    }

    /// <inheritdoc/>
    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _unbound.TrySetResult();
        await inner.UnbindAsync(cancellationToken);
        close();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _unbound.TrySetResult();
        await inner.DisposeAsync();
        _accepting.Dispose();
    }

    private async Task<ConnectionContext?> AcceptOneAsync(CancellationToken cancellation)
    {
        await _accepting.WaitAsync(cancellation);
        try
        {
            if (leaving.IsCancellationRequested || _unbound.Task.IsCompleted)
                return null;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(leaving, cancellation);
            var accepted = await inner.AcceptAsync(either.Token);
            if (accepted is not null)
                departure.Opened(accepted);
            return accepted;
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            _accepting.Release();
        }
    }
}
