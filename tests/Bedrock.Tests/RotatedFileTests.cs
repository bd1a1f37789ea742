using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class RotatedFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Lines_move_on_to_older_files_and_the_oldest_are_deleted()
    {
        using var file = new RotatedFile(_folder["sub/a.log"], maxBytes: 8, files: 3);
        foreach (var line in (string[])["one\n", "two\n", "three\n", "four\n", "five\n"])
            file.Append(System.Text.Encoding.UTF8.GetBytes(line));

        Assert.Equal("five\n", File.ReadAllText(_folder["sub/a.log"]));
        Assert.Equal("four\n", File.ReadAllText(_folder["sub/a.log.1"]));
        Assert.Equal("three\n", File.ReadAllText(_folder["sub/a.log.2"]));
        Assert.False(File.Exists(_folder["sub/a.log.3"]));
        Assert.Equal(DurableFiles.Private, File.GetUnixFileMode(_folder["sub/a.log"]));
    }

    [Fact]
    public void It_goes_on_where_it_was_and_ends_a_torn_line_first()
    {
        File.WriteAllText(_folder["a.log"], "whole\nto");
        using (var file = new RotatedFile(_folder["a.log"], maxBytes: 100, files: 2))
            file.Append("next\n"u8);
        using (var file = new RotatedFile(_folder["a.log"], maxBytes: 100, files: 2))
            file.Append("last\n"u8);

        Assert.Equal("whole\nto\nnext\nlast\n", File.ReadAllText(_folder["a.log"]));
    }

    [Fact]
    public void One_file_alone_starts_anew_and_a_long_batch_is_kept_whole()
    {
        using var file = new RotatedFile(_folder["a.log"], maxBytes: 4, files: 1);
        file.Append("a long first batch\n"u8);
        file.Append("second\n"u8);

        Assert.Equal("second\n", File.ReadAllText(_folder["a.log"]));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task Two_processes_that_append_at_once_lose_and_mix_nothing()
    {
        const int Lines = 2000;
        var path = _folder["a.log"];
        await Task.WhenAll(Enumerable.Range(0, 3).Select(writer => Task.Run(() =>
        {
            using var file = new RotatedFile(path, maxBytes: long.MaxValue, files: 2);
            for (var i = 0; i < Lines; i++)
                file.Append(System.Text.Encoding.ASCII.GetBytes($"{writer} {i}\n"));
        })));

        var lines = await File.ReadAllLinesAsync(path, TestContext.Current.CancellationToken);
        Assert.Equal(3 * Lines, lines.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(3 * Lines, lines.Length);
    }
}
