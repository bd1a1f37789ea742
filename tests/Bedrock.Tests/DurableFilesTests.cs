using System.Text;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class DurableFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<DurableStep> Steps => [.. Enum.GetValues<DurableStep>()];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void New_content_replaces_the_old_whole()
    {
        DurableFiles.Real.Replace(_folder["state"], new string('a', 100_000));
        DurableFiles.Real.Replace(_folder["state"], "new");
        Assert.Equal("new", File.ReadAllText(_folder["state"]));
        Assert.Equal(["state"], Names());
    }

    [Fact]
    public void Folders_are_made_when_they_are_missing()
    {
        var path = Path.Combine(_folder.Path, "a", "b", "c", "state");
        DurableFiles.Real.Replace(path, "content");
        Assert.Equal("content", File.ReadAllText(path));
    }

    [Fact]
    public void A_file_is_private_unless_another_mode_is_asked_for()
    {
        DurableFiles.Real.Replace(_folder["private"], "x");
        const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        DurableFiles.Real.Replace(_folder["program"], "x", Readable);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["private"]));
        Assert.Equal(Readable, File.GetUnixFileMode(_folder["program"]));
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public void A_failure_at_any_step_leaves_the_old_content_or_the_new(DurableStep step)
    {
        DurableFiles.Real.Replace(_folder["state"], "old");
        var thrown = Assert.Throws<IOException>(() => FailingAt(step).Replace(_folder["state"], "new"));
        Assert.Equal(step.ToString(), thrown.Message);
        Assert.Equal(step == DurableStep.SyncFolder ? "new" : "old", File.ReadAllText(_folder["state"]));
        Assert.Equal(["state"], Names());
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_failure_at_any_step_of_a_stream_leaves_the_old_content_or_the_new(DurableStep step)
    {
        DurableFiles.Real.Replace(_folder["state"], "old");
        await Assert.ThrowsAsync<IOException>(() => FailingAt(step).ReplaceAsync(_folder["state"], WriteNew, TestContext.Current.CancellationToken));
        Assert.Equal(step == DurableStep.SyncFolder ? "new" : "old", await File.ReadAllTextAsync(_folder["state"], TestContext.Current.CancellationToken));
        Assert.Equal(["state"], Names());
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public void A_failure_at_any_step_of_a_first_write_leaves_no_half_file(DurableStep step)
    {
        Assert.Throws<IOException>(() => FailingAt(step).Replace(_folder["state"], "new"));
        Assert.Equal(step == DurableStep.SyncFolder ? ["state"] : [], Names());
    }

    [Fact]
    public void The_steps_come_in_their_order()
    {
        var seen = new List<DurableStep>();
        new DurableFiles((step, _) => seen.Add(step)).Replace(_folder["state"], "x");
        Assert.Equal(Enum.GetValues<DurableStep>(), seen);
    }

    [Fact]
    public async Task A_stream_that_is_discarded_leaves_the_old_content()
    {
        DurableFiles.Real.Replace(_folder["state"], "old");
        var committed = await DurableFiles.Real.ReplaceAsync(_folder["state"], async (stream, cancellation) =>
        {
            await stream.WriteAsync("half"u8.ToArray(), cancellation);
            return false;
        }, TestContext.Current.CancellationToken);
        Assert.False(committed);
        Assert.Equal("old", await File.ReadAllTextAsync(_folder["state"], TestContext.Current.CancellationToken));
        Assert.Equal(["state"], Names());
    }

    [Fact]
    public async Task A_stream_that_is_cancelled_leaves_the_old_content()
    {
        DurableFiles.Real.Replace(_folder["state"], "old");
        using var cancellation = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DurableFiles.Real.ReplaceAsync(_folder["state"], async (stream, token) =>
        {
            await stream.WriteAsync("half"u8.ToArray(), token);
            await cancellation.CancelAsync();
            token.ThrowIfCancellationRequested();
            return true;
        }, cancellation.Token));
        Assert.Equal("old", await File.ReadAllTextAsync(_folder["state"], TestContext.Current.CancellationToken));
        Assert.Equal(["state"], Names());
    }

    [Fact]
    public void Many_writers_end_with_the_content_of_one()
    {
        var contents = Enumerable.Range(0, 40).Select(i => new string((char)('a' + (i % 26)), 10_000 + i)).ToArray();
        Parallel.ForEach(contents, content => DurableFiles.Real.Replace(_folder["state"], content));
        Assert.Contains(File.ReadAllText(_folder["state"]), contents);
        Assert.Equal(["state"], Names());
    }

    [Fact]
    public async Task A_reader_never_sees_a_mixture()
    {
        string[] contents = [new('a', 200_000), new('b', 150_000)];
        DurableFiles.Real.Replace(_folder["state"], contents[0]);
        using var done = new CancellationTokenSource();
        var writer = Task.Run(() =>
        {
            for (var i = 0; i < 50; i++)
                DurableFiles.Real.Replace(_folder["state"], contents[i % 2]);
            done.Cancel();
        }, TestContext.Current.CancellationToken);
        while (!done.IsCancellationRequested && !writer.IsFaulted)
            Assert.Contains(File.ReadAllText(_folder["state"]), contents);
        await writer.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Deleting_what_is_not_there_is_fine()
    {
        DurableFiles.Real.Replace(_folder["state"], "x");
        DurableFiles.Real.Delete(_folder["state"]);
        DurableFiles.Real.Delete(_folder["state"]);
        DurableFiles.Real.Delete(Path.Combine(_folder.Path, "no", "such", "folder", "state"));
        Assert.Equal([], Names());
    }

    [Fact]
    public void What_the_file_system_refuses_is_said_and_leaves_nothing()
    {
        Directory.CreateDirectory(Path.Combine(_folder["state"], "in-the-way"));
        Assert.ThrowsAny<Exception>(() => DurableFiles.Real.Replace(_folder["state"], "x"));
        Assert.Equal(["state"], Names());
    }

    private static async Task<bool> WriteNew(Stream stream, CancellationToken cancellation)
    {
        await stream.WriteAsync(Encoding.UTF8.GetBytes("new"), cancellation);
        return true;
    }

    private static DurableFiles FailingAt(DurableStep failing) =>
        new((step, _) =>
        {
            if (step == failing)
                throw new IOException(step.ToString());
        });

    private IEnumerable<string> Names() => Directory.EnumerateFileSystemEntries(_folder.Path).Select(p => Path.GetFileName(p));
}
