using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

/// <summary>What stops and starts services, and keeps what it was asked.</summary>
internal sealed class SeenClients : IDatabaseClients
{
    public List<string> Asked { get; } = [];

    /// <summary>Why renewing fails; null when it does not.</summary>
    public string? RenewFails { get; set; }

    public Task<IReadOnlyList<string>> ListAsync(string org, IReadOnlyCollection<string> secrets, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<string>>([$"{org}/web in production"]);

    public Task<string?> StopAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation) => Note("stop", null);

    public Task<string?> StartAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation) => Note("start", null);

    public Task<string?> RenewAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation) => Note("renew", RenewFails);

    private Task<string?> Note(string what, string? why)
    {
        lock (Asked)
            Asked.Add(what);
        return Task.FromResult(why);
    }
}

/// <summary>A control plane over a store of its own, with one node that answers by word alone.</summary>
internal sealed class ControlWorld : IAsyncDisposable
{
    public static readonly Actor Admin = new("1", "ops", Role.Admin, null);
    private readonly TempFolder _folder = new();
    private readonly Store _store;
    private ServiceProvider _services = null!;

    private ControlWorld(Store store) => _store = store;

    public SeenSignals Signals { get; } = new();

    public SeenClients Clients { get; } = new();

    public FakeNode Node { get; private set; } = null!;

    public string Storage => _folder["backups"];

    public DatabasesOptions Options { get; private set; } = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<ControlWorld> BuildAsync(Func<DatabasesOptions, DatabasesOptions>? change = null)
    {
        var folder = Directory.CreateTempSubdirectory("gc-control-").FullName;
        var opened = await Store.OpenAsync(new StoreOptions { Folder = folder }, [new FleetTables(), new DatabasesTables()], TimeProvider.System, Ct);
        var world = new ControlWorld(opened.Value ?? throw new InvalidOperationException(string.Join("; ", opened.Problems)));
        var options = new DatabasesOptions { BackupUrl = world.Storage, LookEvery = TimeSpan.FromMilliseconds(50) };
        world.Options = change?.Invoke(options) ?? options;
        world.Compose();
        var welcome = await world.Get<Nodes>().HelloAsync(new LinkHello("w1", NodeRole.Worker, "local", new NodeCapacity(8000, 8L << 30), "test"), Ct);
        world.Node = new FakeNode(welcome.NodeId, world.Get<Link>(), world.Get<Instances>(), world.Storage);
        world.Node.Start();
        await world.Get<Operations>().StartAsync(Ct);
        return world;
    }

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public Task<string> LoopAsync(string name) => _services.GetServices<ILoop>().Single(l => l.Name == name).RunAsync(Ct);

    public async Task<OperationView> EndAsync(DatabaseAnswer answer)
    {
        var accepted = Assert.IsType<DatabaseAnswer.Accepted>(answer);
        return (await Get<Operations>().WaitForEndAsync(accepted.Operation.Id, Ct))!;
    }

    public async Task<OperationView> SucceedAsync(DatabaseAnswer answer)
    {
        var ended = await EndAsync(answer);
        Assert.True(ended.Outcome == OutcomeKind.Succeeded, $"{ended.Kind}: {ended.Outcome} {ended.Why}");
        return ended;
    }

    /// <summary>Makes <c>acme/main</c>.</summary>
    public async Task<DatabaseInfo> CreateAsync(Func<DatabaseSettings, DatabaseSettings>? change = null)
    {
        var settings = Get<Databases>().Beginning;
        await SucceedAsync(await Get<Databases>().CreateAsync(new CreateDatabase("acme", "main", change?.Invoke(settings) ?? settings, null, null, null, null), Admin, Ct));
        return await InfoAsync();
    }

    public async Task<DatabaseInfo> InfoAsync(string name = "main") => (await Get<Databases>().FindAsync("acme", name, Ct))!;

    /// <summary>Ends the control plane as its process would end, and makes another over the same store; the node says everything again.</summary>
    public async Task RestartAsync()
    {
        await Node.DisposeAsync();
        await Get<Operations>().DisposeAsync();
        await _services.DisposeAsync();
        Compose();
        var welcome = await Get<Nodes>().HelloAsync(new LinkHello("w1", NodeRole.Worker, "local", new NodeCapacity(8000, 8L << 30), "test"), Ct);
        var before = Node;
        Node = new FakeNode(welcome.NodeId, Get<Link>(), Get<Instances>(), Storage) { OfServer = before.OfServer, OfJob = before.OfJob, OfArchive = before.OfArchive };
        Node.Start();
        await Get<Operations>().StartAsync(Ct);
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        await Get<Operations>().DisposeAsync();
        await _services.DisposeAsync();
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    private void Compose()
    {
        var collection = new ServiceCollection();
        collection.AddSingleton(_store).AddSingleton(TimeProvider.System).AddSingleton(SealedBox.Open(_folder["seal.key"], DurableFiles.Real));
        collection.AddSingleton<ISignals>(Signals).AddSingleton<MetricRegistry>().AddSingleton<Audit>().AddSingleton<SecretStore>();
        collection.AddSingleton(new Operations(_store, Signals, TimeProvider.System, NullLogger<Operations>.Instance, null, new OperationsOptions { Backoff = TimeSpan.Zero }));
        collection.AddFleet();
        collection.AddSingleton(Options).AddSingleton<IDatabaseClients>(Clients).AddDatabases();
        _services = collection.BuildServiceProvider();
        _services.RegisterDatabaseOperations();
    }
}
