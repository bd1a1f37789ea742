using System.Text;
using Xunit;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>Manifests as JSON: written, read again, and refused when they are not exactly what they should be.</summary>
public sealed class ManifestJsonTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 22, 2, 45, 0, TimeSpan.Zero);

    private static readonly BaseBackupManifest Base = new()
    {
        Name = "base-20261122-024500", Cluster = "acme-main", SystemId = "7294", Version = 15, Timeline = 1, Start = new(0x3000028), Stop = new(0x3000100),
        StartedAt = At, StoppedAt = At.AddSeconds(30), Compression = Compression.Zstd, Reason = "schedule",
        Files = [new("acme-main/7294/base/base-20261122-024500/base.tar.zst", 10, 20, new('a', 64))],
        TableSpaces = new Dictionary<string, string>(StringComparer.Ordinal) { ["16385"] = "/srv/fast" },
    };

    [Fact]
    public void What_is_written_is_read_again()
    {
        var json = ManifestJson.Write(Base);
        var read = ManifestJson.ReadBase(json);
        Assert.Equal(json, ManifestJson.Write(read));
        Assert.Equal(Base.Stop, read.Stop);
        var mark = new BackupMark("b", MarkKind.Restored, At, "3 tables looked at");
        Assert.Equal(mark, ManifestJson.ReadMark(ManifestJson.Write(mark)));
    }

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 2", "format 1")]
    [InlineData("\"format\": 1,", "", "does not say its format")]
    [InlineData("\"format\": 1,", "\"format\": 1, \"more\": true,", "more")]
    [InlineData("\"timeline\": 1", "\"timeline\": 0", "timeline is 0")]
    [InlineData("\"timeline\": 1,", "\"timeline\": 1, \"timeline\": 1,", "imeline")]
    [InlineData("\"timeline\": 1,", "", "timeline")]
    [InlineData("\"stop\": \"0/3000100\"", "\"stop\": \"0/3000000\"", "stops before it starts")]
    [InlineData("\"stop\": \"0/3000100\"", "\"stop\": 3", "")]
    [InlineData("\"systemId\": \"7294\"", "\"systemId\": \"../7\"", "system identifier")]
    [InlineData("\"systemId\": \"7294\"", "\"systemId\": null", "systemId")]
    [InlineData("\"files\": [", "\"files\": [ null,", "null")]
    [InlineData("acme-main/7294/base/base-20261122-024500/base.tar", "acme-main/7294/base/other/base.tar", "lies elsewhere")]
    [InlineData("\"bytes\": 10", "\"bytes\": -1", "less than no bytes")]
    [InlineData("aaaa\"", "AAAA\"", "SHA-256")]
    [InlineData("\"compression\": \"zstd\"", "\"compression\": \"lzma\"", "ompression")]
    [InlineData("2026-11-22T02:45:30", "2026-11-22T02:44:30", "complete before it was begun")]
    public void What_is_not_exactly_a_manifest_is_refused(string text, string instead, string words)
    {
        var json = Encoding.UTF8.GetString(ManifestJson.Write(Base));
        Assert.Contains(text, json, StringComparison.Ordinal);
        var refused = Assert.Throws<FormatException>(() => ManifestJson.ReadBase(Encoding.UTF8.GetBytes(json.Replace(text, instead, StringComparison.Ordinal))));
        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_manifest_that_was_cut_short_is_refused_wherever_it_was_cut()
    {
        var json = ManifestJson.Write(Base);
        for (var length = 0; length < json.Length; length++)
            Assert.Throws<FormatException>(() => ManifestJson.ReadBase(json.AsSpan(0, length)));
    }
}
