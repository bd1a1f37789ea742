using System.Collections.Frozen;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Deploys;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;

namespace Groundcrew.Daemon.Wiring;

/// <summary>
/// Hands sets of certificates from the link to the edge, fetches those that the edge has not, and hands the edge's word
/// back. Opening certificates and asking for them takes time, so a loop of its own does it. Thread-safe.
/// </summary>
internal sealed class CertificateTasks(EdgeCertificates certificates, ICertificateSource source, TimeProvider clock, ILogger<CertificateTasks> log) : INodeTaskHandler
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private readonly Nudge _given = new();
    private volatile Wanted? _wanted;
    private volatile string? _refusal;
    private volatile bool _isFirstTry;
    private long _attempted;

    public string Kind => CertificatesReport.Kind;

    public Nudge Changed => certificates.Changed;

    public void Apply(IReadOnlyList<NodeTask> tasks)
    {
        foreach (var task in tasks)
            _wanted = new Wanted(task.Generation, task.Payload.Deserialize<CertificateSet>(Json.Options)!);
        // Every answer of the control plane holds the task again: a set that is served whole already costs a look.
        _given.Set();
    }

    public IReadOnlyList<TaskReport> Current()
    {
        var state = certificates.State;
        // That certificates are missing which are being fetched is how it goes, and no problem yet.
        var problem = _refusal ?? (_isFirstTry ? null : state.Problem);
        var report = new CertificatesReport(state.Serving, state.Certificates, problem);
        var generation = Math.Max(Volatile.Read(ref _attempted), state.Generation);
        return [new TaskReport(CertificatesReport.Key, generation, JsonSerializer.SerializeToElement(report, Json.Options))];
    }

    /// <summary>Makes the wanted set so, again and again until it is served whole; ends only with <paramref name="stop"/>.</summary>
    /// <exception cref="OperationCanceledException">The way that it ends.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        // Off the threads that carry bytes: certificates are opened and written here.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var wait = ShortestWait;
        Wanted? last = null;
        while (true)
        {
            var next = _given.Next;
            var wanted = _wanted;
            if (wanted is not null && wanted.Set.Generation != last?.Set.Generation)
                (wait, _isFirstTry) = (ShortestWait, true);
            last = wanted;
            var isServed = wanted is null || await TryServeAsync(wanted, stop);
            if (_isFirstTry)
            {
                _isFirstTry = false;
                certificates.Changed.Set();
            }
            if (isServed)
            {
                await next.WaitAsync(stop);
                continue;
            }
            // The control plane repeats itself; only something newer makes another try worth its while before the time.
            var due = clock.GetUtcNow() + wait;
            await _given.WaitUntilAsync(_ => Task.FromResult(IsOutdated(wanted!)), due, LongestWait, clock, stop);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    private async Task<bool> TryServeAsync(Wanted wanted, CancellationToken stop)
    {
        try
        {
            return await IsServedAsync(wanted, stop);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // An edge that takes no certificate any more is found when they expire: it tells why and tries again.
            log.LogError(e, "A fault while certificates of generation {Generation} were taken; they are tried again.", wanted.Set.Generation);
            return false;
        }
    }

    private bool IsOutdated(Wanted wanted) => _wanted!.Set.Generation != wanted.Set.Generation;

    /// <summary>Whether nothing is left to do for a set: it is served whole, or refused for good.</summary>
    private async Task<bool> IsServedAsync(Wanted wanted, CancellationToken stop)
    {
        if (!Take(wanted, FrozenDictionary<Guid, KeyedCertificate>.Empty))
            return true;
        var missing = certificates.State.Missing;
        try
        {
            foreach (var ids in missing.Chunk(CertificatesQuestion.MaxIds))
            {
                var answer = await source.AskAsync(ids, stop);
                // An answer comes on a thread that carries bytes.
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                Take(wanted, answer.Where(m => m is { Chain: not null, Key: not null }).DistinctBy(m => m.Id).ToDictionary(m => m.Id, m => new KeyedCertificate(m.Chain, m.Key)));
                if (IsOutdated(wanted))
                    break;
            }
        }
        catch (IOException e)
        {
            log.LogWarning("{Count} certificates of generation {Generation} could not be fetched: {Reason}", certificates.State.Missing.Count, wanted.Set.Generation, e.Message);
            return false;
        }
        var state = certificates.State;
        if (state.Serving == wanted.Set.Generation)
            return true;
        log.LogWarning("Certificates of generation {Generation} are not served whole: {Problem}", wanted.Set.Generation, state.Problem);
        return false;
    }

    /// <summary>False when the edge refuses the set.</summary>
    private bool Take(Wanted wanted, IReadOnlyDictionary<Guid, KeyedCertificate> fetched)
    {
        var problem = EdgeTasks.RefusalOf(certificates.Apply(wanted.Set, fetched));
        Volatile.Write(ref _attempted, wanted.Generation);
        if (_refusal != problem)
        {
            _refusal = problem;
            certificates.Changed.Set();
            if (problem is not null)
                log.LogWarning("Certificates of generation {Generation} were not applied: {Problem}", wanted.Set.Generation, problem);
        }
        return problem is null;
    }

    /// <param name="Generation">Of the task.</param>
    /// <param name="Set">Its payload.</param>
    private sealed record Wanted(long Generation, CertificateSet Set);
}
