using Groundcrew.Bedrock;
using Xunit;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>The keys of an archive, made and read.</summary>
public sealed class ArchiveLayoutTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 22, 2, 45, 0, 123, TimeSpan.Zero);

    [Fact]
    public void Every_key_is_read_as_it_was_made()
    {
        Check(ArchiveLayout.Wal("acme-main", "7294", 2, new(0x3000000), new(0x4000000), At) + ".zst.enc",
            "acme-main/7294/wal/00000002/0000000003000000-0000000004000000-1795315500123.zst.enc",
            new ArchiveKey.Wal("7294", 2, new(0x3000000), new(0x4000000), At));
        Check(ArchiveLayout.Wal("acme-main", "7294", 1, new(0x3000000), new(0x3000000), null),
            "acme-main/7294/wal/00000001/0000000003000000-0000000003000000-0", new ArchiveKey.Wal("7294", 1, new(0x3000000), new(0x3000000), null));
        Check(ArchiveLayout.HistoryFile("acme-main", "7294", 10), "acme-main/7294/history/0000000A.history", new ArchiveKey.History("7294", 10));
        Check(ArchiveLayout.BaseFile("acme-main", "7294", "base-20261122-024500", ArchiveLayout.DataFolder) + ".gz",
            "acme-main/7294/base/base-20261122-024500/base.tar.gz", new ArchiveKey.BaseFile("7294", "base-20261122-024500", "base.tar.gz"));
        Check(ArchiveLayout.BaseManifest("acme-main", "7294", "base-20261122-024500"),
            "acme-main/7294/base/base-20261122-024500/manifest.json", new ArchiveKey.BaseManifest("7294", "base-20261122-024500"));
        Check(ArchiveLayout.DumpFile("acme-main", "zmos_backup_20261122_024500") + ".gz",
            "acme-main/dumps/zmos_backup_20261122_024500.dump.gz", new ArchiveKey.DumpFile("zmos_backup_20261122_024500"));
        Check(ArchiveLayout.DumpManifest("acme-main", "zmos_backup_20261122_024500"),
            "acme-main/dumps/zmos_backup_20261122_024500.json", new ArchiveKey.DumpManifest("zmos_backup_20261122_024500"));

        static void Check(string key, string text, ArchiveKey read)
        {
            Assert.Equal(text, key);
            Assert.Equal(read, ArchiveLayout.Read("acme-main", key));
        }
    }

    [Fact]
    public void Every_kind_of_mark_has_a_key_of_its_own()
    {
        foreach (var kind in Enum.GetValues<MarkKind>())
            Assert.Equal(new ArchiveKey.Mark("base-1", At, kind), ArchiveLayout.Read("c", ArchiveLayout.Mark("c", new("base-1", kind, At, "words"))));
        Assert.Equal("c/marks/base-1/20261122T024500123Z-tool-verified.json", ArchiveLayout.Mark("c", new("base-1", MarkKind.ToolVerified, At, "")));
    }

    [Fact]
    public void A_moment_between_two_milliseconds_is_cut_towards_the_past() =>
        Assert.Equal(ArchiveLayout.Wal("c", "1", 1, default, new(1), At), ArchiveLayout.Wal("c", "1", 1, default, new(1), At.AddMicroseconds(999)));

    [Theory]
    [InlineData("other/7294/history/00000002.history")]
    [InlineData("c/7294/history/2.history")]
    [InlineData("c/7294/wal/00000001/0000000003000000-0000000002000000-0")]
    [InlineData("c/7294/wal/00000000/0000000003000000-0000000004000000-0")]
    [InlineData("c/7294/wal/00000001/0000000003000000-0000000004000000")]
    [InlineData("c/7294/wal/00000001/0000000003000000-0000000004000000--1")]
    [InlineData("c/7294/wal/00000001/0000000003000000-0000000004000000-0.part")]
    [InlineData("c/x7294/base/b/manifest.json")]
    [InlineData("c/dumps/readme.txt")]
    [InlineData("c/dumps/../a.json")]
    [InlineData("c/marks/b/20261122T024500123Z-liked.json")]
    [InlineData("c/marks/b/20261322T024500123Z-kept.json")]
    [InlineData("c/")]
    public void A_key_that_none_makes_is_read_as_none(string key) => Assert.Null(ArchiveLayout.Read("c", key));

    [Theory]
    [InlineData("../etc")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData(".hidden")]
    public void No_part_of_a_key_leads_elsewhere(string part)
    {
        Assert.Throws<ArgumentException>(() => ArchiveLayout.DumpFile("c", part));
        Assert.Throws<ArgumentException>(() => ArchiveLayout.Cluster(part));
        Assert.Throws<ArgumentException>(() => ArchiveLayout.BaseManifest("c", part, "b"));
    }

    [Fact]
    public void Two_backups_of_one_second_have_two_names()
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 3; i++)
            Assert.True(taken.Add(BackupNames.Base(At, taken.Contains)));
        Assert.Equal(["base-20261122-024500", "base-20261122-024500-2", "base-20261122-024500-3"], taken.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("zmos_backup_{date}_{time}", "zmos_backup_20261122_024500")]
    [InlineData("loyalty_YYYYMMDD_HHMMSS", "loyalty_20261122_024500")]
    [InlineData(BackupNames.DefaultTemplate, "order_s_20261122_024500")]
    [InlineData("{cluster}.{database}.{date}-{time}", "acme-main.order_s.20261122-024500")]
    public void A_dump_is_named_by_its_template(string template, string name)
    {
        var problems = new ProblemList();
        BackupNames.Judge("backups.dumps.name", template, problems);
        Assert.Empty(problems.Problems);
        Assert.Equal(name, BackupNames.Dump(template, "acme-main", "order s", At.ToOffset(TimeSpan.FromHours(5)), _ => false));
        Assert.True(ArchiveLayout.IsPart(name));
    }

    [Theory]
    [InlineData("backup", 1)]
    [InlineData("backup_{date}", 1)]
    [InlineData("backups/{date}_{time}", 1)]
    [InlineData("{day}_{time}", 2)]
    [InlineData("-{date}_{time}", 1)]
    [InlineData("base-{date}-{time}", 1)]
    [InlineData("", 1)]
    public void A_template_that_makes_no_good_names_is_refused(string template, int count)
    {
        var problems = new ProblemList();
        BackupNames.Judge("name", template, problems);
        Assert.Equal(count, problems.Problems.Count);
        Assert.All(problems.Problems, p => Assert.NotEmpty(p.Fix));
    }
}
