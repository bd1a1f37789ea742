using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What an actor does for a server that should be stopped or removed.</summary>
internal sealed partial class ServerActor
{
    private async Task StopWantedAsync(CancellationToken cancellation)
    {
        await _health.CloseAsync();
        await FenceAsync(cancellation);
        // Behind the stop: an orderly one waits until the archive has the end of the log.
        await _parts.Archive.LeaveAsync(_record.Spec.ServerId);
        var server = Server();
        _node = server is null ? null : new(_record.Spec, server);
        if (_status.State != ServerState.Stopped || Reported != _record.Generation)
        {
            if (server?.DataVersion is not null)
                await TakeLastWordAsync(server, cancellation);
            Tell(ServerState.Stopped, "");
        }
        _backing.Reset();
    }

    /// <summary>How far its log went: what follows it has everything when it is there.</summary>
    private async Task TakeLastWordAsync(PgServer server, CancellationToken cancellation)
    {
        var control = await ControlData.ReadAsync(server, cancellation);
        _status = _status with
        {
            SystemId = control.SystemId,
            Timeline = control.Timeline,
            Position = control.Timeline == _status.Timeline && control.Checkpoint.CompareTo(_status.Position) < 0 ? _status.Position : control.Checkpoint,
        };
    }

    /// <summary>The mark first, so that nothing of ours starts it meanwhile; then whatever runs on the data folder, whoever started it.</summary>
    private async Task FenceAsync(CancellationToken cancellation)
    {
        _process = null;
        if (Server() is not { } server)
        {
            // Its version is not installed any more; what still runs of it ends all the same.
            await ServerProcess.KillAllAsync(_folder.Data, _parts.Clock, cancellation);
            return;
        }
        IOException? unmarked = null;
        try
        {
            if (!server.IsFenced)
                server.IsFenced = true;
        }
        catch (IOException e)
        {
            unmarked = e; // A full disk does not keep it running.
        }
        if (server.Pid is not null)
        {
            Tell(_status.State, "it is stopped", server.Pid);
            await StopAsync(server, cancellation);
        }
        if (unmarked is not null)
            throw new IOException($"It is stopped, but the mark that keeps it so cannot be written: {unmarked.Message}", unmarked);
    }

    private async Task StopAsync(PgServer server, CancellationToken cancellation)
    {
        try
        {
            await server.StopAsync(StopMode.Fast, _parts.Options.StopLimit, cancellation);
            return;
        }
        catch (JobFailedException e)
        {
            _parts.Log.LogWarning("The server {Id} of cluster {Name} is stopped hard: {Why}", _record.Spec.ServerId, _record.Spec.Name, e.Message);
        }
        try
        {
            await server.StopAsync(StopMode.Immediate, _parts.Options.StopLimit, cancellation);
        }
        catch (JobFailedException)
        {
            await server.StopAsync(StopMode.Kill, _parts.Options.StopLimit, cancellation);
        }
    }

    private async Task RemoveWantedAsync(CancellationToken cancellation)
    {
        if (_status.State == ServerState.Removed && Reported == _record.Generation)
            return;
        await _health.CloseAsync();
        _node = null;
        if (_folder.Exists)
        {
            try
            {
                await FenceAsync(cancellation);
            }
            catch (IOException) when (Server() is { Pid: null })
            {
                // It goes altogether: it needs no mark.
            }
            await _parts.Archive.LeaveAsync(_record.Spec.ServerId);
            await ForgetSlotAsync(cancellation);
            _folder.Remove();
        }
        var sockets = PgServerOptions.ShortSocketFolder(_record.Spec.ServerId);
        if (Directory.Exists(sockets))
            Directory.Delete(sockets, recursive: true);
        Publish(new(ServerState.Removed, "", null, null, 0, default, null, new Dictionary<string, string>(), null));
    }

    /// <summary>A standby's slot would make its primary keep log for a reader that never comes. A primary that is gone has no slot to keep either.</summary>
    private async Task ForgetSlotAsync(CancellationToken cancellation)
    {
        var spec = _record.Spec;
        if (spec.Role != ServerRole.Standby || spec.PrimaryHost is null || PgBinaries.Find(spec.Version) is not { } binaries)
            return;
        try
        {
            var secrets = await _parts.Secrets.GetAsync(spec, _folder, isNew: false, cancellation);
            await new PrimaryLink(spec, _folder.PassFile, secrets[ClusterSecrets.Replication], binaries.User).RemoveSlotAsync(cancellation);
        }
        catch (Exception e) when (e is NpgsqlException or IOException)
        {
            _parts.Log.LogWarning("The slot of the removed standby {Id} stays on its primary {Host}:{Port}: {Why}", spec.ServerId, spec.PrimaryHost, spec.PrimaryPort, e.Message);
        }
    }

    /// <summary>Tools of an agent that was killed would write where we do: they are ended before anything is begun.</summary>
    private async Task EndLeftToolsAsync(CancellationToken cancellation)
    {
        foreach (var data in new[] { _folder.Data, _folder.NewData })
            while (ServerProcess.ToolsOn(data) is { Count: > 0 } left)
            {
                foreach (var pid in left)
                    ProcessSignals.Send(pid, ProcessSignals.Kill);
                await Task.Delay(TimeSpan.FromMilliseconds(20), _parts.Clock, cancellation);
            }
    }
}
