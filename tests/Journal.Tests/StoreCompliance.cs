using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Journal.Tests;

/// <summary>What every engine of the store must do.</summary>
public abstract class StoreCompliance(StoreSource source) : StoreTests(source)
{
    protected override IReadOnlyList<IStorePart> Parts => [new ThingsPart()];

    [Fact]
    public async Task Every_type_comes_back_as_it_was_written()
    {
        var owner = Ids.New(Clock);
        var at = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.FromHours(2)).AddTicks(1_234_560);
        await Store.WriteAsync((db, _) =>
        {
            db.Add(new Thing
            {
                Name = "é", OwnerId = owner, Count = long.MaxValue, Small = -3, Ratio = 0.1, IsOn = true, Bytes = [0, 255], SeenAt = at,
                Lasts = TimeSpan.FromMilliseconds(1.5), State = OperationState.Undoing,
            });
            return Task.CompletedTask;
        }, Ct);
        var thing = await Store.ReadAsync((db, token) => db.Set<Thing>().SingleAsync(t => t.OwnerId == owner && t.IsOn && t.State == OperationState.Undoing && t.SeenAt <= at, token), Ct);
        Assert.Equal(("é", long.MaxValue, (int?)-3, 0.1), (thing.Name, thing.Count, thing.Small, thing.Ratio));
        Assert.Equal([0, 255], thing.Bytes!);
        Assert.Equal(at.ToUniversalTime(), thing.SeenAt);
        Assert.Equal(TimeSpan.FromMilliseconds(1.5), thing.Lasts);
    }

    [Fact]
    public async Task A_write_that_throws_leaves_nothing_and_runs_no_after_commit_action()
    {
        var nudged = false;
        await Assert.ThrowsAsync<InvalidDataException>(() => Store.WriteAsync(async (db, token) =>
        {
            db.Add(new Thing { Name = "lost" });
            await db.SaveChangesAsync(token);
            db.AfterCommit(() => nudged = true);
            throw new InvalidDataException("no");
        }, Ct));
        Assert.False(nudged);
        Assert.Equal(0, await CountAsync());
    }

    [Fact]
    public async Task After_commit_actions_see_what_was_committed()
    {
        var seen = -1;
        await Store.WriteAsync((db, _) =>
        {
            db.Add(new Thing { Name = "one" });
            db.AfterCommit(() => seen = CountAsync().GetAwaiter().GetResult());
            return Task.CompletedTask;
        }, Ct);
        Assert.Equal(1, seen);
    }

    [Fact]
    public async Task Writes_that_read_first_never_lose_an_update()
    {
        await AddAsync("counter");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < 5; i++)
                await Store.WriteAsync(async (db, token) => (await db.Set<Thing>().SingleAsync(token)).Count++, Ct);
        }, Ct)));
        Assert.Equal(40, await Store.ReadAsync((db, token) => db.Set<Thing>().Select(t => t.Count).SingleAsync(token), Ct));
    }

    [Fact]
    public async Task A_read_sees_one_snapshot_while_others_write()
    {
        await AddAsync("first");
        await Store.ReadAsync(async (db, token) =>
        {
            var before = await db.Set<Thing>().CountAsync(token);
            await Task.Run(() => AddAsync("second"), token);
            Assert.Equal(before, await db.Set<Thing>().CountAsync(token));
            return true;
        }, Ct);
        Assert.Equal(2, await CountAsync());
    }

    [Fact]
    public async Task A_write_inside_a_write_is_refused_rather_than_waiting_for_itself()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() => Store.WriteAsync((_, _) => AddAsync("inner"), Ct));
        await AddAsync("later");
    }

    [Fact]
    public async Task Waiting_writes_are_bounded()
    {
        await Store.DisposeAsync();
        var store = Store = await StoreSource.OpenAsync(Options with { MaxWaitingWrites = 2 }, Parts, Clock);
        var (inside, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        var entered = 0;
        // More than the engine lets in at once: the rest waits.
        var writes = new List<Task>();
        var refused = 0;
        for (var i = 0; i < 40; i++)
        {
            writes.Add(Task.Run(async () =>
            {
                try
                {
                    await store.WriteAsync(async (_, _) =>
                    {
                        Interlocked.Increment(ref entered);
                        inside.TrySetResult();
                        await go.Task;
                    }, Ct);
                }
                catch (StoreBusyException)
                {
                    Interlocked.Increment(ref refused);
                }
            }, Ct));
        }
        await inside.Task;
        await Eventually.TrueAsync(() => refused > 0 && entered + refused >= 40 - 2, "the queue is full and further writes are refused");
        go.SetResult();
        await Task.WhenAll(writes);
        Assert.Equal(40, entered + refused);
    }

    [Fact]
    public async Task A_read_changes_nothing()
    {
        await AddAsync("one");
        await Assert.ThrowsAsync<InvalidOperationException>(() => Store.ReadAsync(async (db, token) =>
        {
            db.Add(new Thing { Name = "two" });
            return await db.SaveChangesAsync(token);
        }, Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => Store.ReadAsync((db, _) =>
        {
            db.AfterCommit(() => { });
            return Task.FromResult(0);
        }, Ct));
        Assert.Equal(1, await CountAsync());
    }

    [Fact]
    public async Task The_platform_id_is_made_once()
    {
        var id = Store.PlatformId;
        await Store.DisposeAsync();
        Store = await StoreSource.OpenAsync(Options, Parts, Clock);
        Assert.Equal(id, Store.PlatformId);
        Assert.NotEqual(Guid.Empty, id);
    }

    [Fact]
    public async Task The_state_names_engine_schema_and_size()
    {
        var state = await Store.StateAsync(Ct);
        Assert.Equal(Store.Engine, state.Engine);
        Assert.Equal(2, state.Schema["things"]);
        Assert.Equal(new JournalPart().Migrations.Count, state.Schema["journal"]);
        Assert.True(state.SizeBytes > 0);
    }

    [Fact]
    public async Task A_store_that_a_newer_program_changed_is_refused()
    {
        await Store.DisposeAsync();
        var opened = await Store.OpenAsync(Options, [new OlderThings()], Clock, Ct);
        Assert.Null(opened.Value);
        var problem = Assert.Single(opened.Problems);
        Assert.Equal(("store-newer-schema", "things/2"), (problem.Code, problem.Path));
    }

    [Fact]
    public async Task A_room_that_the_program_does_not_know_is_refused_too()
    {
        await Store.DisposeAsync();
        var opened = await Store.OpenAsync(Options, [], Clock, Ct);
        Assert.Equal(["store-newer-schema", "store-newer-schema"], opened.Problems.Select(p => p.Code));
    }

    [Fact]
    public async Task A_migration_that_was_changed_afterwards_is_refused()
    {
        await Store.DisposeAsync();
        var opened = await Store.OpenAsync(Options, [new ChangedThings()], Clock, Ct);
        Assert.Equal("store-changed-migration", Assert.Single(opened.Problems).Code);
    }

    [Fact]
    public async Task A_migration_that_fails_leaves_the_store_as_it_was()
    {
        await Store.DisposeAsync();
        var problem = Assert.Single((await Store.OpenAsync(Options, [new BrokenThings()], Clock, Ct)).Problems);
        Assert.Equal(("store-migration-failed", "things/3"), (problem.Code, problem.Path));
        Store = await StoreSource.OpenAsync(Options, Parts, Clock);
        Assert.Equal(2, (await Store.StateAsync(Ct)).Schema["things"]);
    }

    [Fact]
    public async Task The_migrated_schema_is_what_the_model_says()
    {
        var (model, actual) = await Store.ReadAsync(async (db, token) => (SchemaReader.OfModel(db), await SchemaReader.OfDatabaseAsync(db, Store.Engine, token)), Ct);
        Assert.Equal(model, actual);
        Assert.Contains(model, line => line.StartsWith("operations.created_at bigint not null", StringComparison.Ordinal));
    }

    protected Task AddAsync(string name) => Store.WriteAsync((db, _) =>
    {
        db.Add(new Thing { Name = name });
        return Task.CompletedTask;
    }, Ct);

    protected Task<int> CountAsync() => Store.ReadAsync((db, token) => db.Set<Thing>().CountAsync(token), Ct);

    private abstract class Variant(Func<IReadOnlyList<Migration>, IReadOnlyList<Migration>> change) : IStorePart
    {
        public string Room => "things";

        public IReadOnlyList<Migration> Migrations { get; } = change(new ThingsPart().Migrations);

        public void Configure(ModelBuilder model) => new ThingsPart().Configure(model);
    }

    private sealed class OlderThings() : Variant(all => [all[0]]);

    private sealed class ChangedThings() : Variant(all => [all[0], all[1] with { Sql = all[1].Sql + " " }]);

    private sealed class BrokenThings() : Variant(all => [.. all, new Migration(3, "broken", "CREATE TABLE more (a bigint); CREATE TABLE things (a bigint)")]);
}

public sealed class StoreOnSqlite() : StoreCompliance(new SqliteSource());

public sealed class StoreOnPostgreSql(PostgresServer server) : StoreCompliance(new PostgresSource(server));
