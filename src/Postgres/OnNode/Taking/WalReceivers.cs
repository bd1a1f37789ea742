using System.Collections.Concurrent;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>The receivers of a node, by the server that they receive from. Thread-safe.</summary>
/// <param name="metrics">Where their figures go.</param>
/// <param name="clock">Tells time.</param>
/// <param name="gapFound">Called with the server's id for every range of its log that is lost for the archive: a new base backup is needed. Quick, and never throws.</param>
internal sealed class WalReceivers(MetricRegistry metrics, TimeProvider clock, Action<Guid, WalGap>? gapFound = null) : IArchiveKeeper, IAsyncDisposable
{
    private readonly ConcurrentDictionary<Guid, Kept> _kept = new();

    /// <summary>The receiver of a server; null when it has none.</summary>
    public WalReceiver? Find(Guid serverId) => _kept.GetValueOrDefault(serverId)?.Receiver;

    /// <inheritdoc/>
    public void Keep(NodeServer server, IReadOnlyDictionary<string, Secret> secrets)
    {
        if (server.Spec.Archive is not { } archive)
            return;
        var wish = new Wish(
            server.Spec.Name, server.Spec.Version, server.Server.Options.SocketFolder, server.Server.Options.Port, archive,
            secrets.GetValueOrDefault(ClusterSecrets.Storage), archive.IsEncrypted ? secrets.GetValueOrDefault(ClusterSecrets.BackupKey) : null);
        _kept.GetOrAdd(server.Spec.ServerId, id => new(metrics, clock, gap => gapFound?.Invoke(id, gap))).Want(wish);
    }

    /// <inheritdoc/>
    public async Task LeaveAsync(Guid serverId)
    {
        if (_kept.TryRemove(serverId, out var kept))
            await kept.DisposeAsync();
    }

    /// <inheritdoc/>
    public ArchiveStatus? StatusOf(Guid serverId) => _kept.GetValueOrDefault(serverId)?.Status;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await Task.WhenAll(_kept.Keys.Select(LeaveAsync));

    /// <summary>All that a receiver is made of; another wish is another receiver.</summary>
    private sealed record Wish(string Cluster, int Version, string SocketFolder, int Port, ArchiveSpec Archive, Secret? Credentials, Secret? Key);

    /// <summary>The receiver of one server. Changes are made one after the other, in the background.</summary>
    private sealed class Kept(MetricRegistry metrics, TimeProvider clock, Action<WalGap> gapFound) : IAsyncDisposable
    {
        private readonly Lock _gate = new();
        private Wish? _wish;
        private bool _isOver;
        private Task _changing = Task.CompletedTask;
        private volatile WalReceiver? _receiver;
        private IBackupStorage? _storage;
        private volatile string? _problem;

        public WalReceiver? Receiver => _receiver;

        public ArchiveStatus? Status => _receiver?.Status ?? (_problem is { } problem ? new(default, default, null, problem, []) : null);

        public void Want(Wish wish)
        {
            lock (_gate)
            {
                if (_isOver || (wish == _wish && _problem is null))
                    return;
                _wish = wish;
                _changing = ChangeAsync(_changing, wish);
            }
        }

        public async ValueTask DisposeAsync()
        {
            Task changing;
            lock (_gate)
            {
                _isOver = true;
                changing = _changing = ChangeAsync(_changing, null);
            }
            await changing;
        }

        private async Task ChangeAsync(Task before, Wish? wish)
        {
            await before;
            if (_receiver is { } receiver)
                await receiver.DisposeAsync();
            _receiver = null;
            _storage?.Dispose();
            _storage = null;
            if (wish is not null)
                await Task.Run(() => Begin(wish));
        }

        private void Begin(Wish wish)
        {
            try
            {
                if (wish.Archive.IsEncrypted && wish.Key is null)
                    throw new IOException("The archive is to be encrypted, and the cluster has no backup key.");
                _storage = BackupStorages.Open(wish.Archive.Storage, wish.Credentials, clock);
                _receiver = new(
                    new()
                    {
                        Cluster = wish.Cluster, Version = wish.Version, Server = ReplicationTarget.Local(wish.SocketFolder, wish.Port),
                        FlushEvery = wish.Archive.FlushEvery, IsSynchronous = wish.Archive.IsSynchronous,
                    },
                    new(_storage, wish.Archive.Compression, wish.Key), metrics, clock, gapFound);
                _receiver.Start();
                _problem = null;
            }
            catch (IOException e)
            {
                // Tried again when the server is asked to be kept the next time, which is often.
                _problem = $"The log is not archived: {e.Message}";
            }
        }
    }
}
