using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Fleet;

/// <summary>A node as others see it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Hostname">The machine.</param>
/// <param name="Role">What it is for.</param>
/// <param name="Region">The region's code.</param>
/// <param name="State">Whether it takes new instances.</param>
/// <param name="Capacity">What it has.</param>
/// <param name="Version">Its program's version.</param>
/// <param name="LastSeen">When it was heard of last.</param>
/// <param name="Instances">How many instances it holds that are not gone.</param>
/// <param name="UsedMillicores">What they were promised.</param>
/// <param name="UsedBytes">What they were promised.</param>
public sealed record NodeInfo(
    Guid Id, string Hostname, NodeRole Role, string Region, NodeState State, NodeCapacity Capacity, string Version,
    DateTimeOffset LastSeen, int Instances, int UsedMillicores, long UsedBytes);

/// <summary>A region as others see it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Code">Its code.</param>
/// <param name="Name">Its name.</param>
/// <param name="Country">Its country.</param>
public sealed record RegionInfo(Guid Id, string Code, string Name, string? Country);

/// <summary>How removing a node ended.</summary>
public enum NodeRemoval
{
    /// <summary>It is gone.</summary>
    Removed,

    /// <summary>There is no such node.</summary>
    NotFound,

    /// <summary>It still holds instances: drain it first.</summary>
    HoldsInstances,
}

/// <summary>
/// The registry of regions and nodes, and the tasks given to each. Thread-safe. Changes happen inside the caller's
/// write transaction where one is passed; the nodes are woken after its commit.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="clock">The time.</param>
public sealed class Nodes(Store store, TimeProvider clock)
{
    /// <summary>A node that was not heard of for this long is counted as down (5.8 of the systems' facts: dead after 60 s).</summary>
    public static readonly TimeSpan DownAfter = TimeSpan.FromSeconds(60);

    /// <summary>A member that was heard of within this time is waited for.</summary>
    public static readonly TimeSpan ExpectedWithin = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan WriteLastSeenEvery = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<Guid, Presence> _presence = new();

    /// <summary>Wakes who waits for a node or an instance to come, go or change.</summary>
    public Nudge Changed { get; } = new();

    /// <summary>The platform that every node must keep to.</summary>
    public Guid Platform => store.PlatformId;

    /// <summary>Takes a node in, or finds it again by hostname and role. A region that is not known yet is made.</summary>
    public async Task<LinkWelcome> HelloAsync(LinkHello hello, CancellationToken cancellation)
    {
        var id = await store.WriteAsync(async (db, cancel) =>
        {
            if (!await db.Set<RegionRow>().AnyAsync(r => r.Code == hello.Region, cancel))
                db.Add(new RegionRow { Id = Ids.New(clock), Code = hello.Region, Name = hello.Region });
            var node = await db.Set<NodeRow>().AsTracking().SingleOrDefaultAsync(n => n.Hostname == hello.Hostname && n.Role == hello.Role, cancel);
            if (node is null)
            {
                node = new NodeRow
                {
                    Id = Ids.New(clock), Hostname = hello.Hostname, Role = hello.Role, Region = hello.Region, State = NodeState.Ready,
                    Millicores = 0, MemoryBytes = 0, Version = "", LastSeen = default, Revision = 1,
                };
                db.Add(node);
            }
            node.Region = hello.Region;
            node.Millicores = hello.Capacity.Millicores;
            node.MemoryBytes = hello.Capacity.MemoryBytes;
            node.Version = hello.Version;
            node.LastSeen = clock.GetUtcNow();
            db.AfterCommit(Changed.Set);
            return node.Id;
        }, cancellation);
        Of(id).LastSeen = clock.GetUtcNow();
        return new LinkWelcome(id, Platform);
    }

    /// <summary>Remembers that a node was heard of; written to the store every few seconds only.</summary>
    /// <returns>False when there is no such node: it has to say hello again.</returns>
    public async Task<bool> SeenAsync(Guid nodeId, CancellationToken cancellation)
    {
        var presence = Of(nodeId);
        var now = clock.GetUtcNow();
        presence.LastSeen = now;
        if ((now - presence.Written).Duration() < WriteLastSeenEvery)
            return true;
        presence.Written = now;
        var known = await store.WriteAsync(
            async (db, cancel) => await db.Set<NodeRow>().Where(n => n.Id == nodeId).ExecuteUpdateAsync(s => s.SetProperty(n => n.LastSeen, now), cancel) > 0,
            cancellation);
        if (!known)
            _presence.TryRemove(nodeId, out _);
        return known;
    }

    /// <summary>All members, workers first, by hostname.</summary>
    public Task<IReadOnlyList<NodeInfo>> ListAsync(CancellationToken cancellation) => store.ReadAsync(ListAsync, cancellation);

    /// <summary>All members, inside a transaction.</summary>
    public async Task<IReadOnlyList<NodeInfo>> ListAsync(StoreContext db, CancellationToken cancellation)
    {
        var used = await db.Set<InstanceRow>().Where(i => i.Phase != InstancePhase.Gone)
            .GroupBy(i => i.NodeId)
            .Select(g => new { g.Key, Count = g.Count(), Millicores = g.Sum(i => i.Millicores), Bytes = g.Sum(i => i.MemoryBytes) })
            .ToDictionaryAsync(g => g.Key, cancellation);
        var rows = await db.Set<NodeRow>().ToListAsync(cancellation);
        return
        [
            .. rows.OrderBy(n => n.Role).ThenBy(n => n.Hostname, StringComparer.Ordinal).Select(n =>
            {
                var use = used.GetValueOrDefault(n.Id);
                return new NodeInfo(
                    n.Id, n.Hostname, n.Role, n.Region, n.State, new NodeCapacity(n.Millicores, n.MemoryBytes), n.Version,
                    LastSeenOf(n), use?.Count ?? 0, use?.Millicores ?? 0, use?.Bytes ?? 0);
            }),
        ];
    }

    /// <summary>Whether the node is counted as down now.</summary>
    public bool IsDown(NodeInfo node) => clock.GetUtcNow() - node.LastSeen > DownAfter;

    /// <summary>Whether the node is there, so that it is worth waiting for its answer.</summary>
    public bool IsExpected(NodeInfo node) => clock.GetUtcNow() - node.LastSeen <= ExpectedWithin;

    /// <summary>Sets whether a node takes new instances; false when there is none with that id.</summary>
    public Task<bool> SetStateAsync(StoreContext db, Guid nodeId, NodeState state, CancellationToken cancellation)
    {
        db.AfterCommit(Changed.Set);
        return UpdateAsync(db, nodeId, n => n.State = state, cancellation);
    }

    /// <summary>Removes a node that holds nothing (ZW-52).</summary>
    public async Task<NodeRemoval> RemoveAsync(StoreContext db, Guid nodeId, CancellationToken cancellation)
    {
        if (await db.Set<InstanceRow>().AnyAsync(i => i.NodeId == nodeId && i.Phase != InstancePhase.Gone, cancellation))
            return NodeRemoval.HoldsInstances;
        await db.Set<InstanceRow>().Where(i => i.NodeId == nodeId).ExecuteDeleteAsync(cancellation);
        await db.Set<NodeTaskRow>().Where(t => t.NodeId == nodeId).ExecuteDeleteAsync(cancellation);
        var removed = await db.Set<NodeRow>().Where(n => n.Id == nodeId).ExecuteDeleteAsync(cancellation);
        _presence.TryRemove(nodeId, out _);
        db.AfterCommit(Changed.Set);
        return removed > 0 ? NodeRemoval.Removed : NodeRemoval.NotFound;
    }

    /// <summary>All regions by code, with the number of their workers.</summary>
    public Task<IReadOnlyList<(RegionInfo Region, int Workers)>> RegionsAsync(CancellationToken cancellation) =>
        store.ReadAsync<IReadOnlyList<(RegionInfo, int)>>(async (db, cancel) =>
        {
            var workers = await db.Set<NodeRow>().Where(n => n.Role == NodeRole.Worker).GroupBy(n => n.Region)
                .Select(g => new { g.Key, Count = g.Count() }).ToDictionaryAsync(g => g.Key, g => g.Count, cancel);
            var rows = await db.Set<RegionRow>().OrderBy(r => r.Code).ToListAsync(cancel);
            return [.. rows.Select(r => (new RegionInfo(r.Id, r.Code, r.Name, r.Country), workers.GetValueOrDefault(r.Code)))];
        }, cancellation);

    /// <summary>Adds a region (ZW-48), or names one that a node brought; null when it is there under a name already.</summary>
    public async Task<RegionInfo?> AddRegionAsync(StoreContext db, string code, string name, string? country, CancellationToken cancellation)
    {
        var row = await db.Set<RegionRow>().AsTracking().SingleOrDefaultAsync(r => r.Code == code, cancellation);
        if (row is not null && row.Name != row.Code)
            return null;
        if (row is null)
            db.Add(row = new RegionRow { Id = Ids.New(clock), Code = code, Name = name });
        (row.Name, row.Country) = (name, country);
        return new RegionInfo(row.Id, row.Code, row.Name, row.Country);
    }

    /// <summary>
    /// Gives a node a task, or a new generation of it. Without <paramref name="generation"/> the key's own counter goes on
    /// by one; with it, that number is used, and nothing happens when the node has that generation already.
    /// </summary>
    public async Task PutTaskAsync<TPayload>(
        StoreContext db, Guid nodeId, string key, string kind, TPayload payload, CancellationToken cancellation, long? generation = null)
    {
        var row = await db.Set<NodeTaskRow>().AsTracking().SingleOrDefaultAsync(t => t.NodeId == nodeId && t.Key == key, cancellation);
        if (row is not null && generation is { } given && row.Generation >= given)
            return;
        var next = generation ?? (row?.Generation ?? 0) + 1;
        var json = JsonSerializer.Serialize(payload, Json.Options);
        if (row is null)
            db.Add(new NodeTaskRow { NodeId = nodeId, Key = key, Kind = kind, Generation = next, Payload = json });
        else
            (row.Generation, row.Payload) = (next, json);
        await BumpAsync(db, nodeId, cancellation);
    }

    /// <summary>
    /// Gives a node a task, unless it has it in just this shape already: whoever does so again after a crash changes nothing.
    /// </summary>
    /// <returns>The generation that the node's report about it will carry, or a later one.</returns>
    public async Task<long> EnsureTaskAsync<TPayload>(StoreContext db, Guid nodeId, string key, string kind, TPayload payload, CancellationToken cancellation)
    {
        var row = await db.Set<NodeTaskRow>().AsTracking().SingleOrDefaultAsync(t => t.NodeId == nodeId && t.Key == key, cancellation);
        if (row is not null && row.Payload == JsonSerializer.Serialize(payload, Json.Options))
            return row.Generation;
        await PutTaskAsync(db, nodeId, key, kind, payload, cancellation);
        return (row?.Generation) ?? 1;
    }

    /// <summary>Forgets a task whose end the node confirmed.</summary>
    public static Task ForgetTaskAsync(StoreContext db, Guid nodeId, string key, CancellationToken cancellation) =>
        db.Set<NodeTaskRow>().Where(t => t.NodeId == nodeId && t.Key == key).ExecuteDeleteAsync(cancellation);

    internal Nudge WakeOf(Guid nodeId) => Of(nodeId).Wake;

    private async Task BumpAsync(StoreContext db, Guid nodeId, CancellationToken cancellation)
    {
        await UpdateAsync(db, nodeId, n => n.Revision++, cancellation);
        db.AfterCommit(() => WakeOf(nodeId).Set());
    }

    private static async Task<bool> UpdateAsync(StoreContext db, Guid nodeId, Action<NodeRow> change, CancellationToken cancellation)
    {
        var row = await db.Set<NodeRow>().AsTracking().SingleOrDefaultAsync(n => n.Id == nodeId, cancellation);
        if (row is null)
            return false;
        change(row);
        return true;
    }

    private DateTimeOffset LastSeenOf(NodeRow node) =>
        _presence.TryGetValue(node.Id, out var presence) && presence.LastSeen > node.LastSeen ? presence.LastSeen : node.LastSeen;

    private Presence Of(Guid nodeId) => _presence.GetOrAdd(nodeId, _ => new Presence());

    private sealed class Presence
    {
        public Nudge Wake { get; } = new();

        public DateTimeOffset LastSeen { get; set; }

        public DateTimeOffset Written { get; set; }
    }
}
