using System.Net;
using Microsoft.Extensions.Hosting;

namespace Groundcrew.Edge;

/// <summary>
/// Asks the targets of routes with a <see cref="ProbePolicy"/> how they are, from here: what an agent sees beside its
/// instance is not what a client sees through the edge. At most <see cref="AtOnce"/> questions at once; the others wait
/// for the next look.
/// </summary>
internal sealed class Probing(EdgeTable table, TimeProvider clock) : IHostedService, IDisposable
{
    private const int AtOnce = 64;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<TargetState, Watched> _watched = [];
    private Task _running = Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _running = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(cancellationToken);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _http.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                Look(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await Task.WhenAll(_watched.Values.Select(w => w.Asking));
        }
    }

    private void Look(CancellationToken stop)
    {
        var now = table.Probed();
        foreach (var gone in _watched.Keys.Where(t => !now.ContainsKey(t)).ToList())
            _watched.Remove(gone);
        var asking = _watched.Values.Count(w => !w.Asking.IsCompleted);
        foreach (var (target, policy) in now)
        {
            if (!_watched.TryGetValue(target, out var watched))
                _watched.Add(target, watched = new Watched());
            if (!watched.Asking.IsCompleted || asking >= AtOnce || (watched.AskedAt is { } at && clock.GetElapsedTime(at) < policy.Period))
                continue;
            (watched.AskedAt, asking) = (clock.GetTimestamp(), asking + 1);
            watched.Asking = AskAsync(target, policy, watched, stop);
        }
    }

    private async Task AskAsync(TargetState target, ProbePolicy policy, Watched watched, CancellationToken stop)
    {
        // Without an answer to give, for want of room here, nothing is said of the target.
        if (await IsWellAsync(target, policy, stop) is not { } isWell || stop.IsCancellationRequested)
            return;
        (watched.Good, watched.Bad) = isWell ? (watched.Good + 1, 0) : (0, watched.Bad + 1);
        if (watched.Good >= policy.Successes)
            target.Probed(isWell: true);
        else if (watched.Bad >= policy.Failures)
            target.Probed(isWell: false);
    }

    private async Task<bool?> IsWellAsync(TargetState target, ProbePolicy policy, CancellationToken stop)
    {
        using var timer = new CancellationTokenSource(policy.Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, stop);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, target.Prefix + policy.Path);
            using var response = await _http.SendAsync(request, either.Token);
            return response.StatusCode is >= HttpStatusCode.OK and < HttpStatusCode.BadRequest;
        }
        catch (HttpRequestException e) when (Scarcity.IsIn(e.InnerException as System.Net.Sockets.SocketException))
        {
            return null;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return false;
        }
    }

    private sealed class Watched
    {
        public Task Asking { get; set; } = Task.CompletedTask;

        public long? AskedAt { get; set; }

        public int Good { get; set; }

        public int Bad { get; set; }
    }
}
