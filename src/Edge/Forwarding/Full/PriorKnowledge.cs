using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Groundcrew.Edge;

/// <summary>
/// HTTP/2 without TLS on a port that speaks HTTP/1.1 as well (RFC 9113, section 3.3). The server decides the version of a
/// plain port by its settings, not by what comes: so connections that begin with the preface of HTTP/2 are handed to a
/// second endpoint, which listens nowhere and speaks HTTP/2 alone. Thread-safe.
/// </summary>
internal sealed class PriorKnowledge(TimeProvider clock) : IConnectionListenerFactory, IConnectionListenerFactorySelector, IConnectionListener
{
    /// <summary>What a client sends first (RFC 9113, section 3.4).</summary>
    private static readonly byte[] Preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8];

    private static readonly TimeSpan PrefaceWithin = TimeSpan.FromSeconds(15);

    /// <summary>The server takes them at once; when it does not, those who hand over wait.</summary>
    private readonly Channel<Handed> _handed = Channel.CreateBounded<Handed>(256);

    /// <summary>Whether a port may meet such connections.</summary>
    public bool IsWanted { get; set; }

    /// <inheritdoc/>
    public EndPoint EndPoint { get; } = new Nowhere();

    /// <summary>Adds the endpoint to the server, after those that it has.</summary>
    public void Open(KestrelServerOptions kestrel)
    {
        if (!IsWanted)
            return;
        kestrel.Listen(EndPoint, endpoint =>
        {
            endpoint.Protocols = HttpProtocols.Http2;
            endpoint.Use(next => connection => LinkedAsync(connection, next));
        });
    }

    /// <summary>Whether a connection begins with the preface; nothing of it is consumed.</summary>
    public async ValueTask<bool> IsSpokenAsync(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        try
        {
            // What the direct path has seen is there already.
            if (Look(input, await input.ReadAsync()) is { } known)
                return known;
            using var limit = new CancellationTokenSource(PrefaceWithin, clock);
            while (true)
                if (Look(input, await input.ReadAsync(limit.Token)) is { } found)
                    return found;
        }
        catch (Exception e) when (e is OperationCanceledException or ConnectionResetException or ConnectionAbortedException or IOException)
        {
            // The full path finds the same.
            return false;
        }
    }

    /// <summary>Hands a connection over and returns when it has ended.</summary>
    public async Task ServeAsync(ConnectionContext connection)
    {
        var handed = new Handed(connection);
        try
        {
            await _handed.Writer.WriteAsync(handed, connection.ConnectionClosed);
        }
        catch (Exception e) when (e is ChannelClosedException or OperationCanceledException)
        {
            // The server stops, or the client left: nobody is there to be told.
            return;
        }
        await handed.Ended;
    }

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => ReferenceEquals(endpoint, EndPoint);

    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

    /// <inheritdoc/>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _handed.Reader.WaitToReadAsync(cancellationToken))
            if (_handed.Reader.TryRead(out var handed))
                return handed;
        return null;
    }

    /// <inheritdoc/>
    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _handed.Writer.TryComplete();
        return default;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => UnbindAsync();

    /// <summary>Whoever asks the connection to end asks the server's half of it too, which then tells its client (GOAWAY).</summary>
    private static async Task LinkedAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var lifetime = connection.Features.GetRequiredFeature<IConnectionLifetimeNotificationFeature>();
        await using var asked = connection is Handed { AskedToEnd: var token }
            ? token.UnsafeRegister(static state => ((IConnectionLifetimeNotificationFeature)state!).RequestClose(), lifetime)
            : default;
        await next(connection);
    }

    /// <summary>Null when more has to come to know.</summary>
    private static bool? Look(PipeReader input, ReadResult read)
    {
        Span<byte> first = stackalloc byte[Preface.Length];
        var begin = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, Preface.Length));
        begin.CopyTo(first);
        var isSo = Preface.AsSpan().StartsWith(first[..(int)begin.Length]);
        if (isSo && begin.Length < Preface.Length && read is { IsCompleted: false, IsCanceled: false })
        {
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            return null;
        }
        input.AdvanceTo(read.Buffer.Start);
        return isSo && begin.Length == Preface.Length;
    }

    /// <summary>An address of nothing.</summary>
    private sealed class Nowhere : EndPoint
    {
        public override string ToString() => "http2-prior-knowledge";
    }

    /// <summary>A connection in its second life: the same bytes, with the server's own features on top of the first life's.</summary>
    private sealed class Handed(ConnectionContext first) : ConnectionContext
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Completes when the server is done with it.</summary>
        public Task Ended => _ended.Task;

        /// <summary>Fires when its first life is asked to end.</summary>
        public CancellationToken AskedToEnd { get; } =
            first.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;

        public override string ConnectionId { get => first.ConnectionId; set => first.ConnectionId = value; }

        public override IFeatureCollection Features { get; } = new FeatureCollection(first.Features);

        public override IDictionary<object, object?> Items { get => first.Items; set => first.Items = value; }

        public override IDuplexPipe Transport { get => first.Transport; set => first.Transport = value; }

        public override CancellationToken ConnectionClosed { get => first.ConnectionClosed; set => first.ConnectionClosed = value; }

        public override EndPoint? LocalEndPoint { get => first.LocalEndPoint; set => first.LocalEndPoint = value; }

        public override EndPoint? RemoteEndPoint { get => first.RemoteEndPoint; set => first.RemoteEndPoint = value; }

        public override void Abort(ConnectionAbortedException abortReason) => first.Abort(abortReason);

        public override ValueTask DisposeAsync()
        {
            _ended.TrySetResult();
            return base.DisposeAsync();
        }
    }
}
