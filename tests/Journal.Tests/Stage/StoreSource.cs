using Groundcrew.Tests.Support;

namespace Groundcrew.Journal.Tests;

/// <summary>Where a compliance test gets its empty stores from: one implementation for each engine.</summary>
public abstract class StoreSource : IDisposable
{
    public TempFolder Folder { get; } = new();

    public abstract Task<StoreOptions> NewAsync();

    public void Dispose()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    public static async Task<Store> OpenAsync(StoreOptions options, IReadOnlyList<IStorePart>? parts = null, TimeProvider? clock = null)
    {
        var opened = await Store.OpenAsync(options, parts ?? [], clock ?? TimeProvider.System);
        return opened.Value ?? throw new InvalidOperationException(string.Join("; ", opened.Problems));
    }
}

public sealed class SqliteSource : StoreSource
{
    private int _made;

    public override Task<StoreOptions> NewAsync() => Task.FromResult(new StoreOptions { Folder = Folder[$"control-{++_made}"] });
}

public sealed class PostgresSource(PostgresServer server) : StoreSource
{
    public override async Task<StoreOptions> NewAsync() => new() { Folder = Folder["control"], Connection = await server.NewDatabaseAsync() };
}

/// <summary>A store of one test, with what most tests need around it.</summary>
public abstract class StoreTests(StoreSource source) : Xunit.IAsyncLifetime
{
    protected static CancellationToken Ct => Xunit.TestContext.Current.CancellationToken;

    protected static Actor Ann { get; } = new("ann-id", "ann", Role.Admin, null);

    protected StoreSource Source { get; } = source;

    protected ManualClock Clock { get; } = new();

    protected StoreOptions Options { get; private set; } = null!;

    protected Store Store { get; set; } = null!;

    protected virtual IReadOnlyList<IStorePart> Parts => [];

    public async ValueTask InitializeAsync()
    {
        Options = await Source.NewAsync();
        Store = await StoreSource.OpenAsync(Options, Parts, Clock);
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        Source.Dispose();
        GC.SuppressFinalize(this);
    }
}
