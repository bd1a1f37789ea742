using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Asks a node to look at one of its servers: a stream request of kind <see cref="Kind"/>.</summary>
/// <param name="ServerId">The server.</param>
/// <param name="What">At what.</param>
/// <param name="Database">The database; ignored where the look is at the whole server.</param>
/// <param name="Order">Statements: by what they are ranked.</param>
/// <param name="Limit">At most so many.</param>
public sealed record ServerQuestion(Guid ServerId, ServerAspect What, string Database = "", StatementOrder Order = StatementOrder.Total, int Limit = 20)
{
    /// <summary>The kind of stream requests.</summary>
    public const string Kind = "cluster-look";
}

/// <summary>What a server can be looked at for.</summary>
public enum ServerAspect
{
    /// <summary>The daily check.</summary>
    Health,

    /// <summary>The ranked statements.</summary>
    Statements,

    /// <summary>Tables, indexes, and indexes that may be missing.</summary>
    Tables,

    /// <summary>Its own metrics, in the text format of Prometheus.</summary>
    Metrics,
}

/// <summary>What came of a look: one of the two.</summary>
/// <param name="Problem">Why there is no answer.</param>
/// <param name="Answer">The answer, by what was asked.</param>
public sealed record ServerAnswer(string? Problem, JsonElement? Answer);

/// <summary>Looks at this node's servers when the control plane asks. Thread-safe.</summary>
internal sealed class ServerLookSource(IServers servers, TimeProvider clock) : INodeStreamSource
{
    public string Kind => ServerQuestion.Kind;

    public async Task WriteAsync(JsonElement question, Stream output, CancellationToken cancellation)
    {
        var asked = question.Deserialize<ServerQuestion>(Json.Options)!;
        var answer = servers.Find(asked.ServerId) is { } server
            ? await LookAsync(ServerLook.At(server.Server), () => ServerMetrics.Of(server.Server, clock), asked, cancellation)
            : new ServerAnswer("This node has no such server.", null);
        await JsonSerializer.SerializeAsync(output, answer, Json.Options, cancellation);
    }

    /// <summary>Looks once; what the server refuses is told in its words.</summary>
    public static async Task<ServerAnswer> LookAsync(ServerLook look, Func<ServerMetrics> metrics, ServerQuestion asked, CancellationToken cancellation)
    {
        try
        {
            object answer = asked.What switch
            {
                ServerAspect.Health => await look.HealthAsync(cancellation),
                ServerAspect.Statements => await look.StatementsAsync(asked.Database, asked.Order, asked.Limit, cancellation),
                ServerAspect.Tables => new
                {
                    Tables = await look.TablesAsync(asked.Database, asked.Limit, cancellation), Indexes = await look.IndexesAsync(asked.Database, cancellation),
                    Missing = await look.MissingIndexesAsync(asked.Database, cancellation),
                },
                ServerAspect.Metrics => await metrics().ScrapeAsync(cancellation),
                _ => throw new IOException($"A server cannot be looked at for {asked.What}."),
            };
            return new ServerAnswer(null, JsonSerializer.SerializeToElement(answer, answer.GetType(), Json.Options));
        }
        catch (IOException e)
        {
            return new ServerAnswer(e.Message, null);
        }
    }
}
