using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Makes the node tasks of one kind so. Implementations are thread-safe; none of the members may block.</summary>
public interface INodeTaskHandler
{
    /// <summary>The kind of tasks that it takes.</summary>
    string Kind { get; }

    /// <summary>
    /// Set whenever <see cref="Current"/> would answer something else.
    /// </summary>
    Nudge Changed { get; }

    /// <summary>Takes every task of this kind, whole. Idempotent; only hands them on, and returns at once.</summary>
    void Apply(IReadOnlyList<NodeTask> tasks);

    /// <summary>The latest status of every key that it knows.</summary>
    IReadOnlyList<TaskReport> Current();
}

/// <summary>Answers stream requests of one kind. Implementations are thread-safe.</summary>
public interface INodeStreamSource
{
    /// <summary>The kind of requests that it answers.</summary>
    string Kind { get; }

    /// <summary>Writes the answer and returns when it is complete. <paramref name="output"/> fails when nobody reads any more.</summary>
    Task WriteAsync(JsonElement question, Stream output, CancellationToken cancellation);
}
