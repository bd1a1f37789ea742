using Groundcrew.Contract.Manifest;
using Xunit;

namespace Groundcrew.Contract.Tests.Manifest;

public sealed class ExcludedFilesTests
{
    [Theory]
    [InlineData("*.log", "a.log", true)]
    [InlineData("*.log", "deep/down/a.log", true)]
    [InlineData("*.log", "a.log.txt", false)]
    [InlineData("*.log", "logs.log/kept.txt", true)]
    [InlineData("obj/", "obj/x.dll", true)]
    [InlineData("obj/", "src/web/obj/x.dll", true)]
    [InlineData("obj/", "obj", false)]
    [InlineData("obj/", "object/x", false)]
    [InlineData("docs/*.md", "docs/a.md", true)]
    [InlineData("docs/*.md", "docs/more/a.md", false)]
    [InlineData("docs/*.md", "old/docs/a.md", false)]
    [InlineData("docs/**/*.md", "docs/a.md", true)]
    [InlineData("docs/**/*.md", "docs/more/still/a.md", true)]
    [InlineData("out/**", "out/a/b", true)]
    [InlineData("./build", "build/x", true)]
    [InlineData("./build", "src/build/x", false)]
    [InlineData("file?.txt", "file1.txt", true)]
    [InlineData("file?.txt", "file.txt", false)]
    [InlineData("a.b", "axb", false)]
    [InlineData("(x)[y]+$", "(x)[y]+$", true)]
    public void A_pattern_covers_what_the_reference_says(string pattern, string path, bool isCovered) =>
        Assert.Equal(isCovered, new ExcludedFiles([pattern]).Covers(path));

    [Fact]
    public void Without_patterns_nothing_is_covered() => Assert.False(new ExcludedFiles([]).Covers("a"));
}
