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
        var isHarmless = IsHarmlessTwice;
        var resting = Target!.Pool.Take(_clock, isHarmless ? RestsWell : RestsSurely, isHarmless ? RestsSurely : TimeSpan.Zero);
        if (resting is not null)
        {
            var outcome = await SendAsync(resting);
            // The target closed it as we took it: not a word about the target's health.
            if (outcome != Outcome.TargetNoAnswer || !isHarmless)
                return outcome;
        }
        var fresh = await TargetConnection.OpenAsync(Target.EndPoint, Route!.Policy.Time.Connect, Left);
        return fresh is null ? Outcome.TargetUnreachable : await SendAsync(fresh);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome> SendAsync(TargetConnection connection)
    {
        var isWhole = false;
        try
        {
            if (!TryHold(connection))
                return Outcome.ClientLeft;
            SentAt = _clock.GetTimestamp();
            var outcome = await CarryAsync(connection);
            _isAnswered = outcome == Outcome.Served;
            isWhole = _isAnswered && !_answer.IsLast && _bodyLeft == 0 && connection.Received.IsEmpty;
            return outcome;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException or OperationCanceledException)
        {
            return Failure();
        }
        finally
        {
            isWhole &= LetGo();
            // The client must not take what it has for the whole.
            if (_hasStarted && !_isAnswered)
                _connection.Abort(new ConnectionAbortedException("The answer broke off."));
            if (isWhole)
                Target!.Pool.Give(connection, _clock);
            else
                connection.Dispose();
        }
    }

    private Outcome Failure() =>
        _isExpired ? _expiry
        : Left.IsCancellationRequested ? _hasStarted ? Outcome.ClientLeftMidway : Outcome.ClientLeft
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
                foreach (var part in body)
                    await connection.SendAsync(part);
                _bodyLeft -= body.Length;
                _input.AdvanceTo(body.End);
                if (read.IsCanceled || (read.IsCompleted && _bodyLeft > 0))
                    return;
            }
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
            length = HeadLength(connection.Received.Span);
            while (length == 0)
            {
                var count = await connection.ReceiveAsync();
                if (count <= 0)
                    return count < 0 ? Outcome.TargetBadAnswer : Failure();
                length = HeadLength(connection.Received.Span);
            }
            if (!_answer.Read(connection.Received.Span[..length], Method == "HEAD") || _answer.Status == 101)
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
            if (!connection.Received.IsEmpty)
            {
                var count = scan.Take(connection.Received.Span);
                _output.Write(connection.Received.Span[..count]);
                connection.Use(count);
                _bytesSent += count;
                await FlushAsync();
            }
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

    private void WriteChunk(ReadOnlySpan<byte> bytes)
    {
        var size = _output.GetSpan(10);
        bytes.Length.TryFormat(size, out var digits, "x");
        "\r\n"u8.CopyTo(size[digits..]);
        _output.Advance(digits + 2);
        _output.Write(bytes);
        _output.Write("\r\n"u8);
    }

    private static int HeadLength(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf("\r\n\r\n"u8);
        return end < 0 ? 0 : end + 4;
    }
}
