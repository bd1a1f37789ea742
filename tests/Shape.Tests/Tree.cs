using System.Reflection;
using System.Text.RegularExpressions;
using Groundcrew.Tests.Support;

namespace Groundcrew.Shape.Tests;

/// <summary>One folder of <c>src/</c> with a project in it.</summary>
/// <param name="Name">Its name, such as <c>Fleet</c>.</param>
/// <param name="Folder">Its full path.</param>
/// <param name="Assembly">What it was built into, loaded.</param>
public sealed record Room(string Name, string Folder, Assembly Assembly);

/// <summary>One text file of the tree.</summary>
/// <param name="Path">From the root of the repository, with '/'.</param>
/// <param name="Text">All of it.</param>
public sealed record SourceFile(string Path, string Text)
{
    /// <summary>The line, from 1, of a place in the text.</summary>
    public int LineOf(int index) => Text.AsSpan(0, index).Count('\n') + 1;
}

/// <summary>The working tree, as the checks see it.</summary>
public static partial class Tree
{
    /// <summary>The folder that holds the solution.</summary>
    public static string Root => Checkout.Root;

    /// <summary>Every room, in the order of names.</summary>
    public static IReadOnlyList<Room> Rooms { get; } = FindRooms();

    /// <summary>A path of the tree, in full.</summary>
    public static string Full(string path) => Path.Combine(Root, path);

    /// <summary>A full path, from the root.</summary>
    public static string Relative(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');

    /// <summary>The files below some folders with one ending; built files are left out, a missing folder is empty.</summary>
    public static IEnumerable<SourceFile> Files(string ending, params string[] folders) =>
        from folder in folders
        where Directory.Exists(Full(folder))
        from path in Directory.EnumerateFiles(Full(folder), "*" + ending, SearchOption.AllDirectories)
        let relative = Relative(path)
        where !Built().IsMatch(relative)
        orderby relative
        select new SourceFile(relative, File.ReadAllText(path));

    /// <summary>The folders below one folder, built ones left out.</summary>
    public static IEnumerable<string> Folders(string folder) =>
        from path in Directory.Exists(Full(folder)) ? Directory.EnumerateDirectories(Full(folder), "*", SearchOption.AllDirectories) : []
        let relative = Relative(path)
        where !Built().IsMatch(relative + "/")
        orderby relative
        select relative;

    private static Room[] FindRooms() =>
        [.. from project in Directory.EnumerateFiles(Full("src"), "*.csproj", SearchOption.AllDirectories)
            let name = Path.GetFileNameWithoutExtension(project)
            orderby name
            select new Room(name, Path.GetDirectoryName(project)!, Load(project, name))];

    private static Assembly Load(string project, string name)
    {
        var own = AssemblyName().Match(File.ReadAllText(project));
        return Assembly.Load(own.Success ? own.Groups[1].Value : "Groundcrew." + name);
    }

    [GeneratedRegex("(^|/)(bin|obj|node_modules|\\.build)/")]
    private static partial Regex Built();

    [GeneratedRegex("<AssemblyName>(.+?)</AssemblyName>")]
    private static partial Regex AssemblyName();
}
