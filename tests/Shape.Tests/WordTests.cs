using System.Runtime.CompilerServices;
using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>Names that say nothing, and habits that a machine judges well.</summary>
public sealed class WordTests
{
    private static readonly string[] EmptyFolderNames =
        ["Common", "Core", "Helpers", "Utils", "Infrastructure", "Application", "Services"];

    private static readonly string[] EmptyTypeEndings = ["Manager", "Processor", "Helper", "Helpers", "Util", "Utils"];

    /// <summary>The only files outside Bedrock/Durable that may write to a disk, each with its reason.</summary>
    private static readonly (string Path, string Reason)[] MayWriteFiles = Waivers.FileWriters;

    [Fact]
    public void Folders_are_named_after_what_is_in_them() =>
        Expect.Nothing("A folder name that says nothing:", Tree.Folders("src").Concat(Tree.Folders("tests")).Concat(Tree.Folders("systems"))
            .Where(f => EmptyFolderNames.Contains(Path.GetFileName(f), StringComparer.OrdinalIgnoreCase)));

    [Fact]
    public void Types_are_named_after_what_they_are() =>
        Expect.Nothing("A type name that says nothing:",
            from room in Tree.Rooms
            from type in room.Assembly.GetTypes()
            where !IsGenerated(type) && EmptyTypeEndings.Any(e => type.Name.Split('`')[0].EndsWith(e, StringComparison.Ordinal))
            select type.FullName);

    [Fact]
    public void Unfinished_work_names_its_issue() =>
        Expect.Nothing("A note of unfinished work names its issue (#12), or the work is done:", Places(Tree.Files(".cs", "src", "tests", "bench", "systems"), CodeText.UnnumberedNotes));

    [Fact]
    public void No_catch_is_silent() =>
        Expect.Nothing("A catch says why it does nothing, and takes only what it means; one that takes everything does something with it:", Places(Tree.Files(".cs", "src", "tests", "bench", "systems").Where(f => !f.Path.EndsWith("/CodeTextTests.cs", StringComparison.Ordinal)), CodeText.SilentCatches));

    [Fact]
    public void Only_the_durable_way_writes_files() =>
        Expect.Nothing("Files are written through DurableFiles; an exception is a waiver with its reason (tests/Shape.Tests/Waivers.cs):", Places(
            Tree.Files(".cs", "src").Where(f => !f.Path.StartsWith("src/Bedrock/Durable/", StringComparison.Ordinal)
                && !MayWriteFiles.Any(w => w.Path == f.Path)),
            CodeText.FileWrites));

    [Fact]
    public void Every_waiver_for_writing_files_is_needed() =>
        Expect.Nothing("Waivers that are not needed any more:", MayWriteFiles.Where(w => !File.Exists(Tree.Full(w.Path)) || !CodeText.FileWrites(File.ReadAllText(Tree.Full(w.Path))).Any()).Select(w => w.Path));

    internal static bool IsGenerated(Type type) =>
        type.FullName is null or { Length: 0 } || type.Name.Contains('<', StringComparison.Ordinal)
        || type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false)
        || type.IsDefined(typeof(System.CodeDom.Compiler.GeneratedCodeAttribute), inherit: false)
        || (type.DeclaringType is { } outer && IsGenerated(outer))
        || type.Namespace is { } space && (space.StartsWith("Microsoft.", StringComparison.Ordinal) || space.StartsWith("System.", StringComparison.Ordinal));

    private static IEnumerable<string> Places(IEnumerable<SourceFile> files, Func<string, IEnumerable<int>> check) =>
        from file in files
        from place in check(file.Text)
        let line = file.LineOf(place)
        select $"{file.Path}:{line}: {file.Text.Split('\n')[line - 1].Trim()}";
}
