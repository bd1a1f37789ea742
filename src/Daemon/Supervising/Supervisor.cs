using System.Net.Sockets;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Daemon.Roles;
using Groundcrew.Daemon.Settings;
using Groundcrew.Edge;

namespace Groundcrew.Daemon.Supervising;

/// <summary>
/// Starts control, agent and edge, starts again what dies, and stops them in reverse order. It holds nothing that they
/// need: it may be killed, and the next one adopts them.
/// </summary>
internal sealed class Supervisor(RoleSettings settings, IReadOnlyList<string> passed, TextWriter say, TimeProvider clock)
{
    public static readonly IReadOnlyList<string> RolesInOrder = ["control", "agent", "edge"];

    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CountsAsWell = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LogsEvery = TimeSpan.FromMinutes(1);

    public static string IdentityFileOf(string data) => Path.Combine(data, "supervisor.json");

    /// <summary>The supervisor of a data folder; null when none runs.</summary>
    public static ProcessIdentity? RunningOf(string data) =>
        RoleProcess.ReadIdentity(IdentityFileOf(data)) is { } identity && identity.IsAlive() ? identity : null;

    public static RoleProcess RoleOf(RoleSettings settings, string role, IReadOnlyList<string> passed) =>
        new(role, settings.Data, ["serve", "--role", role, "--data", settings.Data, .. passed]);

    /// <summary>Supervises until <paramref name="stop"/>; then everything is down.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        DurableFiles.Real.Replace(IdentityFileOf(settings.Data), JsonSerializer.Serialize(ProcessIdentity.Self, Json.Options));
        var roles = RolesInOrder.Select(r => RoleOf(settings, r, passed)).ToList();
        var watching = roles.Select(r => WatchAsync(r, stop)).ToList();
        watching.Add(CutLogsAsync(roles, stop));
        await Task.WhenAll(watching);
        foreach (var role in Enumerable.Reverse(roles))
        {
            await role.StopAsync(StopGrace, clock);
            // One that took the role over just now.
            if (role.TryAdopt())
                await role.StopAsync(StopGrace, clock);
        }
        await StopLeavingAsync(settings.Data, clock);
        DurableFiles.Real.Delete(IdentityFileOf(settings.Data));
    }

    /// <summary>
    /// Waits until every role answers; false when <paramref name="limit"/> passed first or <paramref name="isHopeless"/> says
    /// that waiting will not help.
    /// </summary>
    public static async Task<bool> ReadyAsync(RoleSettings settings, TimeSpan limit, Func<bool> isHopeless, TimeProvider clock, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(2) };
        var platform = settings.Platform;
        string[] doors =
        [
            $"http://127.0.0.1:{platform.ControlPort}/health/ready", $"http://127.0.0.1:{platform.AgentPort}/health/ready",
            $"http://127.0.0.1:{platform.EdgeStatusPort}/health/ready",
        ];
        var deadline = clock.GetUtcNow() + limit;
        while (true)
        {
            var answers = await Task.WhenAll(doors.Select(d => AnswersAsync(http, d, cancellation)));
            if (answers.All(a => a))
                return true;
            if (clock.GetUtcNow() >= deadline || isHopeless())
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(30), clock, cancellation);
        }
    }

    /// <summary>Stops edges that were replaced and still finish requests; returns whether there were any.</summary>
    public static async Task<bool> StopLeavingAsync(string data, TimeProvider clock)
    {
        var leaving = EdgeHandover.LeavingOf(Path.Combine(data, "edge"));
        foreach (var edge in leaving)
            await RoleProcess.StopAsync(edge, StopGrace, clock);
        return leaving.Count > 0;
    }

    private async Task WatchAsync(RoleProcess role, CancellationToken stop)
    {
        var backoff = FirstBackoff;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                if (role.TryAdopt())
                    await say.WriteLineAsync($"crew: the {role.Role} runs already (pid {role.Identity!.Pid})");
                else
                    await StartAsync(role);
                var started = clock.GetTimestamp();
                var (code, isSucceeded) = await role.WaitForEndAsync(clock, stop);
                if (isSucceeded)
                    continue;
                if (clock.GetElapsedTime(started) > CountsAsWell)
                    backoff = FirstBackoff;
                await SayEndAsync(role, code, backoff);
                await Task.Delay(backoff, clock, stop);
                backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopping, in order, is the caller's.
        }
    }

    /// <summary>A disk that fails now may be mended: the watch goes on.</summary>
    private async Task StartAsync(RoleProcess role)
    {
        try
        {
            role.Start();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await say.WriteLineAsync($"crew: the start of the {role.Role} could not be recorded: {e.Message}");
        }
    }

    private async Task SayEndAsync(RoleProcess role, int? code, TimeSpan backoff)
    {
        await say.WriteLineAsync($"crew: the {role.Role} ended ({(code is { } c ? $"code {c}" : "while another supervisor watched")}); starting it again in {Quantity.Format(backoff)}");
        if (code is RoleEnds.CannotStartCode or RoleEnds.PortTaken)
            foreach (var line in role.LastWords(DateTimeOffset.MinValue))
                await say.WriteLineAsync(line);
    }

    private async Task CutLogsAsync(IReadOnlyList<RoleProcess> roles, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(LogsEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                foreach (var role in roles)
                    role.CutLog();
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The way that it ends.
        }
    }

    private static async Task<bool> AnswersAsync(HttpClient http, string door, CancellationToken cancellation)
    {
        try
        {
            using var response = await http.GetAsync(door, cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or SocketException || (e is TaskCanceledException && !cancellation.IsCancellationRequested))
        {
            return false;
        }
    }
}
