using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Groundcrew.Edge;

/// <summary>What comes next on a connection.</summary>
internal enum DirectNext
{
    /// <summary>An ordinary request, read and ready.</summary>
    Request,

    /// <summary>Something for the full path; nothing of it was consumed.</summary>
    NotOrdinary,

    /// <summary>Nothing yet.</summary>
    Nothing,

    /// <summary>Nothing more.</summary>
    Ended,
}

/// <summary>
/// The requests of one connection on the direct path, one after another. One task runs it; time passing, the client
/// leaving and the server stopping come from other threads and only end what is waited for.
/// </summary>
internal sealed partial class DirectExchange : Exchange, IDisposable
{
    /// <summary>How much of a body that nobody wants is read away, so that the client gets to read its answer.</summary>
    private const int DrainAtMost = 16 * 1024 * 1024;
    private readonly ConnectionContext _connection;
    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly TimeProvider _clock;
    private readonly EdgeTable _table;
    private readonly DateField _date;
    private readonly AnswerHead _answer = new();
    private readonly CancellationTokenRegistration _onLeft;
    private readonly CancellationTokenRegistration _onStop;
    private readonly OpenConnection? _open;

    /// <summary>The client's, where what it holds is the request's own bytes; null with TLS.</summary>
    private readonly Socket? _socket;
    private RequestHead? _head = new();
    private string _forwarded = "";
    private string? _forwardedHost;
    private IPAddress? _forwardedFor;
    private long _bodyLeft;
    private long _bytesSent;
    private int _status;
    private bool _hasStarted;
    private bool _isAnswered;

    /// <summary>Whether the target said anything to this attempt.</summary>
    private bool _wasHeard;

    /// <summary>Whether the machine had room for another connection when one was asked for.</summary>
    private bool _hasRoom;

    /// <summary>Whether the whole request was sent.</summary>
    private bool _isSent;

    /// <summary>Whether the target's connection is as good as before, and may carry another request.</summary>
    private bool _isWhole;

    /// <summary>How long the head of the answer is; 0 while it has not come, below 0 when it never can.</summary>
    private int _answerLength;

    /// <summary>Whether it takes nothing more. That may be known before <see cref="Left"/> fires.</summary>
    private bool _isClientGone;
    private bool _isLast;

    public DirectExchange(ConnectionContext connection, EdgeTable table, TimeProvider clock, DateField date)
    {
        (_connection, _table, _clock, _date) = (connection, table, clock, date);
        (_input, _output) = (connection.Transport.Input, connection.Transport.Output);
        _open = connection.Features.Get<OpenConnection>();
        Remote = AddressText.Plain((connection.RemoteEndPoint as IPEndPoint)?.Address);
        IsTls = connection.Features.Get<ITlsHandshakeFeature>() is not null;
        _socket = IsTls ? null : connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static state => ((DirectExchange)state).Tick(), this);
        _onLeft = connection.ConnectionClosed.UnsafeRegister(static state => ((DirectExchange)state!).ClientHasLeft(), this);
        _onStop = connection.Features.Get<IConnectionLifetimeNotificationFeature>() is { } lifetime
            ? lifetime.ConnectionClosedRequested.UnsafeRegister(static state => ((DirectExchange)state!).Stop(), this)
            : default;
    }

    public override string Method => _head!.Method;

    public override string Host => _head!.Host;

    public override string Path => _head!.Path;

    public override string PathAndQuery => System.Text.Encoding.ASCII.GetString(_head!.Target);

    public override IPAddress? Remote { get; }

    public override bool IsTls { get; }

    public override long? BodyLength => _head!.BodyLength;

    public override bool HasStarted => _hasStarted;

    public override CancellationToken Left => _connection.ConnectionClosed;

    public override int Status => _status;

    public override long? BytesSent => _bytesSent;

    /// <summary>The value of <c>Forwarded</c>; the same as long as the client and the host are.</summary>
    public string Forwarded
    {
        get
        {
            if (ReferenceEquals(_forwardedHost, Host) && Equals(_forwardedFor, Client))
                return _forwarded;
            (_forwardedHost, _forwardedFor, _forwarded) = (Host, Client, ClientWay.Forwarded(this));
            return _forwarded;
        }
    }

    /// <summary>Whether the server stops, or another edge has taken over.</summary>
    private bool IsLeaving => _isStopping || _open is { Departure.IsLeaving: true };

    public override string? Header(string name) => _head!.Header(name);

    public override StringValues Headers(string name) => _head!.Headers(name);

    /// <summary>Waits until there is something to read.</summary>
    public ValueTask<ReadResult> WaitAsync()
    {
        Enter(Phase.Idle);
        return _input.ReadAsync();
    }

    /// <summary>Reads the next request, when one came.</summary>
    public DirectNext Take(in ReadResult read)
    {
        if (read.Buffer.IsEmpty)
        {
            _input.AdvanceTo(read.Buffer.Start);
            return read.IsCompleted || _isStopping || _isExpired ? DirectNext.Ended : DirectNext.Nothing;
        }
        // What came together with the word to stop is still served: it is the last.
        ForgetRoute();
        if (_head!.Read(read.Buffer.FirstSpan, out var length) == HeadEnd.NotOrdinary || _table.Find(this)?.NeedsFullPath(this) == true)
        {
            _input.AdvanceTo(read.Buffer.Start);
            return DirectNext.NotOrdinary;
        }
        _input.AdvanceTo(read.Buffer.GetPosition(length));
        BeginNext();
        return DirectNext.Request;
    }

    /// <summary>The request is over, however it ended.</summary>
    public void Ended() => _open?.Leave(Now);

    /// <summary>After a request: whether the connection takes another. What is left of a body is read away first.</summary>
    public ValueTask<bool> EndAsync()
    {
        // After a part of an answer the connection ends with what was sent, so that nobody takes it for the whole.
        if (_isClientGone || Left.IsCancellationRequested || _isExpired || !_isAnswered)
            return new(false);
        return _bodyLeft == 0 ? new(!_isLast) : _bodyLeft > DrainAtMost ? new(false) : DrainAsync();
    }

    public override async ValueTask AnswerAsync(Answer answer)
    {
        // That time was up for the target is over with this answer; for a client that is slow it is not.
        _isExpired &= !_expiry.IsTargets();
        _isLast |= _bodyLeft > DrainAtMost || IsLeaving || _isExpired;
        try
        {
            using var head = WriteOwn(answer);
            await FlushAsync(head.Written);
            _bytesSent = Method == "HEAD" ? 0 : answer.Body.Length;
        }
        catch (OperationCanceledException)
        {
            // Nobody hears it any more.
            Outcome = _isExpired ? Outcome.ClientSlow : Outcome.ClientLeft;
        }
    }

    /// <summary>Nothing more comes on the connection; it ends when the client has taken what was sent, or some time later.</summary>
    public void EndConnection() => Enter(Phase.Ending);

    /// <summary>Lets go of everything: the connection ends, or goes on with the full path.</summary>
    public void Dispose()
    {
        if (_phase != Phase.Ending)
            Enter(Phase.Gone);
        _onLeft.Dispose();
        _onStop.Dispose();
        // The connection's heartbeat knows this object for as long as the connection lives.
        _head = null;
    }

    private BytesOut WriteOwn(Answer answer)
    {
        var head = new BytesOut(1024 + answer.Body.Length);
        DirectHeads.WriteOwn(ref head, answer, this, _isLast, _date);
        (_status, _hasStarted, _isAnswered) = (answer.Status, true, true);
        return head;
    }

    private void BeginNext()
    {
        Begin(_clock);
        (_status, _hasStarted, _isAnswered, _bytesSent, _bodyLeft) = (0, false, false, 0, _head!.BodyLength);
        _isLast = _head.IsLast || _isStopping;
        _open?.Enter(HttpProtocol.Http11);
        _bodyBegan = StartedAt;
        RequestId = ClientHeaders.RequestIdOf(_head.OnlyHeader(FieldKind.RequestId), StartedTime);
        Enter(Phase.Judging);
    }

    /// <summary>Sends to the client; throws when it is gone.</summary>
    private ValueTask FlushAsync(ReadOnlyMemory<byte> bytes)
    {
        _output.Write(bytes.Span);
        return FlushAsync();
    }

    private ValueTask FlushAsync()
    {
        var flush = _output.FlushAsync();
        if (!flush.IsCompletedSuccessfully)
            return FlushedAsync(flush);
        Judge(flush.Result);
        return default;
    }

    private async ValueTask FlushedAsync(ValueTask<FlushResult> flush)
    {
        var before = Enter(Phase.Flushing);
        Judge(await flush);
        Enter(before);
    }

    private void Judge(FlushResult flush)
    {
        _isClientGone = flush.IsCompleted;
        if (flush.IsCompleted || flush.IsCanceled)
            throw new OperationCanceledException("The client takes nothing more.");
    }

    /// <summary>Reads away what is left of a body; whether the connection takes another request.</summary>
    private async ValueTask<bool> DrainAsync()
    {
        try
        {
            while (_bodyLeft > 0)
            {
                Enter(Phase.ReadingBody);
                var read = await _input.ReadAsync();
                var taken = Math.Min(_bodyLeft, read.Buffer.Length);
                _input.AdvanceTo(read.Buffer.GetPosition(taken));
                _bodyLeft -= taken;
                if (_isExpired || (read.IsCompleted && _bodyLeft > 0))
                    return false;
            }
            return !_isLast;
        }
        catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException or IOException)
        {
            return false;
        }
    }
}
