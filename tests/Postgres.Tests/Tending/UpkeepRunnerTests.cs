using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Tending;

/// <summary>Upkeep on a real server.</summary>
public sealed class UpkeepRunnerTests(TendedServer server) : IClassFixture<TendedServer>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tables_are_vacuumed_the_worst_first_and_those_that_need_nothing_are_left_alone()
    {
        await server.SayAsync("""
            CREATE TABLE bad (id int); CREATE TABLE worse (id int); CREATE TABLE fine (id int);
            INSERT INTO bad SELECT generate_series(1, 1000); INSERT INTO worse SELECT generate_series(1, 5000);
            DELETE FROM bad; DELETE FROM worse;
            """);
        await server.SayAsync("VACUUM ANALYZE fine");
        await Eventually.TrueAsync(async () => await server.AskAsync("SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'worse' AND n_dead_tup = 5000") is 1L, "dead rows are counted");

        var progress = new JobProgress();
        var done = await RunAsync(new(Guid.Empty, "shop", Upkeep.Vacuum, []), progress);

        Assert.Equal(["VACUUM (ANALYZE) public.worse", "VACUUM (ANALYZE) public.bad"], done.Lines.Take(2).Select(l => l.Split(':')[0]));
        Assert.DoesNotContain(done.Lines, l => l.Contains("public.fine", StringComparison.Ordinal));
        Assert.True(done.FreedBytes > 0);
        Assert.Equal(progress.Total, progress.Done);
        Assert.Equal("VACUUM (ANALYZE) public.fine", Assert.Single((await RunAsync(new(Guid.Empty, "shop", Upkeep.Vacuum, ["fine"]))).Lines).Split(':')[0]);
        await Assert.ThrowsAsync<JobFailedException>(() => RunAsync(new(Guid.Empty, "shop", Upkeep.Vacuum, ["nobody"])));
    }

    [Fact]
    public async Task A_hollow_index_is_rebuilt_and_a_full_one_is_not()
    {
        await server.SayAsync("""
            CREATE TABLE hollow (id int PRIMARY KEY, full_up int); INSERT INTO hollow SELECT i, i FROM generate_series(1, 200000) i;
            DELETE FROM hollow WHERE id % 20 <> 0;
            """);
        await server.SayAsync("VACUUM ANALYZE hollow");
        await server.SayAsync("CREATE UNIQUE INDEX hollow_full ON hollow (full_up)");
        var before = (long)(await server.AskAsync("SELECT pg_relation_size('hollow_pkey')"))!;

        var done = await RunAsync(new(Guid.Empty, "shop", Upkeep.Reindex, []));

        Assert.StartsWith("REINDEX public.hollow_pkey:", Assert.Single(done.Lines));
        var after = (long)(await server.AskAsync("SELECT pg_relation_size('hollow_pkey')"))!;
        Assert.True(after < before / 2, $"{before} before, {after} after");
        Assert.Equal(before - after, done.FreedBytes);
        Assert.Equal(["Nothing needed it."], (await RunAsync(new(Guid.Empty, "shop", Upkeep.Reindex, []))).Lines);
    }

    [Fact]
    public async Task What_a_broken_off_rebuild_left_is_dropped()
    {
        await server.SayAsync("CREATE TABLE kept (id int); CREATE INDEX kept_id ON kept (id); CREATE INDEX kept_id_ccnew ON kept (id)");
        await server.SayAsync("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'kept_id_ccnew'::regclass");
        var done = await RunAsync(new(Guid.Empty, "shop", Upkeep.Reindex, ["kept_id"]));
        Assert.Contains(done.Lines, l => l.StartsWith("DROP INDEX \"public\".\"kept_id_ccnew\"", StringComparison.Ordinal));
        Assert.Equal(1L, await server.AskAsync("SELECT count(*) FROM pg_index WHERE indrelid = 'kept'::regclass"));
    }

    [Fact]
    public async Task A_cancelled_rebuild_leaves_no_index_behind()
    {
        await server.SayAsync("CREATE TABLE held (id int); CREATE INDEX held_id ON held (id)");
        await using var holder = await server.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync(Cancelled);
        await new NpgsqlCommand("INSERT INTO held VALUES (1)", holder).ExecuteNonQueryAsync(Cancelled);

        using var stop = new CancellationTokenSource();
        var running = RunAsync(new(Guid.Empty, "shop", Upkeep.Reindex, ["held_id"]), null, stop.Token);
        await Eventually.TrueAsync(async () => await server.AskAsync("SELECT count(*) FROM pg_class WHERE relname = 'held_id_ccnew'") is 1L, "the rebuild waits for the writer");
        var stopping = stop.CancelAsync();
        await Eventually.TrueAsync(async () => await server.AskAsync("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'REINDEX%'") is 0L, "the rebuild is cancelled");
        await transaction.RollbackAsync(Cancelled);
        await stopping;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(1L, await server.AskAsync("SELECT count(*) FROM pg_index WHERE indrelid = 'held'::regclass"));
    }

    [Fact]
    public async Task A_locked_table_is_skipped_and_the_others_are_done()
    {
        await server.SayAsync("CREATE TABLE busy (id int); CREATE TABLE free (id int)");
        await using var holder = await server.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync(Cancelled);
        await new NpgsqlCommand("LOCK TABLE busy", holder).ExecuteNonQueryAsync(Cancelled);
        var done = await RunAsync(new(Guid.Empty, "shop", Upkeep.Vacuum, ["busy", "free"]));
        Assert.Contains(done.Lines, l => l == "VACUUM (ANALYZE) public.busy: skipped, somebody else has it locked.");
        Assert.Contains(done.Lines, l => l.StartsWith("VACUUM (ANALYZE) public.free: ", StringComparison.Ordinal) && l.EndsWith("after.", StringComparison.Ordinal));
    }

    private Task<UpkeepDone> RunAsync(Maintain work, JobProgress? progress = null, CancellationToken? cancellation = null) =>
        new UpkeepRunner(new NoServers(), TimeProvider.System).RunAsync(server.Server.OpenAsync, work, progress ?? new(), cancellation ?? Cancelled);

    private sealed class NoServers : IServers
    {
        public NodeServer? Find(Guid serverId) => null;
    }
}
