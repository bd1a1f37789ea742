using System.Text.RegularExpressions;
using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Restores a dump into a database that is made for it: all or nothing. It is filled under a name of its own and gets its real
/// name last, so that nobody ever sees half of it. Thread-safe.
/// </summary>
/// <param name="servers">The servers of this node.</param>
/// <param name="archives">The way to the archive.</param>
/// <param name="scratchFolder">For the list of what is restored; the server's user can pass the folders above it.</param>
internal sealed partial class DumpRestorer(IServers servers, ArchiveOpener archives, string scratchFolder) : IJobRunner
{
    private const string Unfinished = "~restoring";
    private const int LongestName = 63;

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is RestoreDump;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (RestoreDump)job.Work;
        var node = servers.Find(work.ServerId) ?? throw new JobFailedException("This node has no such server.");
        try
        {
            var pieces = await archives.ToReadAsync(job.ClusterId, work.Archive, cancellation);
            using var storage = pieces.Storage;
            await RestoreAsync(node.Server, work, pieces, progress, cancellation);
            return null;
        }
        catch (Exception e) when (e is IOException or NpgsqlException)
        {
            throw new JobFailedException($"Dump '{work.Dump}' was not restored into '{work.Database}': {e.Message}", e);
        }
    }

    /// <summary>Restores a dump from an archive that is open.</summary>
    internal async Task RestoreAsync(PgServer server, RestoreDump work, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        var dump = await PlainObjects.DumpAsync(pieces.Storage, work.Source, work.Dump, cancellation);
        progress.Expect(dump.File.PlainBytes);
        var unfinished = work.Database[..Math.Min(work.Database.Length, LongestName - Unfinished.Length)] + Unfinished;
        await using var home = await server.OpenAsync(ServerLook.Home, cancellation);
        if (await AskAsync(home, "SELECT 1 FROM pg_database WHERE datname = $1", work.Database, cancellation) is not null)
            throw new JobFailedException($"There is a database '{work.Database}' already: a dump is restored into one that is made for it. Name another, or drop this one first.");
        if (await AskAsync(home, "SELECT 1 FROM pg_roles WHERE rolname = $1", work.Owner, cancellation) is null)
            throw new JobFailedException($"There is no role '{work.Owner}' that could own the database.");
        await DropAsync(home, unfinished);
        try
        {
            await RunAsync(home, $"CREATE DATABASE {SqlText.Name(unfinished)} OWNER {SqlText.Name(work.Owner)} TEMPLATE template0", cancellation);
            await FillAsync(server, work, dump, unfinished, pieces, progress, cancellation);
            await RunAsync(home, $"ALTER DATABASE {SqlText.Name(unfinished)} RENAME TO {SqlText.Name(work.Database)}", cancellation);
        }
        catch
        {
            await DropQuietlyAsync(home, unfinished);
            throw;
        }
    }

    private async Task FillAsync(
        PgServer server, RestoreDump work, DumpManifest dump, string database, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        progress.Say($"reading the list of {dump.Name}");
        var list = await ListAsync(server.Binaries, pieces, dump, cancellation);
        await ExtendAsync(server, database, list, cancellation);
        using var scratch = new ScratchFolder(scratchFolder, "list", server.Binaries.User);
        DurableFiles.Real.Replace(scratch["list"], string.Join('\n', list.Where(l => !ExtensionLine().IsMatch(l) && !ExtensionComment().IsMatch(l))));
        server.Binaries.User.Own(scratch["list"]);
        progress.Say($"restoring {dump.Name} into {work.Database}");
        await using var stream = await pieces.OpenAsync(dump.File.Key, dump.File.Sha256, cancellation);
        var result = await PgTool.FeedAsync(
            server.Binaries, "pg_restore",
            ["--exit-on-error", "--no-owner", "--no-privileges", "--role", work.Owner, "--use-list", scratch["list"], .. PgTool.Way(server, database)],
            stream, progress.Add, cancellation);
        if (result.ExitCode != 0)
            throw new JobFailedException($"pg_restore ended with code {result.ExitCode}, and the database was dropped again: {ServerLog.Explain(result.Words)}");
        // Damage behind the last table shows only when the end is read.
        await stream.CopyToAsync(Stream.Null, cancellation);
    }

    /// <summary>What is in a dump: a line for each object, by PostgreSQL's own tool (<c>pg_restore --list</c>).</summary>
    /// <exception cref="JobFailedException">The tool does not take it for a dump.</exception>
    internal static async Task<IReadOnlyList<string>> ListAsync(PgBinaries binaries, Pieces pieces, DumpManifest dump, CancellationToken cancellation)
    {
        await using var stream = await pieces.OpenAsync(dump.File.Key, null, cancellation);
        var result = await PgTool.FeedAsync(binaries, "pg_restore", ["--list"], stream, null, cancellation);
        return result.ExitCode == 0
            ? result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : throw new JobFailedException($"pg_restore cannot list dump '{dump.Name}': {result.Words}");
    }

    /// <summary>Extensions are made by the superuser: the owner of a database may make only those that PostgreSQL trusts.</summary>
    private static async Task ExtendAsync(PgServer server, string database, IReadOnlyList<string> list, CancellationToken cancellation)
    {
        var names = list.Select(l => ExtensionLine().Match(l)).Where(m => m.Success).Select(m => m.Groups["name"].Value).ToList();
        if (names.Count == 0)
            return;
        await using var connection = await server.OpenAsync(database, cancellation);
        foreach (var name in names)
            await RunAsync(connection, $"CREATE EXTENSION IF NOT EXISTS {SqlText.Name(name)} CASCADE", cancellation);
    }

    private static async Task DropQuietlyAsync(NpgsqlConnection home, string database)
    {
        try
        {
            await DropAsync(home, database);
        }
        catch (NpgsqlException)
        {
            // The first failure is the one to report; nobody uses a database of that name, and the next restore drops it.
        }
    }

    private static Task DropAsync(NpgsqlConnection home, string database) =>
        RunAsync(home, $"DROP DATABASE IF EXISTS {SqlText.Name(database)} WITH (FORCE)", CancellationToken.None);

    private static async Task RunAsync(NpgsqlConnection connection, string statement, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static async Task<object?> AskAsync(NpgsqlConnection connection, string statement, string value, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(statement, connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = value });
        return await command.ExecuteScalarAsync(cancellation);
    }

    [GeneratedRegex(@"^\d+; \d+ \d+ EXTENSION - (?<name>\S+) *$", RegexOptions.CultureInvariant)]
    private static partial Regex ExtensionLine();

    [GeneratedRegex(@"^\d+; \d+ \d+ COMMENT - EXTENSION ", RegexOptions.CultureInvariant)]
    private static partial Regex ExtensionComment();
}
