using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What came of making roles and databases as wanted.</summary>
/// <param name="Problems">What could not be made, for people.</param>
/// <param name="Leaving">Roles that should be gone and are still used, with their sessions.</param>
internal sealed record AccessOutcome(IReadOnlyList<string> Problems, IReadOnlyDictionary<string, int> Leaving);

/// <summary>
/// Makes the roles and databases of a primary as wanted, with the least rights: nobody comes into a database or creates in it
/// who is not named for it. Idempotent; nothing is ever taken away because it is not named, but what is said to be gone.
/// </summary>
internal sealed class ClusterAccess(PgServer server, ClusterSpec spec, IReadOnlyDictionary<string, Secret> secrets)
{
    /// <summary>The role that standbys and remote backups log in with.</summary>
    public const string Replica = "crew_replica";

    // Verifiers are no passwords, but they are in statements: those are kept out of the log and of the ranked statements. And the
    // platform's own changes do not wait for standbys that may not be there yet.
    private const string Quiet = "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'; SET pg_stat_statements.track = 'none'; SET synchronous_commit = 'local'";

    private readonly List<string> _problems = [];
    private readonly Dictionary<string, int> _leaving = new(StringComparer.Ordinal);

    /// <summary>Does all of it.</summary>
    /// <exception cref="NpgsqlException">The server did not do it.</exception>
    public async Task<AccessOutcome> ApplyAsync(CancellationToken cancellation)
    {
        await using var main = await OpenAsync("postgres", cancellation);
        await PlatformRolesAsync(main, cancellation);
        foreach (var role in spec.Roles.Where(r => !r.IsGone && IsAllowed(r.Name)))
            await RoleAsync(main, role, cancellation);
        foreach (var role in spec.Roles.Where(r => !r.IsGone && IsAllowed(r.Name)))
            await ActsAsync(main, role, cancellation);
        foreach (var database in spec.Databases.Where(d => IsAllowed(d.Name)))
            await DatabaseAsync(main, database, cancellation);
        foreach (var name in await ListAsync(main, "SELECT datname::text FROM pg_database WHERE datname <> 'template0'", cancellation))
            await DoAsync(main, $"REVOKE ALL ON DATABASE {Name(name)} FROM PUBLIC", cancellation);
        await GoneAsync(main, cancellation);
        return new(_problems, _leaving);
    }

    /// <summary>Looks after the roles that should be gone alone.</summary>
    /// <exception cref="NpgsqlException">The server did not do it.</exception>
    public async Task<AccessOutcome> ApplyGoneAsync(CancellationToken cancellation)
    {
        await using var main = await OpenAsync("postgres", cancellation);
        await GoneAsync(main, cancellation);
        return new(_problems, _leaving);
    }

    private async Task PlatformRolesAsync(NpgsqlConnection main, CancellationToken cancellation)
    {
        if (secrets.TryGetValue(ClusterSecrets.Admin, out var admin))
            await PasswordAsync(main, PgServer.Superuser, admin, cancellation);
        await DoAsync(main, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements", cancellation);
        if (!secrets.TryGetValue(ClusterSecrets.Replication, out var replication))
            return;
        if (!await ExistsAsync(main, Replica, cancellation))
            await DoAsync(main, $"CREATE ROLE {Replica}", cancellation);
        await DoAsync(main, $"ALTER ROLE {Replica} LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE", cancellation);
        await PasswordAsync(main, Replica, replication, cancellation);
        // What pg_rewind reads from the primary (its manual page, "Notes"); a base backup gives the role the same files.
        await DoAsync(main, $"""
            GRANT CONNECT ON DATABASE postgres TO {Replica};
            GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean), pg_catalog.pg_stat_file(text, boolean),
              pg_catalog.pg_read_binary_file(text), pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO {Replica}
            """, cancellation);
    }

    private async Task RoleAsync(NpgsqlConnection main, RoleSpec role, CancellationToken cancellation)
    {
        if (!await ExistsAsync(main, role.Name, cancellation))
            await DoAsync(main, $"CREATE ROLE {Name(role.Name)}", cancellation);
        var login = role.SecretName is null ? "NOLOGIN" : "LOGIN";
        await DoAsync(
            main, $"ALTER ROLE {Name(role.Name)} {login} INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT {role.ConnectionLimit ?? -1}", cancellation);
        if (role.SecretName is not null && secrets.TryGetValue(role.SecretName, out var password))
            await PasswordAsync(main, role.Name, password, cancellation);
    }

    private static async Task ActsAsync(NpgsqlConnection main, RoleSpec role, CancellationToken cancellation)
    {
        foreach (var other in await ListAsync(
            main, $"SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = {Text(role.Name)}", cancellation))
            if (other != role.ActsAs)
                await DoAsync(main, $"REVOKE {Name(other)} FROM {Name(role.Name)}", cancellation);
        await DoAsync(
            main,
            role.ActsAs is { } owner ? $"GRANT {Name(owner)} TO {Name(role.Name)}; ALTER ROLE {Name(role.Name)} SET role = {Text(owner)}" : $"ALTER ROLE {Name(role.Name)} RESET role",
            cancellation);
    }

    /// <summary>Sets a password when the role has another: a new verifier each time would end nothing, and say in every look that something changed.</summary>
    private static async Task PasswordAsync(NpgsqlConnection main, string role, Secret password, CancellationToken cancellation)
    {
        var kept = await ScalarAsync(main, $"SELECT rolpassword FROM pg_authid WHERE rolname = {Text(role)}", cancellation) as string;
        if (!ScramVerifier.IsOf(password, kept))
            await DoAsync(main, $"ALTER ROLE {Name(role)} PASSWORD {Text(ScramVerifier.Make(password))}", cancellation);
    }

    private async Task DatabaseAsync(NpgsqlConnection main, DatabaseSpec database, CancellationToken cancellation)
    {
        if (!await ExistsAsync(main, database.Owner, cancellation))
        {
            _problems.Add($"the database '{database.Name}' waits for its owner, for there is no role '{database.Owner}'");
            return;
        }
        var owner = await ScalarAsync(main, $"SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = {Text(database.Name)}", cancellation) as string;
        if (owner is null)
            await DoAsync(main, $"CREATE DATABASE {Name(database.Name)} OWNER {Name(database.Owner)} TEMPLATE template0 ENCODING 'UTF8'", cancellation);
        await DoAsync(main, $"REVOKE ALL ON DATABASE {Name(database.Name)} FROM PUBLIC", cancellation);
        await using var inside = await OpenAsync(database.Name, cancellation);
        // What the owner of before made there goes with the database; the shared things that follow it are set right by their own turn.
        if (owner is not null && owner != database.Owner && owner != PgServer.Superuser)
            await DoAsync(inside, $"REASSIGN OWNED BY {Name(owner)} TO {Name(database.Owner)}", cancellation);
        await DoAsync(main, $"ALTER DATABASE {Name(database.Name)} OWNER TO {Name(database.Owner)}", cancellation);
        await DoAsync(inside, "REVOKE ALL ON SCHEMA public FROM PUBLIC", cancellation);
        foreach (var extension in database.Extensions.Prepend(ClusterSettings.Statements).Distinct(StringComparer.Ordinal))
            await ExtensionAsync(inside, database, extension, cancellation);
        foreach (var role in spec.Roles.Where(r => !r.IsGone && IsAllowed(r.Name) && r.Name != database.Owner))
            await UseAsync(inside, database, role, cancellation);
    }

    private async Task ExtensionAsync(NpgsqlConnection inside, DatabaseSpec database, string extension, CancellationToken cancellation)
    {
        try
        {
            await DoAsync(inside, $"CREATE EXTENSION IF NOT EXISTS {Name(extension)} CASCADE", cancellation);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedFile or PostgresErrorCodes.FeatureNotSupported or PostgresErrorCodes.InvalidParameterValue)
        {
            _problems.Add($"the extension '{extension}' of the database '{database.Name}' cannot be created, install its package on the node: {e.MessageText}");
        }
    }

    /// <summary>Lets a role read and write what the owner makes, and create nothing; or takes that away again.</summary>
    private static async Task UseAsync(NpgsqlConnection inside, DatabaseSpec database, RoleSpec role, CancellationToken cancellation)
    {
        var (name, owner) = (Name(role.Name), Name(database.Owner));
        await DoAsync(
            inside,
            role.Databases.Contains(database.Name, StringComparer.Ordinal)
                ? $"""
                GRANT CONNECT, TEMPORARY ON DATABASE {Name(database.Name)} TO {name};
                GRANT USAGE ON SCHEMA public TO {name};
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name};
                GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {name};
                ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {name};
                ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO {name}
                """
                : $"""
                REVOKE ALL ON DATABASE {Name(database.Name)} FROM {name};
                REVOKE ALL ON SCHEMA public FROM {name};
                REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name};
                REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {name};
                ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON TABLES FROM {name};
                ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {name}
                """,
            cancellation);
    }

    private async Task GoneAsync(NpgsqlConnection main, CancellationToken cancellation)
    {
        foreach (var role in spec.Roles.Where(r => r.IsGone && IsAllowed(r.Name)))
            if (await ExistsAsync(main, role.Name, cancellation))
                await LeaveAsync(main, role.Name, cancellation);
    }

    /// <summary>While it has sessions it stays as it is; then nobody may log in any more, and when nobody did meanwhile, it goes.</summary>
    private async Task LeaveAsync(NpgsqlConnection main, string role, CancellationToken cancellation)
    {
        if (await SessionsAsync(main, role, cancellation) is > 0 and var used)
        {
            _leaving[role] = used;
            return;
        }
        await DoAsync(main, $"ALTER ROLE {Name(role)} NOLOGIN", cancellation);
        if (await SessionsAsync(main, role, cancellation) is > 0 and var late)
        {
            _leaving[role] = late;
            return;
        }
        foreach (var database in await ListAsync(main, "SELECT datname::text FROM pg_database WHERE datallowconn AND datname <> 'template1'", cancellation))
        {
            var owner = spec.Databases.FirstOrDefault(d => d.Name == database)?.Owner;
            await using var inside = await OpenAsync(database, cancellation);
            await DoAsync(inside, $"REASSIGN OWNED BY {Name(role)} TO {Name(owner is null || owner == role ? PgServer.Superuser : owner)}; DROP OWNED BY {Name(role)}", cancellation);
        }
        // Reassigning moved the databases that it owned to the owner of whichever came first.
        foreach (var database in spec.Databases.Where(d => d.Owner != role && IsAllowed(d.Name)))
            if (await ExistsAsync(main, database.Owner, cancellation) && await ScalarAsync(main, $"SELECT true FROM pg_database WHERE datname = {Text(database.Name)}", cancellation) is true)
                await DoAsync(main, $"ALTER DATABASE {Name(database.Name)} OWNER TO {Name(database.Owner)}", cancellation);
        await DoAsync(main, $"DROP ROLE {Name(role)}", cancellation);
    }

    private static async Task<int> SessionsAsync(NpgsqlConnection main, string role, CancellationToken cancellation) =>
        await ScalarAsync(main, $"SELECT count(*)::int FROM pg_stat_activity WHERE usename = {Text(role)}", cancellation) is int count ? count : 0;

    private bool IsAllowed(string name)
    {
        if (name is not ("" or "postgres" or "template0" or "template1" or "public" or "none")
            && !name.StartsWith("crew_", StringComparison.Ordinal) && !name.StartsWith("pg_", StringComparison.Ordinal) && !name.Contains('\0'))
            return true;
        if (!_problems.Contains(Reserved(name)))
            _problems.Add(Reserved(name));
        return false;
    }

    private static string Reserved(string name) => $"the name '{name}' is PostgreSQL's or the platform's own; take another";

    private async Task<NpgsqlConnection> OpenAsync(string database, CancellationToken cancellation)
    {
        var connection = await server.OpenAsync(database, cancellation);
        try
        {
            await DoAsync(connection, Quiet, cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static async Task<bool> ExistsAsync(NpgsqlConnection main, string role, CancellationToken cancellation) =>
        await ScalarAsync(main, $"SELECT true FROM pg_roles WHERE rolname = {Text(role)}", cancellation) is true;

    private static async Task DoAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
#pragma warning disable CA2100 // Names and texts are quoted; DDL takes no parameters.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
#pragma warning disable CA2100 // Texts are quoted.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        return await command.ExecuteScalarAsync(cancellation);
    }

    private static async Task<IReadOnlyList<string>> ListAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
#pragma warning disable CA2100 // Texts are quoted.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var found = new List<string>();
        while (await reader.ReadAsync(cancellation))
            found.Add(reader.GetString(0));
        return found;
    }

    /// <summary>An identifier, quoted.</summary>
    private static string Name(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>A text, quoted; the platform's connections have standard_conforming_strings on.</summary>
    private static string Text(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
