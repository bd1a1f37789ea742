using System.Text.RegularExpressions;
using Xunit;

namespace Groundcrew.Shape.Tests;

/// <summary>Prose is kept alive: what a document names is there, and what is there is on the map.</summary>
public sealed partial class DocumentTests
{
    private const string Map = "docs/map.md";

    private static IEnumerable<SourceFile> Documents() =>
        Tree.Files(".md", "docs").Concat(File.Exists(Tree.Full("README.md")) ? [new SourceFile("README.md", File.ReadAllText(Tree.Full("README.md")))] : []);

    [Fact]
    public void Every_path_in_backticks_is_there() =>
        Expect.Nothing("A document names a path that is not there:",
            from document in Documents()
            from Match code in Backticks().Matches(WithoutFences(document.Text))
            let path = PathIn(code.Groups[1].Value)
            where path is not null && !IsThere(path, document)
            select $"{document.Path}:{document.LineOf(code.Index)}: `{path}` is not there");

    [Fact]
    public void Every_type_in_backticks_is_there()
    {
        var types = Tree.Rooms.SelectMany(r => r.Assembly.GetTypes()).ToList();
        var names = types.Select(t => t.FullName!.Split('`')[0].Replace('+', '.')).ToHashSet(StringComparer.Ordinal);
        var spaces = types.Select(t => t.Namespace).ToHashSet(StringComparer.Ordinal);
        // A member of a known type counts as known.
        bool IsKnown(string name) => names.Contains(name) || spaces.Contains(name) || names.Contains(name[..name.LastIndexOf('.')]);
        Expect.Nothing("A document names a type that is not there:",
            from document in Documents()
            from Match code in Backticks().Matches(WithoutFences(document.Text))
            from Match name in TypeName().Matches(code.Groups[1].Value)
            where !IsKnown(name.Value)
            select $"{document.Path}:{document.LineOf(code.Index)}: `{name.Value}` is no type of ours");
    }

    [Fact]
    public void Every_link_leads_somewhere() =>
        Expect.Nothing("A link in a document leads nowhere:",
            from document in Documents()
            from Match link in Link().Matches(WithoutFences(document.Text))
            let target = link.Groups[1].Value
            where !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith("mailto:", StringComparison.Ordinal)
            where !Leads(target, document)
            select $"{document.Path}:{document.LineOf(link.Index)}: {target} leads nowhere");

    [Fact]
    public void The_map_lists_every_folder_of_the_source_with_a_sentence()
    {
        var listed = MapLine().Matches(File.ReadAllText(Tree.Full(Map)))
            .ToDictionary(m => m.Groups["folder"].Value.TrimEnd('/'), m => m.Groups["sentence"].Value.Trim());
        var there = Tree.Folders("src").Where(f => f.Count(c => c == '/') <= 2 && Tree.Files("", f).Any()).ToList();
        Expect.Nothing("The map and the tree differ:", there.Except(listed.Keys).Select(f => $"{f} is not in {Map}"));
        Expect.Nothing("The map and the tree differ:", listed.Keys.Except(there).Select(f => $"{f} is in {Map}, but not in the tree"));
        Assert.All(listed, line => Assert.True(line.Value.Split(' ').Length >= 3 && line.Value.EndsWith('.'), $"{line.Key} wants a sentence"));
    }

    [Fact]
    public void No_document_names_a_folder_of_one_machine() =>
        Expect.Nothing("A path of one machine:",
            from document in Documents()
                .Concat(Tree.Files("", "eng", ".ci"))
                .Concat(new[] { "crew", "check" }.Select(f => new SourceFile(f, File.ReadAllText(Tree.Full(f)))))
            from Match place in MachinePath().Matches(document.Text)
            select $"{document.Path}:{document.LineOf(place.Index)}: {place.Value.Trim()}");

    /// <summary>The path that a piece of code names, when it begins with a folder or file of the root; else null.</summary>
    private static string? PathIn(string code)
    {
        var word = code.Split(' ')[0].TrimEnd(',', '.', ':', ';');
        if (word.Contains('<', StringComparison.Ordinal) || word.Contains('{', StringComparison.Ordinal) || word.Contains('$', StringComparison.Ordinal) || word.Contains('…', StringComparison.Ordinal))
            return null;
        var isRooted = word.StartsWith("./", StringComparison.Ordinal) || RootFolder().IsMatch(word);
        return isRooted ? word.TrimEnd('/') : null;
    }

    private static bool IsThere(string path, SourceFile document)
    {
        // A line number after a path is fine.
        path = Regex.Replace(path, @":\d+$", "", RegexOptions.None, TimeSpan.FromSeconds(1));
        string[] starts = [Tree.Root, Path.GetDirectoryName(Tree.Full(document.Path))!];
        if (!path.Contains('*', StringComparison.Ordinal))
            return starts.Any(s => Path.Exists(Path.Combine(s, path)));
        var folder = path[..path.IndexOf('*', StringComparison.Ordinal)];
        folder = folder[..(folder.LastIndexOf('/') + 1)];
        return Directory.Exists(Tree.Full(folder))
            && Directory.EnumerateFileSystemEntries(Tree.Full(folder), "*", SearchOption.AllDirectories)
                .Any(f => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(path.Replace("**", "*", StringComparison.Ordinal), Tree.Relative(f)));
    }

    private static bool Leads(string target, SourceFile document)
    {
        var parts = target.Split('#', 2);
        var file = parts[0].Length == 0 ? Tree.Full(document.Path) : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Tree.Full(document.Path))!, parts[0]));
        if (parts.Length == 1 || !file.EndsWith(".md", StringComparison.Ordinal))
            return Path.Exists(file);
        return File.Exists(file) && Heading().Matches(WithoutFences(File.ReadAllText(file)))
            .Any(h => Anchor(h.Groups["text"].Value) == parts[1]);
    }

    private static string Anchor(string heading) =>
        string.Concat(heading.Trim().ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-');

    /// <summary>The text with its code blocks blanked; lines stay where they are.</summary>
    private static string WithoutFences(string text) =>
        Fence().Replace(text, m => new string('\n', m.Value.AsSpan().Count('\n')));

    [GeneratedRegex(@"^```.*?^```[^\n]*$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"`([^`\n]+)`")]
    private static partial Regex Backticks();

    [GeneratedRegex(@"\[[^\]\n]*\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\bGroundcrew(\.\w+)+", RegexOptions.ExplicitCapture)]
    private static partial Regex TypeName();

    [GeneratedRegex(@"^(src|tests|docs|eng|bench|systems|\.ci)(/|$)", RegexOptions.ExplicitCapture)]
    private static partial Regex RootFolder();

    [GeneratedRegex(@"^\s*[-*] `(?<folder>src/[^`]+)`:? ?(?<sentence>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex MapLine();

    [GeneratedRegex(@"^#+ (?<text>.+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Heading();

    [GeneratedRegex(@"(?<![\w.~-])/(root|home|work|Users)/\w+", RegexOptions.ExplicitCapture)]
    private static partial Regex MachinePath();
}
