using System.Formats.Tar;
using System.IO.Compression;
using Groundcrew.Bedrock;
using Groundcrew.Cli.Packing;
using Groundcrew.Contract.Manifest;
using Xunit;

namespace Groundcrew.Cli.Tests;

public sealed class PackagingTests : IDisposable
{
    private readonly Crew _crew = new();

    [Fact]
    public async Task The_same_files_give_the_same_digest_whatever_their_times_and_readers()
    {
        Fill();
        var first = await PackAsync("package: .");
        foreach (var file in Directory.GetFiles(_crew.Work, "*", SearchOption.AllDirectories))
        {
            File.SetLastWriteTimeUtc(file, new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));
            File.SetUnixFileMode(file, File.GetUnixFileMode(file) | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead);
        }

        var second = await PackAsync("package: .");

        Assert.Equal(first.Digest, second.Digest);
        Assert.Equal(64 + "sha256:".Length, first.Digest.Length);
    }

    [Fact]
    public async Task An_executable_stays_one_and_everything_else_is_normal()
    {
        Fill();
        var modes = (await PackAsync("package: .")).Entries.ToDictionary(e => e.Name, e => Convert.ToString((int)e.Mode, 8));

        Assert.Equal("755", modes["run.sh"]);
        Assert.Equal("644", modes["data/a.txt"]);
        Assert.Equal("755", modes["data/"]);
    }

    [Theory]
    [InlineData("package: data", "a.txt", "b.txt")]
    [InlineData("package: run.sh", "run.sh")]
    [InlineData("package: [data, run.sh]", "data/", "data/a.txt", "data/b.txt", "run.sh")]
    [InlineData("package: .\n    exclude: [data/]", "crew.yaml", "run.sh")]
    [InlineData("package: .\n    exclude: [\"*.txt\", crew.yaml]", "data/", "run.sh")]
    public async Task One_folder_ships_its_content_and_a_list_keeps_its_paths(string keys, params string[] names)
    {
        Fill();
        Assert.Equal(names, (await PackAsync(keys)).Entries.Select(e => e.Name));
    }

    [Fact]
    public async Task Git_and_the_data_of_the_platform_are_never_shipped()
    {
        Fill();
        _crew.Write(".git/HEAD", "ref");
        _crew.Write("sub/.git", "gitdir: elsewhere");
        _crew.Write("platform/control/admin.token", "t");

        var packed = await PackAsync("package: .", crewData: Path.Combine(_crew.Work, "platform"));

        Assert.DoesNotContain(packed.Entries, e => e.Name.Contains(".git", StringComparison.Ordinal) || e.Name.Contains("platform", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_link_inside_is_kept_as_a_link()
    {
        Fill();
        File.CreateSymbolicLink(Path.Combine(_crew.Work, "data/link"), "../run.sh");

        var link = (await PackAsync("package: .")).Entries.Single(e => e.Name == "data/link");

        Assert.Equal((TarEntryType.SymbolicLink, "../run.sh"), (link.Type, link.Link));
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../../outside")]
    [InlineData("b.txt/../../../outside")]
    [InlineData("../far")]
    public void A_link_to_the_outside_is_refused(string target)
    {
        Fill();
        File.WriteAllText(Path.Combine(_crew.Work, "../outside"), "secret");
        File.CreateSymbolicLink(Path.Combine(_crew.Work, "far"), "../outside");
        File.CreateSymbolicLink(Path.Combine(_crew.Work, "data/link"), target);

        var judged = Find("package: .");

        Assert.Contains(judged.Problems, p => p.Code == "link-outside" && p.Message.Contains("data/link", StringComparison.Ordinal));
    }

    [Fact]
    public void A_package_folder_that_is_a_link_to_the_outside_is_refused()
    {
        Fill();
        Directory.CreateDirectory(Path.Combine(_crew.Work, "../elsewhere"));
        File.CreateSymbolicLink(Path.Combine(_crew.Work, "out"), "../elsewhere");

        Assert.Equal("package-outside", Assert.Single(Find("package: out").Problems).Code);
    }

    [Fact]
    public void What_is_missing_or_empty_is_told_all_at_once()
    {
        Fill();
        Directory.CreateDirectory(Path.Combine(_crew.Work, "empty"));

        Assert.Equal(["missing-package", "missing-package"], Find("package: [out, gone]").Problems.Select(p => p.Code));
        Assert.Equal("empty-package", Assert.Single(Find("package: empty").Problems).Code);
    }

    [Fact]
    public async Task Nothing_is_left_behind()
    {
        Fill();
        var packed = await Packer.PackAsync(Find("package: .").Value!, null, TestContext.Current.CancellationToken);
        Assert.True(File.Exists(packed.Path));
        Assert.Equal(DurableFiles.Private, File.GetUnixFileMode(packed.Path));

        packed.Dispose();

        Assert.False(File.Exists(packed.Path));
    }

    public void Dispose() => _crew.Dispose();

    private void Fill()
    {
        _crew.Write("crew.yaml", "x");
        _crew.Write("run.sh", "#!/bin/sh\n", DurableFiles.Private | UnixFileMode.UserExecute);
        _crew.Write("data/b.txt", "b");
        _crew.Write("data/a.txt", "a");
    }

    private Judged<IReadOnlyList<PackEntry>> Find(string keys, string? crewData = null)
    {
        var judged = ManifestReader.Read($"system: acme\nservices:\n  web:\n    run: ./run.sh\n    {keys}\n", "crew.yaml");
        return PackageContents.Find(_crew.Work, "web", judged.Value!.For("production")["web"], crewData);
    }

    private async Task<(string Digest, List<(string Name, TarEntryType Type, UnixFileMode Mode, string Link)> Entries)> PackAsync(string keys, string? crewData = null)
    {
        var found = Find(keys, crewData);
        Assert.Empty(found.Problems);
        using var packed = await Packer.PackAsync(found.Value!, null, TestContext.Current.CancellationToken);
        var entries = new List<(string, TarEntryType, UnixFileMode, string)>();
        using var tar = new TarReader(new GZipStream(File.OpenRead(packed.Path), CompressionMode.Decompress));
        while (tar.GetNextEntry() is { } entry)
            entries.Add((entry.Name, entry.EntryType, entry.Mode, entry.LinkName));
        return (packed.Digest, entries);
    }
}
