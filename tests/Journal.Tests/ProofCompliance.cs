using System.Collections.Concurrent;
using Groundcrew.Tests.Proof;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Journal.Tests;

/// <summary>The proof holds for a good operation on every engine, and finds what is wrong with bad ones.</summary>
public abstract class ProofCompliance(StoreSource source) : IDisposable
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_good_operation_passes_every_proof() => await Proof(new Flaw()).HoldsAsync(Ct);

    [Fact]
    public async Task A_step_that_is_not_idempotent_is_found()
    {
        var failure = await Assert.ThrowsAsync<ProofFailedException>(() => Proof(new Flaw { Appends = true }).RepeatEveryStepAsync(Ct));
        Assert.Contains("every step done twice", failure.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ProofFailedException>(() => Proof(new Flaw { Appends = true }).CrashAtEveryJournalWriteAsync(Ct));
    }

    [Fact]
    public async Task An_undo_that_leaves_something_is_found()
    {
        var failure = await Assert.ThrowsAsync<ProofFailedException>(() => Proof(new Flaw { Leaves = true }).FailAtEveryStepAsync(Ct));
        Assert.Contains("a failure at 'put' after doing it", failure.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        source.Dispose();
        GC.SuppressFinalize(this);
    }

    private OperationProof<BuildPlan> Proof(Flaw flaw) => new(async () =>
    {
        var store = await StoreSource.OpenAsync(await source.NewAsync(), [new ThingsPart()]);
        var world = new ConcurrentBag<string>();
        var set = new ConcurrentDictionary<string, byte>(StringComparer.Ordinal);
        return new OperationCase<BuildPlan>
        {
            Definition = Definition(flaw, world, set),
            Plan = new BuildPlan("x", 3),
            Store = store,
            ReadState = async () =>
            {
                var rows = await store.ReadAsync((db, token) => db.Set<Thing>().Select(t => t.Name).ToListAsync(token));
                return string.Join('\n', rows.Concat(set.Keys).Concat(world).Order(StringComparer.Ordinal));
            },
        };
    });

    private static OperationDefinition<BuildPlan> Definition(Flaw flaw, ConcurrentBag<string> world, ConcurrentDictionary<string, byte> set) => new()
    {
        Kind = "proof-build",
        Steps =
        [
            new("look", (c, _) =>
            {
                c.Say("looking");
                return Task.FromResult(StepEnd.Done);
            }, Undo.None<BuildPlan>("it changes nothing")),
            new("put", (c, _) =>
            {
                set[c.Plan.Name] = 1;
                if (flaw.Appends)
                    world.Add("again");
                return Task.FromResult(StepEnd.Done);
            }, Undo.By<BuildPlan>((c, _) =>
            {
                if (!flaw.Leaves)
                    set.TryRemove(c.Plan.Name, out byte _);
                return Task.FromResult(StepEnd.Done);
            })),
            new("use", (c, _) =>
            {
                set["used"] = 1;
                c.Conclude("used");
                return Task.FromResult(StepEnd.Done);
            }, Undo.By<BuildPlan>((_, _) =>
            {
                set.TryRemove("used", out byte _);
                return Task.FromResult(StepEnd.Done);
            })),
        ],
        Finished = (db, plan, outcome) =>
        {
            if (outcome is OperationOutcome.Succeeded { Text: "used" })
                db.Add(new Thing { Name = plan.Name + " is built" });
            return Task.CompletedTask;
        },
    };

    private sealed record Flaw
    {
        public bool Appends { get; init; }

        public bool Leaves { get; init; }
    }
}

public sealed class ProofOnSqlite() : ProofCompliance(new SqliteSource());

public sealed class ProofOnPostgreSql(PostgresServer server) : ProofCompliance(new PostgresSource(server));
