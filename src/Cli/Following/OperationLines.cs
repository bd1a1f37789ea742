using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Following;

/// <summary>Tells an operation in lines, each once, for logs of CI and files.</summary>
internal sealed class OperationLines(Screen screen) : IOperationWatcher
{
    private readonly Dictionary<string, (string State, int Words)> _told = [];
    private bool _isAway;

    public void Seen(OperationStatusView operation)
    {
        foreach (var step in operation.Steps)
        {
            var (state, words) = _told.GetValueOrDefault(step.Name, ("waiting", 0));
            if (step.State == "running" && state == "waiting")
                screen.Line($"  … {Text.Clean(step.Name)}");
            foreach (var word in step.Words.Skip(words))
                screen.Line($"      {Text.FirstLine(word)}");
            if (step.State != state && step.State is "done" or "failed" or "undone" && step.State != state)
                screen.Line($"  {OperationSteps.Sign(step.State)} {Text.Clean(step.Name)}{Took(step)}");
            _told[step.Name] = (step.State, Math.Max(words, step.Words.Count));
        }
    }

    public void Away(bool isAway)
    {
        if (isAway != _isAway)
            screen.Line(isAway ? "  The control plane is away. The operation is kept there; waiting for it to come back." : "  The control plane is back.");
        _isAway = isAway;
    }

    private static string Took(OperationStepView step) =>
        step is { State: "done", StartedAt: { } began, EndedAt: { } ended } ? $" ({Text.Took(ended - began)})" : "";
}
