using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// A standby's way to its primary: over TCP as <c>crew_replica</c>, whose password goes by a file of the server's user or from
/// memory, never by an argument. Thread-safe.
/// </summary>
internal sealed class PrimaryLink(ClusterSpec spec, string passFile, Secret password, ServerUser user)
{
    private const int WaitSeconds = 10;

    /// <summary>The slot on the primary, and the name that commits wait for.</summary>
    public string Slot => ClusterSpec.StandbyName(spec.ServerId);

    /// <summary>The primary, for people.</summary>
    public string Place => $"{spec.PrimaryHost}:{spec.PrimaryPort}";

    /// <summary>The connection string for PostgreSQL's own programs (libpq), without the password.</summary>
    public string Words(string? database) =>
        $"host={Quoted(spec.PrimaryHost ?? "")} port={spec.PrimaryPort} user={ClusterAccess.Replica} passfile={Quoted(passFile)} application_name={Slot} connect_timeout={WaitSeconds} sslmode=prefer gssencmode=disable"
        + (database is null ? "" : $" dbname={Quoted(database)}");

    /// <summary>Writes the password file (libpq, "The Password File").</summary>
    public void WritePassFile()
    {
        user.MakeFolder(Path.GetDirectoryName(passFile)!);
        var escaped = password.Reveal().Replace("\\", "\\\\", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);
        var line = $"*:*:*:{ClusterAccess.Replica}:{escaped}\n";
        if (File.Exists(passFile) && File.ReadAllText(passFile) == line)
            return;
        DurableFiles.Real.Replace(passFile, line);
        user.Own(passFile);
    }

    /// <summary>Looks whether it is a primary of that cluster, and makes our slot there when it has none.</summary>
    /// <param name="systemId">The cluster of our data; null when we have none.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>Whether our data are of its cluster; true when we have none.</returns>
    /// <exception cref="JobFailedException">It cannot be reached, or takes no writes.</exception>
    public async Task<bool> PrepareAsync(string? systemId, CancellationToken cancellation)
    {
        try
        {
            await using var connection = await OpenAsync(cancellation);
            await using var look = new NpgsqlCommand("SELECT pg_is_in_recovery(), (SELECT system_identifier FROM pg_control_system())::text", connection);
            await using (var reader = await look.ExecuteReaderAsync(cancellation))
            {
                await reader.ReadAsync(cancellation);
                if (reader.GetBoolean(0))
                    throw new JobFailedException($"The server at {Place} is no primary yet: it is followed when it is.");
                if (systemId is not null && reader.GetString(1) != systemId)
                    return false;
            }
            await using var slot = new NpgsqlCommand("SELECT pg_create_physical_replication_slot($1, true) WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)", connection);
            slot.Parameters.Add(new NpgsqlParameter { Value = Slot, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Name });
            await slot.ExecuteNonQueryAsync(cancellation);
            return true;
        }
        catch (NpgsqlException e)
        {
            throw new JobFailedException($"The primary at {Place} cannot be used: {Because(e)}", e);
        }
    }

    /// <summary>Removes our slot from the primary, which would otherwise keep its log for us.</summary>
    /// <exception cref="NpgsqlException">It cannot be reached, or somebody reads the slot.</exception>
    public async Task RemoveSlotAsync(CancellationToken cancellation)
    {
        await using var connection = await OpenAsync(cancellation);
        await using var command = new NpgsqlCommand("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", connection);
        command.Parameters.Add(new NpgsqlParameter { Value = Slot, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Name });
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = spec.PrimaryHost, Port = spec.PrimaryPort ?? 0, Username = ClusterAccess.Replica, Password = password.Reveal(), Database = "postgres",
            Pooling = false, Timeout = WaitSeconds, CommandTimeout = WaitSeconds, ApplicationName = Slot, GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static string Because(NpgsqlException e) => e.InnerException is { } inner ? $"{e.Message}: {inner.Message}" : e.Message;

    /// <summary>A value of a connection string of libpq.</summary>
    private static string Quoted(string value) => $"'{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
