using System.Runtime.InteropServices;

namespace Groundcrew.Postgres.OnNode;

/// <summary>One message of a stream of the log. Its bytes are valid until the next one is read.</summary>
/// <param name="Start">Where the bytes belong; of a keepalive the end of what was sent.</param>
/// <param name="ServerEnd">The end of the server's log when it began to make the message; of a keepalive the end of what was sent.</param>
/// <param name="ServerTime">The server's clock when it finished the message.</param>
/// <param name="Bytes">The log; empty for a keepalive.</param>
/// <param name="IsReplyWanted">A keepalive that asks for an answer at once.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct WalMessage(Lsn Start, Lsn ServerEnd, DateTimeOffset ServerTime, ReadOnlyMemory<byte> Bytes, bool IsReplyWanted);

/// <summary>What follows the end of a timeline.</summary>
/// <param name="Timeline">The next timeline of the server's history.</param>
/// <param name="At">Where it left the one that was streamed.</param>
internal sealed record TimelineEnd(uint Timeline, Lsn At);

/// <summary>The log as it comes (<c>START_REPLICATION</c>). For one reader; status may be sent by anyone meanwhile.</summary>
internal sealed class WalStream
{
    private readonly ReplicationConnection _connection;

    private WalStream(ReplicationConnection connection) => _connection = connection;

    /// <summary>What follows, once the stream has ended; null while it has not.</summary>
    public TimelineEnd? End { get; private set; }

    /// <summary>
    /// The next message; null when the timeline ended, after which <see cref="End"/> says how it goes on and the connection takes
    /// commands again.
    /// </summary>
    /// <exception cref="PgServerException">The server ended the stream, such as when it no longer has what it should send.</exception>
    /// <exception cref="WireException">The connection ended, or the server was shut down.</exception>
    public async ValueTask<WalMessage?> ReadAsync(CancellationToken cancellation)
    {
        while (End is null)
        {
            var message = await _connection.NextAsync(cancellation);
            switch ((char)message.Type)
            {
                case 'd':
                    if (Read(message.Body) is { } read)
                        return read;
                    break;
                case 'c':
                    await _connection.Writer.SendEmptyAsync((byte)'c', cancellation);
                    End = await EndAsync(_connection, cancellation);
                    break;
                case 'C':
                    throw new WireException("The server was shut down; everything that it wrote was sent before.");
                default:
                    throw new WireException($"The server sent a message of kind {(char)message.Type} in the stream of its log.");
            }
        }
        return null;
    }

    /// <summary>Tells the server how far it went. The slot is advanced to <paramref name="flushed"/>, and synchronous commits up to it return.</summary>
    /// <param name="written">The end of what was received.</param>
    /// <param name="flushed">The end of what is safe.</param>
    /// <param name="now">Our clock.</param>
    /// <param name="isReplyWanted">Whether the server should answer at once.</param>
    /// <param name="cancellation">Gives up.</param>
    public ValueTask SendStatusAsync(Lsn written, Lsn flushed, DateTimeOffset now, bool isReplyWanted, CancellationToken cancellation) =>
        _connection.Writer.SendAsync((byte)'d', (written, flushed, now, isReplyWanted), static (to, s) =>
        {
            WireWriter.Byte(to, (byte)'r');
            WireWriter.Int64(to, (long)s.written.Value);
            WireWriter.Int64(to, (long)s.flushed.Value);
            // "Applied" is what remote_apply waits for: nothing is applied here, so it is what is safe.
            WireWriter.Int64(to, (long)s.flushed.Value);
            WireWriter.Int64(to, (s.now - WireBody.Epoch).Ticks / TimeSpan.TicksPerMicrosecond);
            WireWriter.Byte(to, s.isReplyWanted ? (byte)1 : (byte)0);
        }, cancellation);

    internal static async Task<WalStream> BeginAsync(ReplicationConnection connection, CancellationToken cancellation)
    {
        var message = await connection.NextAsync(cancellation);
        var stream = new WalStream(connection);
        // A timeline that ended exactly at the wanted place has nothing to stream: the server says at once what follows.
        if (message.Type == (byte)'T')
            stream.End = await EndAsync(connection, cancellation);
        else if (message.Type != (byte)'W')
            throw new WireException($"The server sent a message of kind {(char)message.Type} in place of its log.");
        return stream;
    }

    private static async Task<TimelineEnd> EndAsync(ReplicationConnection connection, CancellationToken cancellation)
    {
        var rows = await connection.RowsOfNextAsync(cancellation);
        while ((await connection.NextAsync(cancellation)).Type != (byte)'Z')
        {
            // The command is completed twice: once for the result, once for itself.
        }
        return rows is [var row] ? new(ReplicationConnection.Timeline(ReplicationConnection.Cell(row, 0)), ReplicationConnection.Place(ReplicationConnection.Cell(row, 1)))
            : throw new WireException("The server ended the stream of its log and did not say how it goes on.");
    }

    internal static WalMessage? Read(ReadOnlyMemory<byte> message)
    {
        const int HeadOfLog = 25;
        var body = new WireBody(message.Span);
        switch ((char)body.Byte())
        {
            case 'w':
                var start = new Lsn((ulong)body.Int64());
                return new(start, new((ulong)body.Int64()), body.Time(), message[HeadOfLog..], false);
            case 'k':
                var end = new Lsn((ulong)body.Int64());
                return new(end, end, body.Time(), default, body.Byte() != 0);
            default:
                // Kinds that a later version may add say nothing that is needed here.
                return null;
        }
    }
}
