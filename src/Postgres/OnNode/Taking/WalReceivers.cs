using System.Collections.Concurrent;

namespace Groundcrew.Postgres.OnNode;

/// <summary>The receivers of a node, by the server that they receive from. Thread-safe.</summary>
internal sealed class WalReceivers : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Guid, WalReceiver> _receivers = new();

    /// <summary>The receiver of a server; null when it has none.</summary>
    public WalReceiver? Find(Guid serverId) => _receivers.GetValueOrDefault(serverId);

    /// <summary>Starts a receiver and keeps it, in place of the one that the server had, which is ended first.</summary>
    public async Task StartAsync(Guid serverId, WalReceiver receiver)
    {
        await StopAsync(serverId);
        _receivers[serverId] = receiver;
        receiver.Start();
    }

    /// <summary>Ends the receiver of a server; at once when it has none.</summary>
    public async Task StopAsync(Guid serverId)
    {
        if (_receivers.TryRemove(serverId, out var receiver))
            await receiver.DisposeAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var serverId in _receivers.Keys)
            await StopAsync(serverId);
    }
}
