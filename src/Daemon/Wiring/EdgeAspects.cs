using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet.OnNode;

namespace Groundcrew.Daemon.Wiring;

/// <summary>What an edge is asked about itself.</summary>
internal enum EdgeAspect
{
    /// <summary>Answered with a list of <see cref="ServiceBreakers"/>.</summary>
    Breakers,

    /// <summary>Answered with a list of <see cref="ServiceLimits"/>.</summary>
    Limits,

    /// <summary>Answered with <see cref="LiveRoutes"/>.</summary>
    Routes,
}

/// <summary>The payload of a stream request of kind <see cref="Kind"/>; the stream carries the answer as JSON.</summary>
/// <param name="Aspect">What is asked.</param>
internal sealed record EdgeQuestion(EdgeAspect Aspect)
{
    /// <summary>The kind of such requests.</summary>
    public const string Kind = "edge.live";
}

/// <summary>Answers over the link what the status port of the edge answers. Thread-safe.</summary>
internal sealed class EdgeAspects(EdgeTable table) : INodeStreamSource
{
    public string Kind => EdgeQuestion.Kind;

    public Task WriteAsync(JsonElement question, Stream output, CancellationToken cancellation) =>
        question.Deserialize<EdgeQuestion>(Json.Options)?.Aspect switch
        {
            EdgeAspect.Breakers => JsonSerializer.SerializeAsync(output, table.Breakers(), Json.Options, cancellation),
            EdgeAspect.Limits => JsonSerializer.SerializeAsync(output, table.Limits(), Json.Options, cancellation),
            EdgeAspect.Routes => JsonSerializer.SerializeAsync(output, table.Routes(), Json.Options, cancellation),
            // Nothing is the answer of a program that does not know the question.
            _ => Task.CompletedTask,
        };
}
