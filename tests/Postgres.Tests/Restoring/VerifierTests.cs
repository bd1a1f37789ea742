using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Taking;
using Xunit;

namespace Groundcrew.Postgres.Tests.Restoring;

/// <summary>Looking at backups that are good, and at some that are not.</summary>
public sealed class VerifierTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_good_base_backup_passes_both_levels_and_is_marked()
    {
        await using var stage = await RestoreStage.RunAsync();
        var manifest = await stage.Archive.BackUpAsync();
        var progress = new JobProgress();
        var seen = await VerifyAsync(stage, manifest.Name, VerifyLevel.Checksums, progress);
        Assert.True(seen.IsGood, string.Join(' ', seen.Findings));
        Assert.Equal(progress.Total, progress.Done);
        Assert.True((await VerifyAsync(stage, manifest.Name, VerifyLevel.Tool)).IsGood);
        Assert.Equal([MarkKind.ChecksumsVerified, MarkKind.ToolVerified], (await stage.CatalogueAsync()).Marks.Select(m => m.Kind));
        Assert.Empty(Directory.EnumerateFileSystemEntries(stage.ScratchFolder));
        await Assert.ThrowsAsync<JobFailedException>(() => VerifyAsync(stage, "nobody", VerifyLevel.Tool));
    }

    [Fact]
    public async Task A_flipped_bit_and_a_missing_object_are_named()
    {
        await using var stage = await RestoreStage.RunAsync();
        var manifest = await stage.Archive.BackUpAsync();
        await stage.FlipAsync("base.tar");
        var flipped = await VerifyAsync(stage, manifest.Name, VerifyLevel.Checksums);
        Assert.Contains("base.tar", Assert.Single(flipped.Findings));
        await stage.FlipAsync("base.tar");
        Assert.True((await VerifyAsync(stage, manifest.Name, VerifyLevel.Checksums)).IsGood);

        await stage.Pieces.Storage.DeleteAsync([manifest.Files[^1].Key], Cancelled);
        var missing = await VerifyAsync(stage, manifest.Name, VerifyLevel.Tool);
        Assert.Contains(manifest.Files[^1].Key, Assert.Single(missing.Findings));
        Assert.Equal(MarkKind.Damaged, (await stage.CatalogueAsync()).Marks[^1].Kind);
    }

    [Fact]
    public async Task Missing_log_of_a_backup_is_found()
    {
        await using var stage = await RestoreStage.RunAsync();
        var manifest = await stage.Archive.BackUpAsync();
        await stage.Pieces.Storage.DeleteAsync([.. (await stage.Archive.KeysAsync()).Where(k => k.Contains("/wal/", StringComparison.Ordinal))], Cancelled);
        var seen = await VerifyAsync(stage, manifest.Name, VerifyLevel.Checksums);
        Assert.Contains("is missing, without which the backup is not consistent", Assert.Single(seen.Findings));
    }

    [Fact]
    public async Task A_dump_is_read_to_its_end_by_PostgreSQL()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.SayAsync("CREATE TABLE t AS SELECT g, md5(g::text) AS words FROM generate_series(1, 10000) g");
        await new Dumper(new OneServer(stage.Source.Server), stage.Opener, TimeProvider.System).TakeAsync(
            stage.Source.Server, ArchiveStage.Cluster, new(OneServer.Id, "postgres", "good", RestoreStage.AnyArchive, "test"), stage.Pieces, new(), Cancelled);
        var seen = await VerifyAsync(stage, "good", VerifyLevel.Tool);
        Assert.True(seen.IsGood, string.Join(' ', seen.Findings));
        Assert.Equal(MarkKind.ToolVerified, (await stage.CatalogueAsync()).Marks[^1].Kind);

        await stage.FlipAsync("good.dump");
        Assert.Contains("good.dump", Assert.Single((await VerifyAsync(stage, "good", VerifyLevel.Tool)).Findings));
        Assert.Equal(MarkKind.Damaged, (await stage.CatalogueAsync()).Marks[^1].Kind);
    }

    private static Task<BackupVerified> VerifyAsync(RestoreStage stage, string backup, VerifyLevel level, JobProgress? progress = null) =>
        new Verifier(stage.Opener, stage.ScratchFolder, TimeProvider.System).VerifyAsync(
            new(ArchiveStage.Cluster, backup, RestoreStage.AnyArchive, level), stage.Pieces, progress ?? new(), Cancelled);
}
