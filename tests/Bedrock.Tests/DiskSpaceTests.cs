using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class DiskSpaceTests
{
    [Fact]
    public void A_punched_hole_keeps_the_size_and_what_lies_beyond()
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder["a"], [.. Enumerable.Repeat((byte)7, 12_288)]);
        using var file = File.OpenHandle(folder["a"], FileMode.Open, FileAccess.ReadWrite);
        var isDone = DiskSpace.PunchHole(file, 0, 8192);
        var bytes = new byte[12_288];
        Assert.Equal(bytes.Length, RandomAccess.Read(file, bytes, 0));
        Assert.Equal(isDone ? 0 : 7, bytes[8191]);
        Assert.Equal(7, bytes[8192]);
    }

    [Fact]
    public void Syncing_what_is_not_there_is_said_aloud()
    {
        using var folder = new TempFolder();
        DiskSpace.SyncFileSystem(folder.Path);
        DiskSpace.SyncFolder(folder.Path);
        Assert.Throws<IOException>(() => DiskSpace.SyncFileSystem(folder["missing"]));
        Assert.Throws<IOException>(() => DiskSpace.SyncFolder(folder["missing"]));
    }
}
