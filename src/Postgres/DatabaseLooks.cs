using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Postgres.OnNode;
using Npgsql;

namespace Groundcrew.Postgres;

/// <summary>Looks at the servers of databases: through their nodes, or directly at those that somebody else runs. Thread-safe.</summary>
public sealed class DatabaseLooks
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(30);
    private readonly DatabaseReading _reading;
    private readonly DatabaseSecrets _secrets;
    private readonly Link _link;
    private readonly TimeProvider _clock;

    internal DatabaseLooks(DatabaseReading reading, DatabaseSecrets secrets, Link link, TimeProvider clock) =>
        (_reading, _secrets, _link, _clock) = (reading, secrets, link, clock);

    /// <summary>Looks at the primary of a database; null when there is no such database. A look that cannot be made says why.</summary>
    public async Task<ServerAnswer?> LookAsync(
        string org, string name, ServerAspect what, string? database, StatementOrder order, int limit, CancellationToken cancellation)
    {
        if (await _reading.FindAsync(org, name, cancellation) is not { } info)
            return null;
        if (info.IsExternal)
            return await LookOutsideAsync(info, new ServerQuestion(Guid.Empty, what, database ?? "", order, limit), cancellation);
        if (database is not null && info.Settings.Databases.All(d => d.Name != database))
            return new ServerAnswer($"{info.Subject} has no database '{database}'; it has {string.Join(", ", info.Settings.Databases.Select(d => d.Name))}.", null);
        if (info.Primary is not { Desire: ClusterDesire.Running } primary)
            return new ServerAnswer($"{info.Subject} is {info.Health}: no server of it runs.", null);
        var question = new ServerQuestion(primary.Id, what, database ?? info.Settings.Databases[0].Name, order, limit);
        using var answer = await _link.OpenStreamAsync(primary.NodeId, ServerQuestion.Kind, question, AnswerLimit, cancellation);
        if (answer is null)
            return new ServerAnswer($"Node {primary.Hostname} does not answer. See: crew nodes", null);
        try
        {
            return await JsonSerializer.DeserializeAsync<ServerAnswer>(answer.Content, Json.Options, cancellation);
        }
        catch (JsonException)
        {
            return new ServerAnswer($"Node {primary.Hostname} does not know the question: its agent is of another version.", null);
        }
    }

    private async Task<ServerAnswer> LookOutsideAsync(DatabaseInfo info, ServerQuestion question, CancellationToken cancellation)
    {
        if (await _secrets.RevealAsync(info.Org, DatabaseSecrets.UrlOf(info.Name), cancellation) is not { } url)
            return new ServerAnswer($"The address of {info.Subject} is not known any more.", null);
        var uri = new Uri(url.Reveal());
        var home = Uri.UnescapeDataString(uri.AbsolutePath.TrimStart('/'));
        var parts = uri.UserInfo.Split(':', 2);
        var settings = new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host, Port = uri.Port > 0 ? uri.Port : 5432, Username = Uri.UnescapeDataString(parts[0]),
            Password = parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : null, Timeout = 10, Pooling = false, ApplicationName = "groundcrew",
        };
        async Task<NpgsqlConnection> OpenAsync(string database, CancellationToken cancel)
        {
            // The database for what concerns the whole server may not be open to us there.
            var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Database = database is ServerLook.Home or "" ? home : database }.ConnectionString);
            try
            {
                await connection.OpenAsync(cancel);
                return connection;
            }
            catch
            {
                await connection.DisposeAsync();
                throw;
            }
        }
        return await ServerLookSource.LookAsync(new ServerLook(OpenAsync, ServerLook.UsualLimit), () => new ServerMetrics(OpenAsync, _clock), question, cancellation);
    }
}
