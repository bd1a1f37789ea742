using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;
using Spectre.Console;

namespace Groundcrew.Cli.Following;

/// <summary>Shows an operation's steps in place on a terminal, until it ended.</summary>
internal sealed class LiveOperation(Screen screen, TimeProvider clock) : IOperationWatcher
{
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(100);
    private volatile OperationStatusView? _now;
    private volatile bool _isAway;

    public void Seen(OperationStatusView operation) => _now = operation;

    public void Away(bool isAway) => _isAway = isAway;

    public async Task<OperationStatusView> ShowAsync(Func<IOperationWatcher, Task<OperationStatusView>> follow)
    {
        OperationStatusView? ended = null;
        await Consoles.On(screen).Live(new Paragraph()).StartAsync(async live =>
        {
            var following = follow(this);
            using var ticks = new PeriodicTimer(Frame, clock);
            for (var frame = 0; !following.IsCompleted; frame++)
            {
                live.UpdateTarget(Block(frame));
                await Task.WhenAny(following, ticks.WaitForNextTickAsync().AsTask());
            }
            live.UpdateTarget(Block(0));
            ended = await following;
        });
        return ended!;
    }

    private Paragraph Block(int frame)
    {
        // A block is never empty: the library cannot measure nothing.
        List<(string Text, Tone Tone)> rows = _now is { Steps.Count: > 0 } now
            ? [.. OperationSteps.Rows(now, clock.GetUtcNow(), screen.Width, frame)]
            : [($"  {OperationSteps.Sign("running", frame)} {Speaking.Text.Cut(Speaking.Text.FirstLine(_now?.Summary ?? "accepted"), screen.Width - 6)}", Tone.Cyan)];
        if (_isAway)
            rows.Add((Speaking.Text.Cut("  The control plane is away; waiting for it to come back.", screen.Width - 1), Tone.Warning));
        var block = new Paragraph();
        foreach (var (index, (text, tone)) in rows.Index())
            block.Append((index > 0 ? "\n" : "") + text, Consoles.StyleOf(tone));
        return block;
    }
}
