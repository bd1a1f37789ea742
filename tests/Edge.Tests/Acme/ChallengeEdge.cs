using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Edge.Acme;

namespace Groundcrew.Edge.Tests;

/// <summary>An edge that shows the answers that were published, on the ports where Pebble looks.</summary>
internal sealed class ChallengeEdge(bool silent) : IAcmeChallenges, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, AcmeChallenge> _byPath = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, X509Certificate2> _byName = new(StringComparer.Ordinal);
    private ChallengePorts? _ports;

    /// <summary>What was published and not withdrawn.</summary>
    public int Shown => _byPath.Count + _byName.Count;

    public ConcurrentQueue<string> Published { get; } = [];

    public ConcurrentQueue<string> Withdrawn { get; } = [];

    /// <summary>The names that were asked for under the protocol of challenges.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    /// <param name="pebble">Who looks.</param>
    /// <param name="silent">Whether it shows nothing of what it is told to publish.</param>
    public static async Task<ChallengeEdge> StartAsync(Pebble pebble, bool silent = false)
    {
        var edge = new ChallengeEdge(silent);
        edge._ports = await ChallengePorts.StartAsync(
            pebble,
            (host, path) => edge._byPath.TryGetValue(path, out var challenge) && host == challenge.Name ? challenge.KeyAuthorization : null,
            edge._byName.GetValueOrDefault, () => edge.Asked.Enqueue("acme-tls/1"));
        return edge;
    }

    public Task PublishAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Published.Enqueue(challenge.Name);
        if (silent)
            return Task.CompletedTask;
        if (challenge.Kind == AcmeChallengeKind.Http01)
            _byPath[challenge.HttpPath] = challenge;
        else
            _byName[challenge.Name] = TlsAlpnChallenge.Certificate(challenge.Name, challenge.KeyAuthorization, TimeProvider.System);
        return Task.CompletedTask;
    }

    public Task WithdrawAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Withdrawn.Enqueue(challenge.Name);
        _byPath.TryRemove(challenge.HttpPath, out _);
        _byName.TryRemove(challenge.Name, out _);
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => _ports!.DisposeAsync();
}
