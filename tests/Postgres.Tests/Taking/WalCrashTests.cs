using System.Collections.Concurrent;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Taking;

/// <summary>
/// Servers that are killed and receivers that end without a word, at moments of a seeded chance, while others write: what was
/// promised is in the storage.
/// </summary>
public sealed class WalCrashTests
{
    private const int Writers = 3;
    private const int Crashes = 6;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task In_synchronous_mode_every_acknowledged_commit_is_in_the_storage(int seed)
    {
        var (missing, acknowledged, _) = await RunAsync(seed, isSynchronous: true);
        Assert.True(acknowledged.Count > 50, $"Only {acknowledged.Count} commits were acknowledged.");
        Assert.Empty(missing);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Otherwise_every_commit_that_was_acknowledged_before_the_named_moment_is(int seed)
    {
        var (missing, acknowledged, caughtUpAt) = await RunAsync(seed, isSynchronous: false);
        Assert.True(acknowledged.Count > 50, $"Only {acknowledged.Count} commits were acknowledged.");
        Assert.NotNull(caughtUpAt);
        Assert.Contains(acknowledged, a => a.Value < caughtUpAt);
        Assert.DoesNotContain(missing, id => acknowledged[id] < caughtUpAt);
    }

    /// <summary>Writes, kills, ends, and brings back from the storage; what was acknowledged and is not there, all that was acknowledged by its moment, and the moment that the storage names.</summary>
    private static async Task<(List<long> Missing, ConcurrentDictionary<long, DateTimeOffset> Acknowledged, DateTimeOffset? CaughtUpAt)> RunAsync(int seed, bool isSynchronous)
    {
        var random = new Random(seed);
        await using var stage = await ArchiveStage.RunAsync(isSynchronous ? WalReceiverTests.Synchronous : null);
        var receiver = stage.Receiver(isSynchronous);
        receiver.Start();
        var manifest = await stage.BackUpAsync(receiver);
        await stage.Server.AskAsync("CREATE TABLE t (id bigint PRIMARY KEY, filler text)");
        var acknowledged = new ConcurrentDictionary<long, DateTimeOffset>();
        using var stop = new CancellationTokenSource();
        var writing = Enumerable.Range(0, Writers).Select(w => Task.Run(() => WriteAsync(stage.Server.Server, w, acknowledged, stop.Token))).ToArray();
        for (var crash = 0; crash < Crashes; crash++)
        {
            var goal = acknowledged.Count + random.Next(1, 60);
            await Eventually.TrueAsync(() => acknowledged.Count >= goal, "commits are acknowledged");
            if (random.Next(2) == 0)
            {
                await receiver.AbandonAsync();
                receiver = stage.Receiver(isSynchronous);
                receiver.Start();
            }
            else
            {
                await stage.Server.Server.StopAsync(StopMode.Kill, ArchiveStage.Limit, CancellationToken.None);
                await stage.Server.Server.StartAsync(ArchiveStage.Limit, CancellationToken.None);
            }
        }
        var before = receiver.Status.CaughtUpAt ?? DateTimeOffset.MinValue;
        await Eventually.TrueAsync(() => receiver.Status.CaughtUpAt > before, "a moment after the last crash", TimeSpan.FromSeconds(90));
        await Task.WhenAll(receiver.AbandonAsync(), stage.Server.Server.StopAsync(StopMode.Kill, ArchiveStage.Limit, CancellationToken.None));
        await stop.CancelAsync();
        await Task.WhenAll(writing);

        var wal = await stage.WalAsync(manifest.SystemId, 1);
        Assert.Empty(wal.Gaps());
        var there = ((string)(await WalReceiverTests.RestoredAsync(stage, manifest, "SELECT coalesce(string_agg(id::text, ','), '') FROM t"))!)
            .Split(',', StringSplitOptions.RemoveEmptyEntries).Select(long.Parse).ToHashSet();
        return ([.. acknowledged.Keys.Where(id => !there.Contains(id))], acknowledged, wal.CaughtUpAt);
    }

    private static async Task WriteAsync(PgServer server, int writer, ConcurrentDictionary<long, DateTimeOffset> acknowledged, CancellationToken stop)
    {
        var id = writer * 1_000_000_000L;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await server.OpenAsync("postgres", stop);
                while (!stop.IsCancellationRequested)
                {
                    // A number that may or may not have been committed is never used again.
                    id++;
                    await using var command = new NpgsqlCommand($"INSERT INTO t VALUES ({id}, repeat('x', 2000))", connection);
                    await command.ExecuteNonQueryAsync(stop);
                    acknowledged[id] = DateTimeOffset.UtcNow;
                }
            }
            catch (Exception e) when (e is NpgsqlException or IOException or OperationCanceledException or System.Net.Sockets.SocketException)
            {
                // The server was killed, or the test ends.
                await Task.Delay(20, CancellationToken.None);
            }
        }
    }
}
