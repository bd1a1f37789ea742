using Groundcrew.Postgres.Tests.Stage;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Postgres.Tests.Archive.ArchiveWorld;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>Windows, plans and retention of archives by chance, held against the plain truth of <see cref="ArchiveModel"/>.</summary>
public sealed class ArchivePropertyTests
{
    private const int Seeds = 400;

    [Fact]
    public void Windows_are_what_the_bytes_say()
    {
        var seen = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            foreach (var history in RandomArchive.Make(seed).ToCatalogue().Histories)
            {
                var timelines = history.Forks.SelectMany(f => new[] { f.Timeline, f.Parent }).Concat([1U]).Distinct();
                var expected = from timeline in timelines
                               from backup in history.Bases
                               let reach = ArchiveModel.Reach(history, backup, timeline)
                               where reach is not null
                               let sure = ArchiveModel.SureUntil(history, timeline, reach.Value)
                               select (backup.Name, timeline, new Lsn(reach.Value * ArchiveModel.Quarter), sure > backup.StoppedAt ? sure.Value : backup.StoppedAt);
                var runs = RecoveryWindows.Runs(history, _ => true).Select(r => (r.Base.Name, r.Path.Timeline, r.Island.To, r.ToTime)).Order().ToList();
                Assert.True(expected.Order().SequenceEqual(runs), $"Seed {seed}:\n{string.Join('\n', expected.Order())}\nbut\n{string.Join('\n', runs)}");
                seen += runs.Count;
            }
        }
        Assert.True(seen > Seeds);
    }

    [Fact]
    public void Every_plan_has_the_right_bytes_without_a_gap_and_every_refusal_is_true()
    {
        var (plans, refusals) = (0, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var catalogue = RandomArchive.Make(seed).ToCatalogue();
            var random = new Random(seed);
            for (var i = 0; i < 12; i++)
            {
                RecoveryTarget target = i % 3 == 0 ? new() : i % 3 == 1 ? new(Time: Minute(random.Next(90))) : new(Position: Place(random.Next(60)));
                var judged = RecoveryPlanning.Plan(catalogue, null, target);
                if (judged.Value is { } plan)
                    Check(seed, catalogue, plan);
                else
                    Assert.False(IsCovered(catalogue, target), $"Seed {seed}: {target} was refused.");
                _ = judged.Value is null ? refusals++ : plans++;
            }
        }
        Assert.True(plans > Seeds && refusals > Seeds, $"{plans} plans, {refusals} refusals");
    }

    [Fact]
    public void Retention_keeps_what_it_promises()
    {
        var deleted = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var before = RandomArchive.Make(seed).ToCatalogue();
            var (policy, now) = Policy(seed);
            var plan = RetentionPlanning.Plan(before, policy, now);
            var after = ArchiveModel.Without(before, plan.Keys);
            var proofs = new BackupProofs(before.Marks);
            var bases = before.Histories.SelectMany(h => h.Bases).OrderBy(b => b.StoppedAt).ThenBy(b => b.Name, StringComparer.Ordinal).ToList();
            var kept = after.Histories.SelectMany(h => h.Bases).Select(b => b.Name).ToHashSet();

            Assert.True(plan.Delete.All(name => !kept.Contains(name)), $"Seed {seed}");
            Assert.True(bases.Where(b => proofs.IsKept(b.Name)).All(b => kept.Contains(b.Name)), $"Seed {seed}: something kept went.");
            Assert.True(bases.FindLast(b => proofs.IsVerified(b.Name)) is not { } newest || kept.Contains(newest.Name), $"Seed {seed}: the newest verified went.");
            Assert.True(Latest(before) == Latest(after), $"Seed {seed}: the latest moment was lost.");
            CheckPromised(seed, before, after, policy, now, bases, proofs);
            Assert.Empty(RetentionPlanning.Plan(after, policy, now).Keys);
            Assert.Empty(BackupDeletion.Objections(before, plan.Keys));
            deleted += plan.Delete.Count;
        }
        Assert.True(deleted > Seeds / 4, $"{deleted} deleted");
    }

    [Fact]
    public async Task A_deletion_that_is_broken_off_anywhere_leaves_no_manifest_without_its_files()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            using var storage = new MemoryStorage(new ManualClock(Zero));
            RandomArchive.Make(seed).Store(storage);
            var (policy, now) = Policy(seed);
            var catalogue = await new CatalogueReader(storage).ReadAsync(Cluster, TestContext.Current.CancellationToken);
            Assert.Empty(catalogue.Problems);
            var plan = RetentionPlanning.Plan(catalogue, policy, now);
            var whole = RecoveryWindows.Of(ArchiveModel.Without(catalogue, plan.Keys));
            var random = new Random(seed);
            foreach (var key in RetentionPlanning.Groups(Cluster, plan.Keys).SelectMany(group => group.OrderBy(_ => random.Next())))
            {
                storage.Delete(key);
                var left = await new CatalogueReader(storage).ReadAsync(Cluster, TestContext.Current.CancellationToken);
                Assert.True(left.Problems.Count == 0, $"Seed {seed}: after {key}: {string.Join(' ', left.Problems)}");
            }
            Assert.Equal(whole, RecoveryWindows.Of(await new CatalogueReader(storage).ReadAsync(Cluster, TestContext.Current.CancellationToken)));
        }
    }

    private static (RetentionPolicy Policy, DateTimeOffset Now) Policy(int seed)
    {
        var random = new Random(seed * 7);
        TimeSpan? age = random.Next(3) == 0 ? null : TimeSpan.FromMinutes(random.Next(5, 60));
        int? count = random.Next(3) == 0 ? random.Next(1, 4) : null;
        return (new(age, count, age * 2, count), Minute(60 + random.Next(60)));
    }

    /// <summary>Everything that could be brought back of the promised time can be; by a verified backup where it could be by one.</summary>
    private static void CheckPromised(
        int seed, Catalogue before, Catalogue after, RetentionPolicy policy, DateTimeOffset now, IReadOnlyList<BaseBackupManifest> bases, BackupProofs proofs)
    {
        foreach (var (history, later) in before.Histories.Zip(after.Histories))
        {
            var runs = RecoveryWindows.Runs(history, b => !proofs.IsDamaged(b.Name));
            var left = RecoveryWindows.Runs(later, b => !proofs.IsDamaged(b.Name));
            foreach (var run in runs)
            {
                var isVerified = proofs.IsVerified(run.Base.Name);
                var newer = bases.Count(b => proofs.IsVerified(b.Name) && bases.ToList().IndexOf(b) > bases.ToList().IndexOf(run.Base));
                if (newer >= policy.BaseCount)
                    continue;
                for (var minute = 0.0; minute < 120; minute += 0.5)
                {
                    var at = Minute(minute);
                    if ((policy.BaseFor is { } age && at < now - age) || !run.Covers(at))
                        continue;
                    Assert.True(
                        left.Any(r => r.Path.Timeline == run.Path.Timeline && r.Covers(at) && (!isVerified || proofs.IsVerified(r.Base.Name))),
                        $"Seed {seed}: minute {minute} of {run.Base.Name} on timeline {run.Path.Timeline} was lost.");
                }
            }
        }
    }

    private static (uint Timeline, Lsn? End) Latest(Catalogue catalogue) =>
        RecoveryPlanning.Plan(catalogue, null, new()).Value is { Wal.Count: > 0 } plan ? (plan.Timeline, plan.Wal[^1].End) : default;

    private static bool IsCovered(Catalogue catalogue, RecoveryTarget target)
    {
        var proofs = new BackupProofs(catalogue.Marks);
        var history = catalogue.Histories[^1];
        foreach (var backup in history.Bases.Where(b => !proofs.IsDamaged(b.Name)))
        {
            foreach (var timeline in history.Wal.Select(w => w.Timeline).Distinct())
            {
                if (ArchiveModel.Reach(history, backup, timeline) is not { } reach)
                    continue;
                if (target is { Time: null, Position: null } || (target.Position is { } place && place >= backup.Stop && place.Value <= reach * ArchiveModel.Quarter)
                    || (target.Time is { } time && time >= backup.StoppedAt && time <= ArchiveModel.SureUntil(history, timeline, reach)))
                    return true;
            }
        }
        return false;
    }

    private static void Check(int seed, Catalogue catalogue, RecoveryPlan plan)
    {
        var history = catalogue.Histories.First(h => h.SystemId == plan.SystemId);
        var at = plan.Base.Start.SegmentStart();
        var files = WalFiles.Of(plan);
        foreach (var file in files)
        {
            foreach (var part in file.Parts)
            {
                Assert.True(part.At == (long)(at.Value % Lsn.SegmentBytes) && part.Piece.Start + part.Skip == at, $"Seed {seed}: a gap before {at}.");
                for (var quarter = at.Value / ArchiveModel.Quarter; quarter * ArchiveModel.Quarter < at.Value + (ulong)part.Length; quarter++)
                {
                    Assert.True(
                        ArchiveModel.Author(history, part.Piece.Timeline, quarter) == ArchiveModel.Author(history, plan.Timeline, quarter),
                        $"Seed {seed}: the bytes at {at} are of another timeline.");
                }
                at += part.Length;
            }
            Assert.True(file.IsWhole || file == files[^1], $"Seed {seed}: {file.Name} is not whole.");
        }
        Assert.True(at >= plan.Base.Stop, $"Seed {seed}: not consistent.");
        Assert.True(plan.Target.Position is not { } place || at >= place, $"Seed {seed}: not far enough.");
        if (plan.Target.Time is { } time && plan.Base.StoppedAt < time)
            Assert.True(ArchiveModel.SureUntil(history, plan.Timeline, at.Value / ArchiveModel.Quarter) >= time, $"Seed {seed}: not far enough for {time}.");
    }
}
