using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Roles;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Supervising;

namespace Groundcrew.Daemon;

/// <summary>The verbs that make a platform of this machine: <c>up</c>, <c>down</c> and <c>serve</c>.</summary>
internal sealed class PlatformVerbs(string defaultData)
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan DownWithin = TimeSpan.FromSeconds(90);
    private readonly PlatformOptions _platform = new();

    public Command Up()
    {
        var data = Data();
        var detach = new Option<bool>("--detach", "-d") { Description = "Go on in the background and return once everything is ready." };
        var command = new Command("up", "Start the platform on this machine: control plane, agent and edge. Safe to call twice.") { data, detach };
        _platform.AddTo(command);
        command.SetAction((parsed, cancellation) => UpAsync(parsed, Path.GetFullPath(parsed.GetValue(data)!), parsed.GetValue(detach), cancellation));
        return command;
    }

    public Command Down()
    {
        var data = Data();
        var keep = new Option<bool>("--keep-instances") { Description = "Leave the instances running: the next 'crew up' finds them again." };
        var command = new Command("down", "Stop the platform on this machine: edge, agent, control plane, and the instances that they ran.") { data, keep };
        command.SetAction((parsed, _) => DownAsync(Path.GetFullPath(parsed.GetValue(data)!), parsed.GetValue(keep)));
        return command;
    }

    public Command Serve()
    {
        var data = Data();
        var role = new Option<string>("--role") { Description = "control, agent or edge.", Required = true };
        role.AcceptOnlyFromAmong("control", "agent", "edge");
        var command = new Command("serve", "Run one role in the foreground: what 'up' starts, and what a systemd unit runs.") { data, role };
        _platform.AddTo(command);
        command.SetAction((parsed, _) => ServeAsync(parsed, Path.GetFullPath(parsed.GetValue(data)!), parsed.GetValue(role)!));
        return command;
    }

    private async Task<int> ServeAsync(ParseResult parsed, string data, string role)
    {
        if (Judge(parsed, data) is not { } settings)
            return Exit.Usage;
        using var stop = new StopSignals();
        return role switch
        {
            "control" => await ControlRole.RunAsync(settings, stop.Token),
            "agent" => await AgentRole.RunAsync(settings, stop.Token),
            _ => await EdgeRole.RunAsync(settings, stop.Token),
        };
    }

    private async Task<int> UpAsync(ParseResult parsed, string data, bool detach, CancellationToken cancellation)
    {
        if (Judge(parsed, data) is not { } settings)
            return Exit.Usage;
        Directory.CreateDirectory(data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (Supervisor.RunningOf(data) is { } running)
        {
            var asItRuns = settings with { Platform = PlatformFile.Read(data) ?? settings.Platform };
            await Console.Out.WriteLineAsync($"The platform runs already (pid {running.Pid}).");
            return await SayReadyAsync(asItRuns, null, cancellation);
        }
        if (File.Exists(Supervisor.IdentityFileOf(data)))
            await Console.Error.WriteLineAsync("crew: the last platform here ended without cleaning up; its pid file is stale. Starting again.");
        if (!PortsAreFree(settings))
            return Exit.Conflict;
        settings.Platform.Write(data, DurableFiles.Real);
        var passed = PlatformOptions.Pass(parsed).ToList();
        return detach ? await DetachAsync(settings, passed, cancellation) : await StayAsync(settings, passed);
    }

    private static async Task<int> StayAsync(RoleSettings settings, IReadOnlyList<string> passed)
    {
        using var stop = new StopSignals();
        var started = Stopwatch.GetTimestamp();
        var supervising = new Supervisor(settings, passed, Console.Error, TimeProvider.System).RunAsync(stop.Token);
        try
        {
            await SayReadyAsync(settings, started, stop.Token);
        }
        catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
        {
            // Stopped before it was ready.
        }
        await supervising;
        return Exit.Ok;
    }

    private static async Task<int> DetachAsync(RoleSettings settings, IReadOnlyList<string> passed, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var supervisor = new RoleProcess("supervisor", settings.Data, ["up", "--data", settings.Data, .. passed]);
        supervisor.Start();
        return await SayReadyAsync(settings, started, cancellation);
    }

    private static async Task<int> SayReadyAsync(RoleSettings settings, long? started, CancellationToken cancellation)
    {
        if (!await Supervisor.ReadyAsync(settings, ReadyWithin, TimeProvider.System, cancellation))
        {
            await Console.Error.WriteLineAsync($"crew: the platform was not ready within {Quantity.Format(ReadyWithin)}. See the logs below {settings.Data}/{{control,agent,edge}}.");
            return Exit.Unreachable;
        }
        var platform = settings.Platform;
        var took = started is { } t ? $" in {Stopwatch.GetElapsedTime(t).TotalSeconds:0.0} s" : "";
        await Console.Out.WriteLineAsync($"""
            Ready{took}.
              API      http://localhost:{platform.ControlPort}   (token: {PlatformFile.AdminTokenOf(settings.Data)})
              Traffic  http://<host>.{platform.BaseDomain}:{platform.EdgePort}
              Data     {settings.Data}
            Next: crew deploy examples/hello
            """);
        return Exit.Ok;
    }

    private static async Task<int> DownAsync(string data, bool keepInstances)
    {
        var clock = TimeProvider.System;
        var supervisor = Supervisor.RunningOf(data);
        if (supervisor is not null)
        {
            Signals.Terminate(supervisor.Pid);
            var deadline = clock.GetUtcNow() + DownWithin;
            while (supervisor.IsAlive() && clock.GetUtcNow() < deadline)
                await Task.Delay(TimeSpan.FromMilliseconds(30), clock);
            if (supervisor.IsAlive())
                Signals.Kill(supervisor.Pid);
        }
        // What a supervisor that was killed left behind.
        var stopped = supervisor is not null;
        foreach (var role in Supervisor.RolesInOrder.Reverse())
        {
            var process = new RoleProcess(role, data, []);
            if (!process.TryAdopt())
                continue;
            await process.StopAsync(TimeSpan.FromSeconds(15), clock);
            stopped = true;
        }
        var instances = keepInstances ? 0 : await LeftInstances.StopAsync(data, clock);
        File.Delete(Supervisor.IdentityFileOf(data));
        await Console.Out.WriteLineAsync(!stopped && instances == 0 ? "Nothing runs here." : instances == 0 ? "Stopped." : $"Stopped, with {instances} instances.");
        return Exit.Ok;
    }

    private RoleSettings? Judge(ParseResult parsed, string data)
    {
        var judged = _platform.Read(parsed, data);
        foreach (var problem in judged.Problems)
            Console.Error.WriteLine($"crew: {problem}");
        return judged.Value;
    }

    /// <summary>A port that is taken is named with its owner, before anything starts; roles that live on keep theirs.</summary>
    private static bool PortsAreFree(RoleSettings settings)
    {
        var platform = settings.Platform;
        var ours = Supervisor.RolesInOrder.Select(r => new RoleProcess(r, settings.Data, [])).Where(r => r.TryAdopt()).Select(r => r.Identity!.Pid).ToHashSet();
        var free = true;
        foreach (var (port, option) in (ReadOnlySpan<(int, string)>)
            [(platform.ControlPort, "--control-port"), (platform.AgentPort, "--agent-port"), (platform.EdgePort, "--edge-port"), (platform.EdgeStatusPort, "--edge-status-port")])
        {
            if (!PortOwner.IsTaken(port) || (PortOwner.Find(port) is { } owner && ours.Contains(owner.Pid)))
                continue;
            Console.Error.WriteLine($"crew: port {port} is taken: {PortOwner.Describe(port)} ({option})");
            free = false;
        }
        return free;
    }

    private Option<string> Data() => new("--data") { Description = "The data folder.", DefaultValueFactory = _ => defaultData };
}

/// <summary>Exit codes of the platform's own verbs: the same numbers as the CLI's list.</summary>
internal static class Exit
{
    public const int Ok = 0;
    public const int Usage = 2;
    public const int Unreachable = 6;
    public const int Conflict = 8;
}

/// <summary>SIGTERM and SIGINT as one cancellation.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;

    public StopSignals()
    {
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    }

    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
        _stop.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        _stop.Cancel();
    }
}
