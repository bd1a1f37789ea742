using Groundcrew.Cli.Calling;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Following;

/// <summary>Follows an operation as the terminal allows, and turns its end into an exit code.</summary>
internal static class Waiting
{
    public static async Task<OperationStatusView> FollowAsync(Call call, Guid id)
    {
        call.IsPatient = false; // The follower has a patience of its own.
        var follower = new OperationFollower(call.Client, call.Clock);
        try
        {
            if (call.Words.IsTerminal && !call.IsJson)
                return await new LiveOperation(call.Words, call.Clock).ShowAsync(watcher => follower.FollowAsync(id, watcher, call.Cancellation));
            return await follower.FollowAsync(id, new OperationLines(call.Words), call.Cancellation);
        }
        catch (OperationCanceledException) when (call.Cancellation.IsCancellationRequested)
        {
            throw new CrewFailedException(ExitCode.Interrupted, $"Not waiting any more. The operation goes on without this command. Follow it again: crew operations watch {id}");
        }
        catch (Exception e) when (OperationFollower.IsAway(e))
        {
            throw new CrewFailedException(ExitCode.Unreachable,
                $"The control plane stayed away for {PatientHandler.Patience.TotalSeconds:0} s. The operation is kept there and goes on once it is back: start it with 'crew up', then crew operations watch {id}");
        }
        finally
        {
            call.IsPatient = true;
        }
    }

    /// <summary>Says how it ended; words for success are the caller's.</summary>
    public static ExitCode Conclude(Call call, OperationStatusView ended, string whatStands)
    {
        var why = ended.Why is { Length: > 0 } said ? Text.Clean(said) : "no reason was given";
        if (ended.Outcome == "succeeded")
            return ExitCode.Ok;
        if (ended.Outcome == "stuck" || ended.State == "stuck")
        {
            call.Words.Line($"{call.Words.Ink.Of(Tone.Bad, "✗ Stuck:")} {why}");
            call.Words.Line($"  It can go neither on nor back. Remove the cause, then: crew operations resume {ended.Id}");
            return ExitCode.Stuck;
        }
        call.Words.Line($"{call.Words.Ink.Of(Tone.Bad, "✗ Rolled back:")} {why}");
        call.Words.Line($"  {whatStands}");
        return ExitCode.Failed;
    }
}
