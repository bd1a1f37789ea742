using System.Globalization;
using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What a server says about itself (<c>IDENTIFY_SYSTEM</c>).</summary>
/// <param name="SystemId">PostgreSQL's number of the cluster.</param>
/// <param name="Timeline">The timeline that it is on.</param>
/// <param name="End">The end of what it made durable.</param>
internal sealed record SystemIdentity(string SystemId, uint Timeline, Lsn End);

/// <summary>A slot's state (<c>READ_REPLICATION_SLOT</c>).</summary>
/// <param name="Restart">From where the server keeps its log for it; null when it keeps none: the slot was invalidated or never used.</param>
/// <param name="Timeline">The timeline of that place; null with it.</param>
internal sealed record SlotState(Lsn? Restart, uint? Timeline);

/// <summary>
/// A connection that speaks PostgreSQL's streaming replication protocol, physical replication, version 15. Commands that answer
/// in rows may be given by several at once; a stream has to end before the next command. Disposing closes it, at whatever place it is.
/// </summary>
internal sealed class ReplicationConnection : IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly WireReader _reader;
    private readonly WireWriter _writer;
    private readonly SemaphoreSlim _one = new(1, 1);
    private Dictionary<string, string> _parameters = [];

    private ReplicationConnection(Stream stream, ReplicationTarget target)
    {
        (_stream, Target) = (stream, target);
        (_reader, _writer) = (new(stream), new(stream));
    }

    /// <summary>Where it leads.</summary>
    public ReplicationTarget Target { get; }

    /// <summary>What the server told about itself in the login.</summary>
    public IReadOnlyDictionary<string, string> Parameters => _parameters;

    /// <summary>Whether the server is a standby, by what it told last; it tells when it is promoted.</summary>
    public bool IsStandby => _parameters.GetValueOrDefault("in_hot_standby") == "on";

    /// <summary>The server's major version; 0 when it did not tell.</summary>
    public int MajorVersion { get; private set; }

    internal WireReader Reader => _reader;

    internal WireWriter Writer => _writer;

    /// <summary>Connects and logs in.</summary>
    /// <exception cref="PgServerException">The server refused.</exception>
    /// <exception cref="WireException">It cannot be reached, or does not answer in time.</exception>
    public static async Task<ReplicationConnection> OpenAsync(ReplicationTarget target, TimeProvider clock, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(target.ConnectLimit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        ReplicationConnection? connection = null;
        try
        {
            connection = new(await WireDial.OpenAsync(target, either.Token), target);
            connection._parameters = await WireLogin.RunAsync(connection._reader, connection._writer, target, either.Token);
            connection.MajorVersion = Major(connection.Parameters.GetValueOrDefault("server_version", ""));
            return connection;
        }
        catch (Exception e)
        {
            if (connection is not null)
                await connection.DisposeAsync();
            throw e switch
            {
                OperationCanceledException when late.IsCancellationRequested && !cancellation.IsCancellationRequested =>
                    new WireException($"The server at {target.Place} did not answer within {target.ConnectLimit.TotalSeconds:0} s.", e),
                WireException or PgServerException or OperationCanceledException => Keep(e),
                IOException => new WireException($"The connection to the server at {target.Place} broke off in the login: {e.Message}", e),
                _ => Keep(e),
            };
        }
    }

    /// <summary>Throws in words when the server is of a major version that this client was not made for.</summary>
    /// <exception cref="WireException">It is.</exception>
    public void RequireVersion(int wanted)
    {
        if (MajorVersion != wanted)
            throw new WireException($"The server at {Target.Place} is PostgreSQL {(MajorVersion == 0 ? "of an unknown version" : MajorVersion)}, and {wanted} is needed here: its files and log are of another format.");
    }

    /// <summary>Which cluster it is and where it stands.</summary>
    public async Task<SystemIdentity> IdentifyAsync(CancellationToken cancellation)
    {
        var row = await SingleRowAsync("IDENTIFY_SYSTEM", 3, cancellation);
        return new(Cell(row, 0), Timeline(Cell(row, 1)), Place(Cell(row, 2)));
    }

    /// <summary>The value of a setting.</summary>
    public async Task<string> ShowAsync(string setting, CancellationToken cancellation) =>
        Cell(await SingleRowAsync($"SHOW {Name(setting)}", 1, cancellation), 0);

    /// <summary>Makes a physical slot that keeps the log from the last checkpoint on; a temporary one goes with this connection.</summary>
    public async Task CreateSlotAsync(string slot, bool isTemporary, CancellationToken cancellation) =>
        await SingleRowAsync($"CREATE_REPLICATION_SLOT {Name(slot)}{(isTemporary ? " TEMPORARY" : "")} PHYSICAL (RESERVE_WAL)", 4, cancellation);

    /// <summary>A slot's state; null when there is none of that name.</summary>
    public async Task<SlotState?> ReadSlotAsync(string slot, CancellationToken cancellation)
    {
        var row = await SingleRowAsync($"READ_REPLICATION_SLOT {Name(slot)}", 3, cancellation);
        if (row[0] is null)
            return null;
        return new(row[1] is { } at ? Place(at) : null, row[2] is { } timeline ? Timeline(timeline) : null);
    }

    /// <summary>Removes a slot; false when there was none.</summary>
    public async Task<bool> DropSlotAsync(string slot, CancellationToken cancellation)
    {
        try
        {
            await RowsAsync($"DROP_REPLICATION_SLOT {Name(slot)}", cancellation);
            return true;
        }
        catch (PgServerException e) when (e.SqlState == PgServerException.UndefinedObject)
        {
            return false;
        }
    }

    /// <summary>The history file of a timeline above 1, as it lies in <c>pg_wal</c>.</summary>
    public async Task<string> TimelineHistoryAsync(uint timeline, CancellationToken cancellation) =>
        Cell(await SingleRowAsync($"TIMELINE_HISTORY {timeline}", 2, cancellation), 1);

    /// <summary>Begins to stream the log from a place on; the stream has to be read to its end, or the connection closed.</summary>
    /// <param name="slot">The slot that is advanced by it; null for none.</param>
    /// <param name="start">The first byte.</param>
    /// <param name="timeline">The timeline.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<WalStream> StartReplicationAsync(string? slot, Lsn start, uint timeline, CancellationToken cancellation)
    {
        await QueryAsync($"START_REPLICATION {(slot is null ? "" : $"SLOT {Name(slot)} ")}PHYSICAL {start} TIMELINE {timeline}", cancellation);
        return await WalStream.BeginAsync(this, cancellation);
    }

    /// <summary>Begins a base backup; the stream has to be read to its end, or the connection closed, which ends the backup.</summary>
    public async Task<BaseBackupStream> BaseBackupAsync(BaseBackupWish wish, CancellationToken cancellation)
    {
        await QueryAsync(wish.Command, cancellation);
        return await BaseBackupStream.BeginAsync(this, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _reader.Dispose();
        _writer.Dispose();
        _one.Dispose();
    }

    internal async Task QueryAsync(string command, CancellationToken cancellation) => await _writer.SendTextAsync((byte)'Q', command, cancellation);

    /// <summary>The next message that says something: notices and parameters are passed over, an error is thrown when the server is ready again.</summary>
    internal async ValueTask<WireMessage> NextAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var message = await _reader.ReadAsync(cancellation);
            if (message.Type is (byte)'E')
                throw await RefusalAsync(WireBody.Error(message.Body.Span), cancellation);
            if (message.Type == (byte)'S')
                WireLogin.Parameter(message, _parameters);
            else if (message.Type != (byte)'N')
                return message;
        }
    }

    /// <summary>The rows of one result set, the first of whose messages was not read yet; texts by column.</summary>
    internal async Task<List<string?[]>> RowsOfNextAsync(CancellationToken cancellation)
    {
        const int MostRows = 100_000;
        var rows = new List<string?[]>();
        while (true)
        {
            var message = await NextAsync(cancellation);
            switch ((char)message.Type)
            {
                case 'T':
                    break;
                case 'D' when rows.Count < MostRows:
                    rows.Add(Row(message.Body.Span));
                    break;
                case 'C':
                    return rows;
                default:
                    throw new WireException($"The server sent a message of kind {(char)message.Type} where a row was expected.");
            }
        }
    }

    internal static string Cell(string?[] row, int column) =>
        column < row.Length && row[column] is { } text ? text : throw new WireException("The server left out a value that every answer of this kind has.");

    internal static Lsn Place(string text) => Lsn.TryParse(text, out var lsn) ? lsn : throw new WireException($"The server sent '{text}' as a place in its log.");

    internal static uint Timeline(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var timeline) ? timeline : throw new WireException($"The server sent '{text}' as a timeline.");

    private async Task<List<string?[]>> RowsAsync(string command, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation);
        try
        {
            await QueryAsync(command, cancellation);
            var rows = await RowsOfNextAsync(cancellation);
            while ((await NextAsync(cancellation)).Type != (byte)'Z')
            {
                // Replication commands end with a second completion in some versions.
            }
            return rows;
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<string?[]> SingleRowAsync(string command, int columns, CancellationToken cancellation) =>
        await RowsAsync(command, cancellation) is [var row] && row.Length >= columns ? row
            : throw new WireException($"The server's answer to {command.Split(' ')[0]} is not the one of its documentation.");

    private async Task<PgServerException> RefusalAsync(PgServerException error, CancellationToken cancellation)
    {
        try
        {
            while ((await _reader.ReadAsync(cancellation)).Type != (byte)'Z')
            {
                // What it still sends belongs to the command that failed.
            }
        }
        catch (IOException)
        {
            // It closed the connection with the error; the next command will say so.
        }
        return error;
    }

    internal static string?[] Row(ReadOnlySpan<byte> message)
    {
        var body = new WireBody(message);
        var row = new string?[Math.Max((short)0, body.Int16())];
        for (var i = 0; i < row.Length; i++)
            row[i] = body.Int32() is var length && length < 0 ? null : Encoding.UTF8.GetString(body.Take(length));
        return row;
    }

    private static int Major(string version) =>
        int.TryParse(new string([.. version.TakeWhile(char.IsAsciiDigit)]), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : 0;

    // Names go into commands as they are, so only those that need no quotes are taken.
    private static string Name(string name) =>
        name.Length is > 0 and < 64 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_') ? name
            : throw new ArgumentException($"'{name}' is no name of a slot or setting.", nameof(name));

    private static Exception Keep(Exception e)
    {
        System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(e).Throw();
        return e;
    }
}
