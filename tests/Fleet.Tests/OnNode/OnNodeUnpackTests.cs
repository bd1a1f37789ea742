using System.Formats.Tar;
using System.Text;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeUnpackTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Bad => ["absolute", "climbing", "link-absolute", "link-climbing", "link-hidden-climb", "through-link", "hardlink-out", "fifo", "device", "too-many", "too-large", "no-archive", "torn"];

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task An_archive_that_reaches_out_or_is_broken_is_refused(string kind)
    {
        var archive = kind switch
        {
            "no-archive" => Encoding.UTF8.GetBytes("this is no archive at all"),
            "torn" => NodeBench.Pack(("a", new string('x', 100_000)))[..^60],
            _ => NodeBench.Pack(tar => Write(tar, kind)),
        };
        await System.IO.File.WriteAllBytesAsync(_folder["a.tar.gz"], archive, TestContext.Current.CancellationToken);
        Directory.CreateDirectory(_folder["in"]);
        var unpacker = new SafeUnpacker(50, 1_000_000);
        await Assert.ThrowsAsync<ArtifactRefusedException>(() => unpacker.UnpackAsync(_folder["a.tar.gz"], _folder["in"], TestContext.Current.CancellationToken));
        Assert.False(System.IO.File.Exists(_folder["evil"]));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
    }

    [Fact]
    public async Task A_good_archive_keeps_its_links_and_its_executables()
    {
        var archive = NodeBench.Pack(tar =>
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "./"));
            tar.WriteEntry(File("./bin/run", "#!/bin/sh", (UnixFileMode)0b111_101_101));
            tar.WriteEntry(File("lib/a.txt", "a", (UnixFileMode)0b110_100_100));
            tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "bin/a") { LinkName = "../lib/a.txt" });
            tar.WriteEntry(new PaxTarEntry(TarEntryType.HardLink, "lib/b.txt") { LinkName = "lib/a.txt" });
        });
        await System.IO.File.WriteAllBytesAsync(_folder["a.tar.gz"], archive, TestContext.Current.CancellationToken);
        Directory.CreateDirectory(_folder["in"]);
        var files = await new SafeUnpacker(50, 1_000_000).UnpackAsync(_folder["a.tar.gz"], _folder["in"], TestContext.Current.CancellationToken);
        Assert.Equal(3, files.Count);
        Assert.True(System.IO.File.GetUnixFileMode(Path.Combine(_folder["in"], "bin/run")).HasFlag(UnixFileMode.UserExecute));
        Assert.False(System.IO.File.GetUnixFileMode(Path.Combine(_folder["in"], "lib/a.txt")).HasFlag(UnixFileMode.UserExecute));
        Assert.Equal("a", await System.IO.File.ReadAllTextAsync(Path.Combine(_folder["in"], "bin/a"), TestContext.Current.CancellationToken));
        Assert.Equal("a", await System.IO.File.ReadAllTextAsync(Path.Combine(_folder["in"], "lib/b.txt"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_instance_with_a_bad_archive_fails_with_the_reason()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000", node.Add(NodeBench.Pack(tar => Write(tar, "climbing"))));
        node.Run(spec);
        var status = await node.SeenAsync(spec, InstanceState.Failed);
        Assert.Contains("would land outside its folder", status.Reason, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(node.StateFolder, "artifacts")));
    }

    private static void Write(TarWriter tar, string kind)
    {
        switch (kind)
        {
            case "absolute": tar.WriteEntry(File("/tmp/evil", "x")); break;
            case "climbing": tar.WriteEntry(File("a/../../evil", "x")); break;
            case "link-absolute": tar.WriteEntry(Link("a", "/etc/passwd")); break;
            case "link-climbing": tar.WriteEntry(Link("a/b", "../../evil")); break;
            case "link-hidden-climb": tar.WriteEntry(Link("a/b", "c/../../../evil")); break;
            case "through-link":
                tar.WriteEntry(Link("a", "b"));
                tar.WriteEntry(File("a/evil", "x"));
                break;
            case "hardlink-out": tar.WriteEntry(new PaxTarEntry(TarEntryType.HardLink, "a") { LinkName = "../a.tar.gz" }); break;
            case "fifo": tar.WriteEntry(new PaxTarEntry(TarEntryType.Fifo, "a")); break;
            case "device": tar.WriteEntry(new PaxTarEntry(TarEntryType.CharacterDevice, "a") { DeviceMajor = 1, DeviceMinor = 3 }); break;
            case "too-many":
                for (var i = 0; i < 60; i++)
                    tar.WriteEntry(File($"f{i}", "x"));
                break;
            case "too-large": tar.WriteEntry(File("a", new string('x', 2_000_000))); break;
        }
    }

    private static PaxTarEntry File(string name, string content, UnixFileMode mode = (UnixFileMode)0b110_100_100) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)), Mode = mode };

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };
}
