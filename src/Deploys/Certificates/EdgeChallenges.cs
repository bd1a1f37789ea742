using Groundcrew.Edge.Acme;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>The edges do not show the answer to a challenge, so that the authority is not sent to look for it.</summary>
/// <param name="why">Which edge, and why.</param>
internal sealed class ChallengeNotShownException(string why) : Exception(why);

/// <summary>Shows answers to challenges on every edge, by the route table. Thread-safe.</summary>
internal sealed class EdgeChallenges(Store store, Routes routes, TimeProvider clock) : IAcmeChallenges
{
    /// <summary>An edge that lives takes a table in milliseconds.</summary>
    private static readonly TimeSpan EdgesWait = TimeSpan.FromSeconds(30);

    public async Task PublishAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        var generation = await store.WriteAsync(async (db, cancel) =>
        {
            await RemoveAsync(db, challenge, cancel);
            db.Add(new ChallengeRow { Host = challenge.Name.ToLowerInvariant(), Token = challenge.Token, Answer = challenge.KeyAuthorization, Since = clock.StoreNow() });
            return await routes.PublishAsync(db, cancel);
        }, cancellation);
        if (await routes.ConfirmAsync(generation, clock.GetUtcNow() + EdgesWait, cancellation) is { } why)
            throw new ChallengeNotShownException($"The answer to the authority is not shown everywhere: {why}");
    }

    public Task WithdrawAsync(AcmeChallenge challenge, CancellationToken cancellation) => store.WriteAsync(async (db, cancel) =>
    {
        await RemoveAsync(db, challenge, cancel);
        await routes.PublishAsync(db, cancel);
    }, cancellation);

    /// <summary>Takes back what orders left that run no more, as after a crash; in the caller's transaction.</summary>
    public async Task SweepAsync(StoreContext db, List<string> running, CancellationToken cancellation)
    {
        if (await db.Set<ChallengeRow>().Where(c => !running.Contains(c.Host)).ExecuteDeleteAsync(cancellation) > 0)
            await routes.PublishAsync(db, cancellation);
    }

    private static Task<int> RemoveAsync(StoreContext db, AcmeChallenge challenge, CancellationToken cancellation)
    {
        var host = challenge.Name.ToLowerInvariant();
        return db.Set<ChallengeRow>().Where(c => c.Host == host && c.Token == challenge.Token).ExecuteDeleteAsync(cancellation);
    }
}
