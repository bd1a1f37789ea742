using System.CommandLine;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Cli;
using Groundcrew.Daemon.Supervising;
using Groundcrew.Edge;

namespace Groundcrew.Daemon;

/// <summary>
/// The verb <c>crew edge restart</c>: a new edge process takes over from the one that runs, with its arguments and this
/// program. It works on processes, not on the API, so it needs no control plane.
/// </summary>
internal sealed class EdgeRestart(CrewRoot root)
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private readonly TimeProvider _clock = TimeProvider.System;

    public Command Verb()
    {
        var command = new Command("restart",
            "Replace the edge process, for a new program say: no connection is refused and no request cut. Returns once the old one has no requests left; its upgraded connections may stay longer.");
        command.SetAction((parsed, cancellation) => RestartAsync(root.DataFolder(parsed), root.IsJson(parsed), cancellation));
        return command;
    }

    private async Task<int> RestartAsync(string data, bool json, CancellationToken cancellation)
    {
        var folder = Path.Combine(data, "edge");
        var running = new RoleProcess("edge", data, []);
        if (!running.TryAdopt())
            return await FailAsync(ExitCode.Unreachable, $"No edge runs in '{data}'. Start it with 'crew up', or name its folder with --data.");
        if (await EdgeHandover.AskAsync(folder, cancellation) is not { } before)
            return await FailAsync(ExitCode.Failed,
                $"The edge (pid {running.Identity!.Pid}) does not answer on its handover socket: its program is older than this verb, or it hangs. It serves on.");
        if (ArgumentsOf(before.Process.Pid) is not { } arguments)
            return await FailAsync(ExitCode.Failed, $"The edge (pid {before.Process.Pid}) was not started by 'crew serve'; what started it has to start the next one. It serves on.");

        var fresh = new RoleProcess("edge", data, arguments);
        var began = _clock.GetUtcNow();
        fresh.Launch();
        await Console.Error.WriteLineAsync($"crew: a new edge starts (pid {fresh.Identity?.Pid}); pid {before.Process.Pid} serves until it is ready");
        if (await WhyNotServingAsync(fresh, folder, began, cancellation) is { } why)
            return await FailAsync(ExitCode.Failed, $"{why} The old edge (pid {before.Process.Pid}) serves on.");
        var drained = await DrainedAsync(before.Process, folder, cancellation);
        await Console.Out.WriteLineAsync(json ? Data(before.Process, fresh.Identity!, drained) : Words(before.Process, fresh.Identity!, drained));
        return (int)ExitCode.Ok;
    }

    /// <summary>Waits until the new one has the sockets; why it has not, when it ended or takes too long.</summary>
    private async Task<string?> WhyNotServingAsync(RoleProcess fresh, string folder, DateTimeOffset began, CancellationToken cancellation)
    {
        var ended = fresh.WaitAsync(_clock, cancellation);
        while (_clock.GetUtcNow() < began + ReadyWithin)
        {
            if ((await EdgeHandover.AskAsync(folder, cancellation))?.Process is { } serving && serving == fresh.Identity)
                return null;
            if (ended.IsCompleted)
                return $"The new edge ended with code {await ended}: {Reason(fresh, began)}";
            await Task.Delay(LookEvery, _clock, cancellation);
        }
        await fresh.StopAsync(TimeSpan.FromSeconds(5), _clock);
        return $"The new edge was not ready within {Quantity.Format(ReadyWithin)} and was stopped.";
    }

    private static string Reason(RoleProcess fresh, DateTimeOffset began) =>
        fresh.LastWords(began) is { Count: > 0 } words ? $"{words[^1]["crew: ".Length..].TrimEnd('.')}." : $"see {fresh.LogFile}.";

    /// <summary>Waits until the old one has nothing left but upgraded connections, which may stay for minutes.</summary>
    private async Task<ReplacedEdge> DrainedAsync(ProcessIdentity before, string folder, CancellationToken cancellation)
    {
        var last = new ReplacedEdge(before, 0, 0, 0, TimeSpan.Zero, IsGone: true);
        var told = -1;
        while (true)
        {
            var isAlive = before.IsAlive();
            var edge = (await EdgeHandover.AskAsync(folder, cancellation))?.Replaced.LastOrDefault(r => r.Process == before);
            last = edge ?? last;
            if (edge is { IsGone: true } || edge is { } e && e.Requests == e.Upgraded || !isAlive)
                return last;
            if (edge is { Requests: var left } && left != told)
                await Console.Error.WriteLineAsync($"crew: the new edge serves; pid {before.Pid} finishes {told = left} requests");
            await Task.Delay(LookEvery, _clock, cancellation);
        }
    }

    private static string Words(ProcessIdentity before, ProcessIdentity after, ReplacedEdge drained)
    {
        var stays = drained.Upgraded == 0 ? "" : $"; {drained.Upgraded} upgraded connections stay with it for at most {Quantity.Format(new EdgeOptions { StateFolder = "" }.LeaveUpgradesAfter)}";
        return $"The edge was replaced: pid {before.Pid} → {after.Pid}; {drained.Began - drained.Upgraded} requests of the old one drained in {drained.Took.TotalSeconds:0.0} s{stays}.";
    }

    private static string Data(ProcessIdentity before, ProcessIdentity after, ReplacedEdge drained) => JsonSerializer.Serialize(
        new { before = before.Pid, after = after.Pid, drained = drained.Began - drained.Upgraded, upgradedLeft = drained.Upgraded, durationMs = (long)drained.Took.TotalMilliseconds },
        Json.Indented);

    private static async Task<int> FailAsync(ExitCode code, string why)
    {
        await Console.Error.WriteLineAsync($"crew: {why}");
        return (int)code;
    }

    /// <summary>What comes after the program in the command line of a process (proc(5)); null when it is not one of 'crew serve'.</summary>
    private static IReadOnlyList<string>? ArgumentsOf(int pid)
    {
        try
        {
            var words = Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/cmdline")).TrimEnd('\0').Split('\0');
            var serve = Array.IndexOf(words, "serve");
            return serve is 1 or 2 ? words[serve..] : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
