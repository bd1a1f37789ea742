using System.CommandLine;
using System.Diagnostics;
using Groundcrew.Bedrock;
using Groundcrew.Cli;
using Groundcrew.Contract;
using Groundcrew.Daemon.Roles;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Supervising;
using Groundcrew.Postgres.OnNode;

namespace Groundcrew.Daemon;

/// <summary>The verbs that make a platform of this machine: <c>up</c>, <c>down</c> and <c>serve</c>.</summary>
internal sealed class PlatformVerbs(Func<ParseResult, string> dataFolder)
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan DownWithin = TimeSpan.FromSeconds(90);
    private readonly PlatformOptions _platform = new();

    public Command Up()
    {
        var detach = new Option<bool>("--detach", "-d") { Description = "Go on in the background and return once everything is ready." };
        var command = new Command("up", "Start the platform on this machine: control plane, agent and edge. Safe to call twice.") { detach };
        _platform.AddTo(command);
        command.SetAction((parsed, cancellation) => UpAsync(parsed, dataFolder(parsed), parsed.GetValue(detach), cancellation));
        return command;
    }

    public Command Down()
    {
        var keep = new Option<bool>("--keep-instances") { Description = "Leave instances and database servers running: the next 'crew up' finds them again." };
        var command = new Command("down", "Stop the platform on this machine: edge, agent, control plane, and the instances that they ran.") { keep };
        command.SetAction((parsed, _) => DownAsync(dataFolder(parsed), parsed.GetValue(keep)));
        return command;
    }

    public Command Serve()
    {
        var role = new Option<string>("--role") { Description = "control, agent or edge.", Required = true };
        role.AcceptOnlyFromAmong("control", "agent", "edge");
        var command = new Command("serve", "Run one role in the foreground: what 'up' starts, and what a systemd unit runs.") { role };
        _platform.AddTo(command);
        command.SetAction((parsed, cancellation) => ServeAsync(parsed, dataFolder(parsed), parsed.GetValue(role)!, cancellation));
        return command;
    }

    private async Task<int> ServeAsync(ParseResult parsed, string data, string role, CancellationToken stop)
    {
        if (Judge(parsed, data) is not { } settings)
            return (int)ExitCode.Usage;
        // On a machine without a control plane: the node token that was brought here.
        if (role != "control" && parsed.GetValue<string?>("--token-file") is { } tokenFile)
            settings = settings with { NodeTokenFile = Path.GetFullPath(tokenFile) };
        return role switch
        {
            "control" => await ControlRole.RunAsync(settings, stop),
            "agent" => await AgentRole.RunAsync(settings, stop),
            _ => await EdgeRole.RunAsync(settings, stop),
        };
    }

    private async Task<int> UpAsync(ParseResult parsed, string data, bool detach, CancellationToken cancellation)
    {
        if (Judge(parsed, data) is not { } settings)
            return (int)ExitCode.Usage;
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
            return (int)ExitCode.Conflict;
        settings.Platform.Write(data, DurableFiles.Real);
        var passed = _platform.Pass(parsed).ToList();
        return detach ? await DetachAsync(settings, passed, cancellation) : await StayAsync(settings, passed, cancellation);
    }

    private static async Task<int> StayAsync(RoleSettings settings, IReadOnlyList<string> passed, CancellationToken stop)
    {
        var started = Stopwatch.GetTimestamp();
        var supervising = new Supervisor(settings, passed, Console.Error, TimeProvider.System).RunAsync(stop);
        try
        {
            await SayReadyAsync(settings, started, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopped before it was ready.
        }
        await supervising;
        return (int)ExitCode.Ok;
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
        var began = TimeProvider.System.GetUtcNow();
        var control = new RoleProcess("control", settings.Data, []);
        if (!await Supervisor.ReadyAsync(settings, ReadyWithin, () => control.LastWords(began).Count > 0, TimeProvider.System, cancellation))
            return await SayNotReadyAsync(settings, control.LastWords(began));
        var platform = settings.Platform;
        var took = started is { } t ? $" in {Stopwatch.GetElapsedTime(t).TotalSeconds:0.0} s" : "";
        await Console.Out.WriteLineAsync($"""
            Ready{took}.
              API      http://localhost:{platform.ControlPort}   (token: {PlatformFile.AdminTokenOf(settings.Data)})
              Traffic  http://<host>.{platform.BaseDomain}:{platform.EdgePort}
                       https://<host>.{platform.BaseDomain}:{platform.EdgeHttpsPort}
              Data     {settings.Data}
            Next: crew deploy examples/hello
            """);
        return (int)ExitCode.Ok;
    }

    private static async Task<int> SayNotReadyAsync(RoleSettings settings, IReadOnlyList<string> reasons)
    {
        foreach (var reason in reasons)
            await Console.Error.WriteLineAsync(reason);
        await Console.Error.WriteLineAsync(reasons.Count > 0
            ? "crew: agent and edge carry on with what they have, and the control plane is tried again; 'crew down' stops all of it."
            : $"crew: the platform was not ready within {Quantity.Format(ReadyWithin)}. See the logs below {settings.Data}/{{control,agent,edge}}.");
        return (int)ExitCode.Unable;
    }

    private static async Task<int> DownAsync(string data, bool keepInstances)
    {
        var clock = TimeProvider.System;
        var supervisor = Supervisor.RunningOf(data);
        if (supervisor is not null)
        {
            ProcessSignals.Send(supervisor.Pid, ProcessSignals.Terminate);
            var deadline = clock.GetUtcNow() + DownWithin;
            while (supervisor.IsAlive() && clock.GetUtcNow() < deadline)
                await Task.Delay(TimeSpan.FromMilliseconds(30), clock);
            if (supervisor.IsAlive())
                ProcessSignals.Send(supervisor.Pid, ProcessSignals.Kill);
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
        stopped |= await Supervisor.StopLeavingAsync(data, clock);
        var instances = keepInstances ? 0 : await LeftInstances.StopAsync(data, clock);
        var databases = keepInstances ? 0 : await LeftServers.StopAsync(Path.Combine(data, "agent"), clock);
        // Asked for first: deleting in a folder that was never made would throw.
        if (File.Exists(Supervisor.IdentityFileOf(data)))
            File.Delete(Supervisor.IdentityFileOf(data));
        await Console.Out.WriteLineAsync((instances, databases) switch
        {
            (0, 0) => stopped ? "Stopped." : "Nothing runs here.",
            (_, 0) => $"Stopped, with {instances} instances.",
            (0, _) => $"Stopped, with {databases} database servers.",
            _ => $"Stopped, with {instances} instances and {databases} database servers.",
        });
        return (int)ExitCode.Ok;
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
        [
            (platform.ControlPort, "--control-port"), (platform.AgentPort, "--agent-port"), (platform.EdgePort, "--edge-port"),
            (platform.EdgeHttpsPort, "--edge-https-port"), (platform.EdgeStatusPort, "--edge-status-port"),
        ])
        {
            if (!PortOwner.IsTaken(port) || (PortOwner.Find(port) is { } owner && ours.Contains(owner.Pid)))
                continue;
            Console.Error.WriteLine($"crew: port {port} is taken: {PortOwner.Describe(port)} ({option})");
            free = false;
        }
        return free;
    }
}
