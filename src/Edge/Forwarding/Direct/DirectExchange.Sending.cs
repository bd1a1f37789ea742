using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Groundcrew.Edge;

/// <summary>One request to a target and its answer back.</summary>
internal sealed partial class DirectExchange
{
    private static readonly TimeSpan RestsWell = TimeSpan.FromSeconds(25);

    /// <summary>A request that cannot be sent twice takes only a connection that was used a moment ago: targets close those that rest.</summary>
    private static readonly TimeSpan RestsSurely = TimeSpan.FromSeconds(1);

    private const int StreamBytes = 64 * 1024;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<Outcome> SendAsync()
    {
        while (true)
        {
            var rested = Rested();
            if ((rested ?? await OpenAsync()) is not { } connection)
                return _hasRoom ? Outcome.TargetUnreachable : Outcome.Shed;
            Outcome outcome;
            (_isWhole, _wasHeard, _isSent) = (false, false, _bodyLeft == 0);
            try
            {
                if (!TryHold(connection))
                    return Outcome.ClientLeft;
                if (rested is null)
                    Look(_clock);
                // What follows waits in one place for the usual request: each method that waits costs it.
                await SendHeadAsync(connection);
                var uploading = _isSent ? null : UploadAsync(connection);
                try
                {
                    while (!IsAnswered(connection))
                    {
                        var count = await connection.ReceiveAsync();
                        if (count == 0)
                            break;
                        connection.Came(count);
                        _wasHeard = true;
                    }
                    outcome = await CarryAsync(connection, uploading);
                }
                finally
                {
                    if (uploading is not null)
                        await EndAsync(uploading, connection);
                }
                (_isAnswered, _isWhole) = (outcome == Outcome.Served, outcome == Outcome.Served && !_answer.IsLast && _isSent && connection.Received.IsEmpty);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException or OperationCanceledException)
            {
                outcome = Failure();
            }
            finally
            {
                LetGoOf(connection);
            }
            // A target may close a connection that rests just when a request comes on it: that says nothing of the target.
            if (rested is null || outcome != Outcome.TargetNoAnswer || _wasHeard || !IsHarmlessTwice)
                return outcome;
        }
    }

    /// <summary>A connection that carried a request before; null when there is none that may carry this one.</summary>
    private TargetConnection? Rested()
    {
        var isHarmless = IsHarmlessTwice;
        return Target!.Pool.Take(_clock, Now, isHarmless ? RestsWell : RestsSurely, isHarmless ? RestsSurely : TimeSpan.Zero);
    }

    /// <summary>Null when the target takes none, or when there is no room for another.</summary>
    private async ValueTask<TargetConnection?> OpenAsync()
    {
        _hasRoom = true;
        try
        {
            return await TargetConnection.OpenAsync(Target!.EndPoint, Route!.Policy.Time.Connect, Left);
        }
        catch (SocketException e) when (Scarcity.IsIn(e))
        {
            _hasRoom = false;
            return null;
        }
    }

    private void LetGoOf(TargetConnection connection)
    {
        _isWhole &= LetGo();
        // What the client takes or not, it gets nothing more.
        if (_hasStarted && !_isAnswered && (_isClientGone || _phase == Phase.Flushing))
            _connection.Abort(new ConnectionAbortedException("The client takes nothing."));
        if (_isWhole)
            Target!.Pool.Give(connection, Look(_clock));
        else
            connection.Dispose();
    }

    private Outcome Failure() =>
        _isExpired ? _expiry
        : _isClientGone || Left.IsCancellationRequested ? _hasStarted ? Outcome.ClientLeftMidway : Outcome.ClientLeft
        : _hasStarted ? Outcome.TargetCut
        : Outcome.TargetNoAnswer;

    private ValueTask SendHeadAsync(TargetConnection connection)
    {
        SentAt = Now;
        Enter(Phase.Answering);
        var head = new BytesOut(2048);
        DirectHeads.WriteRequest(ref head, _head!, this);
        var sending = connection.SendAsync(head.Written);
        if (!sending.IsCompletedSuccessfully)
            return SentAsync(sending, head);
        head.Dispose();
        return default;
    }

    private static async ValueTask SentAsync(ValueTask sending, BytesOut head)
    {
        try
        {
            await sending;
        }
        finally
        {
            head.Dispose();
        }
    }

    /// <summary>Sends the body as it comes. Ends without an exception: what the target answers to half a body is its answer.</summary>
    private async Task UploadAsync(TargetConnection connection)
    {
        try
        {
            _bodyBegan = _clock.GetTimestamp();
            while (_bodyLeft > 0)
            {
                Enter(Phase.ReadingBody);
                var read = await _input.ReadAsync();
                var body = read.Buffer.Slice(0, Math.Min(_bodyLeft, read.Buffer.Length));
                // The server reads in small parts, which would each cost a call to send: what has come already goes along.
                if (body.Length < StreamBytes && body.Length < _bodyLeft && !read.IsCanceled && !read.IsCompleted && _socket is { Available: > 0 })
                {
                    _input.AdvanceTo(body.Start, body.End);
                    continue;
                }
                Enter(Phase.SendingBody);
                try
                {
                    await SendAsync(connection, body);
                }
                finally
                {
                    // Sent or not, it is read: what is left of the body is read away later.
                    _bodyLeft -= body.Length;
                    _input.AdvanceTo(body.End);
                }
                if (read.IsCanceled || (read.IsCompleted && _bodyLeft > 0))
                    return;
            }
            _isSent = true;
            Enter(Phase.Answering);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            Enter(Phase.Answering);
        }
    }

    private static ValueTask SendAsync(TargetConnection connection, in ReadOnlySequence<byte> body)
    {
        if (body.IsSingleSegment)
            return connection.SendAsync(body.First);
        var parts = new List<ArraySegment<byte>>();
        foreach (var part in body)
            parts.Add(MemoryMarshal.TryGetArray(part, out var array) ? array : new(part.ToArray()));
        return connection.SendAsync(parts);
    }

    /// <summary>The answer came, or the end of it all: the rest of the body has nowhere to go.</summary>
    private async ValueTask EndAsync(Task uploading, TargetConnection connection)
    {
        if (!uploading.IsCompleted)
        {
            connection.Abort();
            _input.CancelPendingRead();
        }
        await uploading;
    }

    /// <summary>
    /// Whether the head of the answer has come, or what came can be none: then <see cref="_answerLength"/> is below 0. Answers
    /// that only announce others are passed over.
    /// </summary>
    private bool IsAnswered(TargetConnection connection)
    {
        while (true)
        {
            _answerLength = AnswerHead.LengthOf(connection.Received.Span);
            if (_answerLength == 0 && AnswerHead.CanBegin(connection.Received.Span) && connection.HasRoom())
                return false;
            if (_answerLength == 0 || !_answer.Read(connection.Head(_answerLength), Method == "HEAD") || _answer.Status == 101)
            {
                _answerLength = -1;
                return true;
            }
            if (_answer.Status >= 200)
                return true;
            connection.Use(_answerLength);
        }
    }

    /// <summary>Carries the answer to the client, when its head has come.</summary>
    private ValueTask<Outcome> CarryAsync(TargetConnection connection, Task? uploading)
    {
        if (_answerLength <= 0)
            return new(_answerLength < 0 ? Outcome.TargetBadAnswer : Failure());
        AnsweredAt = Look(_clock);
        var isUploaded = uploading is null or { IsCompleted: true };
        _isLast |= IsLeaving || !isUploaded;
        if (isUploaded)
            Enter(Phase.Streaming);
        return StreamAsync(connection, _answerLength);
    }

    /// <summary>Sends the head, with as much of the body as came with it, and then the rest as it comes.</summary>
    private ValueTask<Outcome> StreamAsync(TargetConnection connection, int length)
    {
        var head = new BytesOut(length + 512);
        DirectHeads.WriteAnswer(ref head, _answer, connection.Received.Span[..length], this, _isLast, _date);
        (_status, _hasStarted) = (_answer.Status, true);
        _output.Write(head.Written.Span);
        head.Dispose();
        connection.Use(length);
        return _answer.Framing switch
        {
            BodyFraming.None => StreamLengthAsync(connection, 0),
            BodyFraming.Length => StreamLengthAsync(connection, _answer.Length),
            BodyFraming.Chunked => StreamChunksAsync(connection),
            _ => StreamToTheEndAsync(connection),
        };
    }

    /// <summary>What came with the head is usually all of it.</summary>
    private ValueTask<Outcome> StreamLengthAsync(TargetConnection connection, long length)
    {
        var first = (int)Math.Min(length, connection.Received.Length);
        _output.Write(connection.Received.Span[..first]);
        connection.Use(first);
        _bytesSent = first;
        var flush = FlushAsync();
        return flush.IsCompletedSuccessfully && first == length ? new(Outcome.Served) : StreamRestAsync(flush, connection, length - first);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome> StreamRestAsync(ValueTask flush, TargetConnection connection, long left)
    {
        await flush;
        while (left > 0)
        {
            var room = _output.GetMemory(16 * 1024);
            var count = await connection.ReceiveAsync(room[..(int)Math.Min(left, Math.Min(room.Length, StreamBytes))]);
            if (count == 0)
                return Failure();
            _progress++;
            _output.Advance(count);
            (left, _bytesSent) = (left - count, _bytesSent + count);
            await FlushAsync();
        }
        return Outcome.Served;
    }

    private async ValueTask<Outcome> StreamChunksAsync(TargetConnection connection)
    {
        var scan = default(ChunkScan);
        while (true)
        {
            WriteChunksOf(connection, ref scan);
            if (scan.IsDone)
                _output.Write("0\r\n\r\n"u8);
            await FlushAsync();
            if (scan.IsDone)
                return Outcome.Served;
            if (scan.IsBad || !connection.HasRoom())
                return Failure();
            var count = await connection.ReceiveAsync();
            if (count == 0)
                return Failure();
            connection.Came(count);
            _progress++;
        }
    }

    /// <summary>A body that ends with the connection goes to the client in chunks, so that its end can be told from a cut.</summary>
    private async ValueTask<Outcome> StreamToTheEndAsync(TargetConnection connection)
    {
        while (true)
        {
            if (!connection.Received.IsEmpty)
            {
                WriteChunk(connection.Received.Span);
                _bytesSent += connection.Received.Length;
                connection.Use(connection.Received.Length);
                await FlushAsync();
            }
            connection.HasRoom();
            var count = await connection.ReceiveAsync();
            if (count == 0)
                break;
            connection.Came(count);
            _progress++;
        }
        _output.Write("0\r\n\r\n"u8);
        await FlushAsync();
        return Outcome.Served;
    }

    /// <summary>
    /// Sends the data of what was received in chunks of our own: extensions and trailers are between the target and the
    /// edge (RFC 9112, section 7.1.1), and a client that takes trailers says so, which is not ordinary.
    /// </summary>
    private void WriteChunksOf(TargetConnection connection, ref ChunkScan scan)
    {
        while (!connection.Received.IsEmpty && !scan.IsDone && !scan.IsBad)
        {
            var count = scan.Take(connection.Received.Span, out var data);
            if (data.Length > 0)
                WriteChunk(data);
            _bytesSent += data.Length;
            connection.Use(count);
        }
    }

    private void WriteChunk(ReadOnlySpan<byte> bytes)
    {
        var size = _output.GetSpan(10);
        bytes.Length.TryFormat(size, out var digits, "x");
        "\r\n"u8.CopyTo(size[digits..]);
        _output.Advance(digits + 2);
        _output.Write(bytes);
        _output.Write("\r\n"u8);
    }
}
