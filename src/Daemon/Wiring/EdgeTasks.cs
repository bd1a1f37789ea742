using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Deploys;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;

namespace Groundcrew.Daemon.Wiring;

/// <summary>Hands the route table from the link to the edge, and the edge's word back. Thread-safe.</summary>
internal sealed class EdgeTasks(EdgeTable table, ILogger<EdgeTasks> log) : INodeTaskHandler
{
    private readonly Lock _gate = new();
    private long _attempted;
    private string? _problem;

    public string Kind => EdgeReport.Kind;

    public Nudge Changed => table.Changed;

    public void Apply(IReadOnlyList<NodeTask> tasks)
    {
        foreach (var task in tasks)
        {
            var problem = Problem(table.Apply(task.Payload.Deserialize<RouteTable>(Json.Options)!));
            lock (_gate)
                (_attempted, _problem) = (task.Generation, problem);
            if (problem is null)
                continue;
            log.LogWarning("Route table {Generation} was not applied: {Problem}", task.Generation, problem);
            table.Changed.Set();
        }
    }

    public IReadOnlyList<TaskReport> Current()
    {
        var status = table.Status();
        lock (_gate)
        {
            var report = new EdgeReport(status.Generation, status.Draining, _problem);
            return [new TaskReport(EdgeReport.Key, Math.Max(_attempted, status.Generation), JsonSerializer.SerializeToElement(report, Json.Options))];
        }
    }

    private static string? Problem(ApplyOutcome outcome) =>
        outcome is ApplyOutcome.NotKept kept ? $"it could not be kept on disk ({kept.Reason}); the table before serves on" : RefusalOf(outcome);

    /// <summary>Why an edge refuses what it was given; null when it does not.</summary>
    internal static string? RefusalOf(ApplyOutcome outcome) => outcome switch
    {
        ApplyOutcome.Applied or ApplyOutcome.SameAlready or ApplyOutcome.NotKept => null,
        ApplyOutcome.RefusedOlder older => $"it serves the newer generation {older.Current}",
        ApplyOutcome.RefusedOtherPlatform => "it belongs to another platform: remove its folder to give it to this one",
        ApplyOutcome.RefusedProblems refused => string.Join("; ", refused.Problems),
        _ => throw new InvalidOperationException("What an edge is given is applied or refused in one of six ways."),
    };
}
