using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Postgres.Tests.Taking;
using Xunit;

namespace Groundcrew.Postgres.Tests.Restoring;

/// <summary>Drills with archives that come back, and with some that do not.</summary>
public sealed class DrillRunnerTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_good_archive_passes_is_measured_and_marked_and_nothing_stays()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.SayAsync("CREATE TABLE members (id int PRIMARY KEY); INSERT INTO members SELECT generate_series(1, 1000)");
        var manifest = await stage.Archive.BackUpAsync();
        // What an agent left that was ended in the middle of a drill.
        Directory.CreateDirectory(Path.Combine(stage.ScratchFolder, "drill-left", "data", "base"));

        var done = await DrillAsync(stage,
            new SqlCheck("postgres", "SELECT count(*) = 1000 FROM members", "all members are there"),
            new SqlCheck("postgres", "SELECT pg_is_in_recovery() = false", "it takes writes"));

        Assert.True(done.IsGood, string.Join(' ', done.Findings));
        Assert.Equal(manifest.Name, done.Restored!.Backup);
        Assert.True(done.Took > done.Restored.Took && done.Lost > TimeSpan.Zero, done.ToString());
        Assert.Equal(MarkKind.Restored, Assert.Single((await stage.CatalogueAsync()).Marks).Kind);
        Assert.Empty(Directory.EnumerateFileSystemEntries(stage.ScratchFolder));
        Assert.Empty(ServerProcess.All(Path.Combine(stage.ScratchFolder, "drill-left", "data")));
    }

    [Fact]
    public async Task A_check_that_fails_or_cannot_be_made_is_a_finding_and_does_not_blame_the_backup()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.Archive.BackUpAsync();
        var done = await DrillAsync(stage,
            new SqlCheck("postgres", "SELECT 1 = 2", "one is two"), new SqlCheck("postgres", "SELECT count(*) > 0 FROM nowhere", "somewhere is something"),
            new SqlCheck("postgres", "CREATE TABLE made (id int)", "nothing is changed"), new SqlCheck("postgres", "SELECT true", "truth"));
        Assert.False(done.IsGood);
        Assert.NotNull(done.Restored);
        Assert.Equal(3, done.Findings.Count);
        Assert.Contains("'one is two' did not pass", done.Findings[0]);
        Assert.Contains("relation \"nowhere\" does not exist", done.Findings[1]);
        Assert.Contains("read-only transaction", done.Findings[2]);
        Assert.Empty((await stage.CatalogueAsync()).Marks);
    }

    [Fact]
    public async Task An_index_that_lies_is_found_and_the_backup_is_marked()
    {
        await using var stage = await RestoreStage.RunAsync();
        // An index whose order is turned round behind its back, as a changed collation does it.
        await stage.SayAsync("""
            CREATE FUNCTION fickle(a int4, b int4) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN a = b THEN 0 WHEN a > b THEN 1 ELSE -1 END';
            CREATE OPERATOR CLASS fickle_ops FOR TYPE int4 USING btree AS OPERATOR 1 < (int4, int4), OPERATOR 2 <= (int4, int4), OPERATOR 3 = (int4, int4),
              OPERATOR 4 >= (int4, int4), OPERATOR 5 > (int4, int4), FUNCTION 1 fickle(int4, int4);
            CREATE TABLE t (id int4); INSERT INTO t SELECT generate_series(1, 300); CREATE INDEX t_fickle ON t USING btree (id fickle_ops);
            CREATE OR REPLACE FUNCTION fickle(a int4, b int4) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN a = b THEN 0 WHEN a > b THEN -1 ELSE 1 END';
            """);
        await stage.Archive.BackUpAsync();
        var done = await DrillAsync(stage);
        Assert.False(done.IsGood);
        Assert.Contains("t_fickle", Assert.Single(done.Findings));
        Assert.Equal(MarkKind.Damaged, Assert.Single((await stage.CatalogueAsync()).Marks).Kind);
    }

    [Fact]
    public async Task A_flipped_bit_in_the_archive_is_found_and_the_backup_is_marked()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.Archive.BackUpAsync();
        await stage.FlipAsync("base.tar");
        var done = await DrillAsync(stage);
        Assert.False(done.IsGood);
        Assert.Null(done.Restored);
        Assert.Contains("base.tar", Assert.Single(done.Findings));
        Assert.Equal(MarkKind.Damaged, Assert.Single((await stage.CatalogueAsync()).Marks).Kind);
        Assert.Empty(Directory.EnumerateFileSystemEntries(stage.ScratchFolder));
    }

    [Fact]
    public async Task A_page_with_a_wrong_checksum_is_found()
    {
        await using var stage = await RestoreStage.RunAsync();
        await stage.SayAsync("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 5000)");
        var path = (string)(await stage.Source.AskAsync("SELECT pg_relation_filepath('t')"))!;
        await stage.Archive.BackUpAsync();
        await stage.BreakPageAsync(path);
        var done = await DrillAsync(stage);
        Assert.False(done.IsGood);
        Assert.Contains($"invalid page in block 0 of relation {path}", Assert.Single(done.Findings));
        Assert.NotNull(done.Restored);
    }

    private static Task<DrillDone> DrillAsync(RestoreStage stage, params SqlCheck[] checks) =>
        new DrillRunner(stage.Opener, stage.ScratchFolder, TimeProvider.System).RunAsync(
            new(ArchiveStage.Cluster, TestServer.Binaries.Version, new(), checks, RestoreStage.AnyArchive, 64 << 20), stage.Pieces, new(), Cancelled);
}
