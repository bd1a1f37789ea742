using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Groundcrew.Journal;

/// <summary>
/// The control plane's memory: one database that every room adds its tables to. What a write has returned from is on
/// disk (invariant 8). Thread-safe; disposed once, by who opened it.
/// </summary>
public sealed class Store : IAsyncDisposable
{
    private const int MaxAttempts = 20;
    private readonly DatabaseEngine _engine;
    private readonly PooledDbContextFactory<StoreContext> _contexts;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _writers;
    private readonly int _maxWaiting;
    private readonly AsyncLocal<bool> _insideWrite = new();
    private int _waiting;

    private Store(DatabaseEngine engine, IReadOnlyList<IStorePart> parts, StoreOptions options, TimeProvider clock)
    {
        (_engine, _clock, _maxWaiting) = (engine, clock, options.MaxWaitingWrites);
        _writers = new SemaphoreSlim(engine.Writers, engine.Writers);
        var builder = new DbContextOptionsBuilder<StoreContext>();
        engine.Configure(builder);
        ((IDbContextOptionsBuilderInfrastructure)builder).AddOrUpdateExtension(new StoreParts(parts));
        builder.ReplaceService<IModelCacheKeyFactory, PartsModelKey>();
        builder.ConfigureWarnings(w => w.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning));
        _contexts = new PooledDbContextFactory<StoreContext>(builder.Options, poolSize: 64);
    }

    /// <summary>The id of this control plane, made when the store was first opened.</summary>
    public Guid PlatformId { get; private set; }

    /// <summary>The engine.</summary>
    public StoreEngine Engine => _engine.Kind;

    /// <summary>
    /// Opens the store, making it at the first start: checks that the file is whole and writable, and migrates it.
    /// The parts are the rooms', in the order in which their tables refer to each other; the journal's own come first.
    /// A store that cannot be used is refused with what to do about it.
    /// </summary>
    public static async Task<Judged<Store>> OpenAsync(
        StoreOptions options, IReadOnlyList<IStorePart> parts, TimeProvider clock, CancellationToken cancellation = default)
    {
        IReadOnlyList<IStorePart> all = [new JournalPart(), .. parts];
        PartRules.Check(all);
        DatabaseEngine engine;
        if (options.Connection is { } connection)
        {
            var parsed = PostgreSqlEngine.Parse(connection);
            if (parsed.Value is null)
                return Judged<Store>.Bad(parsed.Problems);
            engine = parsed.Value;
        }
        else
        {
            engine = new SqliteEngine(options.Folder);
        }
        return await OpenAsync(engine, all, options, clock, cancellation);
    }

    /// <summary>
    /// Reads a consistent snapshot. Entities are not tracked; nothing may be written. The delegate may not keep the context.
    /// </summary>
    /// <exception cref="StoreFailedException">The database failed.</exception>
    public async Task<T> ReadAsync<T>(Func<StoreContext, CancellationToken, Task<T>> read, CancellationToken cancellation = default)
    {
        try
        {
            await using var db = await _contexts.CreateDbContextAsync(cancellation);
            db.BeginUse(writing: false);
            await db.Database.OpenConnectionAsync(cancellation);
            await using var transaction = await _engine.BeginReadAsync(db.Database.GetDbConnection(), cancellation);
            await db.Database.UseTransactionAsync(transaction, cancellation);
            var result = await read(db, cancellation);
            await transaction.CommitAsync(cancellation);
            return result;
        }
        catch (Exception e) when (_engine.Explain(e) is { } problem && e is not StoreFailedException)
        {
            throw new StoreFailedException(problem, e);
        }
    }

    /// <summary>
    /// Writes in one transaction that is on disk when this returns. Tracked changes are saved for the delegate. It may be
    /// run again when it loses a race, so it must have no effect but the database's; what is to happen afterwards goes
    /// to <see cref="StoreContext.AfterCommit"/>. Whoever needs a value to be unique looks first, inside the same write.
    /// </summary>
    /// <exception cref="StoreBusyException">Too many writes wait.</exception>
    /// <exception cref="StoreFailedException">The database failed; nothing was committed.</exception>
    public async Task<T> WriteAsync<T>(Func<StoreContext, CancellationToken, Task<T>> write, CancellationToken cancellation = default)
    {
        if (_insideWrite.Value)
            throw new InvalidOperationException("A write inside a write would wait for itself: use the context that was given.");
        await WaitForTurnAsync(cancellation);
        (T Result, IReadOnlyList<Action> Then) done;
        try
        {
            done = await WriteWithRetriesAsync(write, cancellation);
        }
        finally
        {
            _writers.Release();
        }
        foreach (var action in done.Then)
            action();
        return done.Result;
    }

    /// <summary>As <see cref="WriteAsync{T}"/>, without a result.</summary>
    public Task WriteAsync(Func<StoreContext, CancellationToken, Task> write, CancellationToken cancellation = default) =>
        WriteAsync(async (db, token) =>
        {
            await write(db, token);
            return true;
        }, cancellation);

    /// <summary>
    /// Copies the store to a file while it is in use; the copy is checked before it replaces what was there.
    /// Refused on PostgreSQL, which has its own backups.
    /// </summary>
    public Task<Judged<StoreBackup>> BackupAsync(string file, CancellationToken cancellation = default) =>
        _engine.BackupAsync(file, DurableFiles.Real, _clock, cancellation);

    /// <summary>What the store is, for the status page.</summary>
    public Task<StoreState> StateAsync(CancellationToken cancellation = default) => ReadAsync(async (db, token) =>
    {
        var applied = await db.Set<MigrationRow>().Select(m => new { m.Room, m.Number }).ToListAsync(token);
        var schema = applied.GroupBy(m => m.Room, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Max(m => m.Number), StringComparer.Ordinal);
        return new StoreState(_engine.Kind, _engine.Place, await _engine.SizeAsync(db, token), schema, PlatformId);
    }, cancellation);

    /// <summary>Closes the connections. Nobody may read or write any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _writers.Dispose();
    }

    private static async Task<Judged<Store>> OpenAsync(
        DatabaseEngine engine, IReadOnlyList<IStorePart> parts, StoreOptions options, TimeProvider clock, CancellationToken cancellation)
    {
        Store? opened = null;
        try
        {
            await engine.PrepareAsync(cancellation);
            var problems = await new Migrator(engine, parts, clock).RunAsync(cancellation);
            if (problems.Count > 0)
                return Judged<Store>.Bad(problems);
            var store = new Store(engine, parts, options, clock);
            store.PlatformId = await store.WriteAsync((db, token) => PlatformRow.OpenedAsync(db, clock, token), cancellation);
            return Judged<Store>.Good(opened = store);
        }
        catch (StoreFailedException e)
        {
            return Judged<Store>.Bad([e.Problem]);
        }
        catch (Exception e) when (engine.ExplainOpening(e) is { } problem)
        {
            return Judged<Store>.Bad([problem]);
        }
        finally
        {
            if (opened is null)
                await engine.DisposeAsync();
        }
    }

    private async Task WaitForTurnAsync(CancellationToken cancellation)
    {
        var waiting = Interlocked.Increment(ref _waiting);
        try
        {
            if (waiting > _maxWaiting)
                throw new StoreBusyException(_maxWaiting);
            await _writers.WaitAsync(cancellation);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private async Task<(T Result, IReadOnlyList<Action> Then)> WriteWithRetriesAsync<T>(
        Func<StoreContext, CancellationToken, Task<T>> write, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await WriteOnceAsync(write, cancellation);
            }
            catch (Exception e) when (attempt < MaxAttempts && _engine.LostRace(e))
            {
                // Random, so that two that met do not meet again; real time, for it is about the database's own pace.
                var pause = Random.Shared.Next(1, Math.Min(10 * attempt, 100));
                await Task.Delay(TimeSpan.FromMilliseconds(pause), TimeProvider.System, cancellation);
            }
            catch (Exception e) when (_engine.Explain(e) is { } problem)
            {
                throw new StoreFailedException(problem, e);
            }
        }
    }

    private async Task<(T Result, IReadOnlyList<Action> Then)> WriteOnceAsync<T>(
        Func<StoreContext, CancellationToken, Task<T>> write, CancellationToken cancellation)
    {
        await using var db = await _contexts.CreateDbContextAsync(cancellation);
        db.BeginUse(writing: true);
        try
        {
            await db.Database.OpenConnectionAsync(cancellation);
            await using var transaction = await _engine.BeginWriteAsync(db.Database.GetDbConnection(), cancellation);
            await db.Database.UseTransactionAsync(transaction, cancellation);
            _insideWrite.Value = true;
            var result = await write(db, cancellation);
            await db.SaveChangesAsync(cancellation);
            // From here the outcome is the disk's: a cancellation now would leave the caller not knowing it.
            await transaction.CommitAsync(CancellationToken.None);
            return (result, db.EndUse());
        }
        finally
        {
            _insideWrite.Value = false;
            db.EndUse();
        }
    }
}
