using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Following;

/// <summary>The steps of an operation as rows: sign, name, time, and what was said last. Pure.</summary>
internal static class OperationSteps
{
    private static readonly string[] Spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

    public static string Sign(string state, int frame = 0) => state switch
    {
        "done" => "✓",
        "failed" => "✗",
        "undone" => "↶",
        "running" or "undoing" => Spinner[frame % Spinner.Length],
        _ => "·",
    };

    /// <summary>Each row cut to the width, so that it stays one line.</summary>
    public static IEnumerable<(string Text, Tone Tone)> Rows(OperationStatusView operation, DateTimeOffset now, int width, int frame)
    {
        var names = operation.Steps.Select(s => Text.Clean(s.Name).Length).DefaultIfEmpty().Max();
        foreach (var step in operation.Steps)
        {
            var time = step.StartedAt is { } began ? Text.Took((step.EndedAt ?? now) - began) : "";
            var said = step.State is "done" or "waiting" || step.Words.Count == 0 ? "" : "  " + Text.FirstLine(step.Words[^1]);
            var row = $"  {Sign(step.State, frame)} {Text.Clean(step.Name).PadRight(names)}  {time,7}{said}";
            yield return (Text.Cut(row.TrimEnd(), width - 1), step.State == "waiting" ? Tone.Dim : Ink.OfState(step.State));
        }
    }
}
