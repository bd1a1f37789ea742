using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
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
        // A target may close a connection that rests just when a request comes on it: that says nothing of the target.
        var isHarmless = IsHarmlessTwice;
        while (Target!.Pool.Take(_clock, isHarmless ? RestsWell : RestsSurely, isHarmless ? RestsSurely : TimeSpan.Zero) is { } rested)
        {
            var outcome = await SendAsync(rested);
            if (outcome != Outcome.TargetNoAnswer || !isHarmless || _wasHeard)
                return outcome;
        }
        return await SendAnewAsync();
    }

    private async ValueTask<Outcome> SendAnewAsync()
    {
        try
        {
            return await TargetConnection.OpenAsync(Target!.EndPoint, Route!.Policy.Time.Connect, Left) is { } opened
                ? await SendAsync(opened)
                : Outcome.TargetUnreachable;
        }
        catch (SocketException e) when (Scarcity.IsIn(e))
        {
            return Outcome.Shed;
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome> SendAsync(TargetConnection connection)
    {
        var isWhole = false;
        (_wasHeard, _isSent) = (false, _bodyLeft == 0);
        try
        {
            if (!TryHold(connection))
                return Outcome.ClientLeft;
            SentAt = _clock.GetTimestamp();
            var outcome = await CarryAsync(connection);
            _isAnswered = outcome == Outcome.Served;
            isWhole = outcome == Outcome.Served && !_answer.IsLast && _isSent && connection.Received.IsEmpty;
            return outcome;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException or OperationCanceledException)
        {
            return Failure();
        }
        finally
        {
            isWhole &= LetGo();
            // What the client takes or not, it gets nothing more.
            if (_hasStarted && !_isAnswered && (_isClientGone || _phase == Phase.Flushing))
                _connection.Abort(new ConnectionAbortedException("The client takes nothing."));
            if (isWhole)
                Target!.Pool.Give(connection, _clock);
            else
                connection.Dispose();
        }
    }

    private Outcome Failure() =>
        _isExpired ? _expiry
        : _isClientGone || Left.IsCancellationRequested ? _hasStarted ? Outcome.ClientLeftMidway : Outcome.ClientLeft
        : _hasStarted ? Outcome.TargetCut
        : Outcome.TargetNoAnswer;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome> CarryAsync(TargetConnection connection)
    {
        Enter(Phase.Answering);
        var head = new BytesOut(2048);
        try
        {
            DirectHeads.WriteRequest(ref head, _head!, this);
            await connection.SendAsync(head.Written);
        }
        finally
        {
            head.Dispose();
        }
        if (_bodyLeft == 0)
            return await AnswerFromAsync(connection, Task.CompletedTask);
        var uploading = UploadAsync(connection);
        try
        {
            return await AnswerFromAsync(connection, uploading);
        }
        finally
        {
            // Answered before all was sent: the rest has nowhere to go.
            if (!uploading.IsCompleted)
            {
                connection.Abort();
                _input.CancelPendingRead();
            }
            await uploading;
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
                Enter(Phase.SendingBody);
                try
                {
                    foreach (var part in body)
                        await connection.SendAsync(part);
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome> AnswerFromAsync(TargetConnection connection, Task uploading)
    {
        int length;
        do
        {
            length = AnswerHead.LengthOf(connection.Received.Span);
            while (length == 0)
            {
                var count = await connection.ReceiveAsync();
                if (count <= 0)
                    return count < 0 ? Outcome.TargetBadAnswer : Failure();
                _wasHeard = true;
                if (!AnswerHead.CanBegin(connection.Received.Span))
                    return Outcome.TargetBadAnswer;
                length = AnswerHead.LengthOf(connection.Received.Span);
            }
            if (!_answer.Read(connection.Head(length), Method == "HEAD") || _answer.Status == 101)
                return Outcome.TargetBadAnswer;
            if (_answer.Status < 200)
                connection.Use(length);
        }
        while (_answer.Status < 200);
        AnsweredAt = _clock.GetTimestamp();
        _isLast |= IsLeaving || !uploading.IsCompleted;
        if (uploading.IsCompleted)
            Enter(Phase.Streaming);
        return await StreamAsync(connection, length);
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
            BodyFraming.None => FlushedAsync(),
            BodyFraming.Length => StreamLengthAsync(connection),
            BodyFraming.Chunked => StreamChunksAsync(connection),
            _ => StreamToTheEndAsync(connection),
        };
    }

    private async ValueTask<Outcome> FlushedAsync()
    {
        await FlushAsync();
        return Outcome.Served;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome> StreamLengthAsync(TargetConnection connection)
    {
        var left = _answer.Length;
        var first = (int)Math.Min(left, connection.Received.Length);
        _output.Write(connection.Received.Span[..first]);
        connection.Use(first);
        (left, _bytesSent) = (left - first, first);
        await FlushAsync();
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
            if (scan.IsBad || await connection.ReceiveAsync() <= 0)
                return Failure();
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
            if (await connection.ReceiveAsync() == 0)
                break;
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
