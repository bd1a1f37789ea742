using Groundcrew.Bedrock;
using Groundcrew.Contract.Manifest;

namespace Groundcrew.Cli.Packing;

/// <summary>
/// Finds what a service ships. One folder ships its content; one file ships itself; of a list each keeps its path below the
/// manifest's folder. Nothing outside of that folder is ever shipped, by whatever link. Every problem is found at once.
/// </summary>
internal sealed class PackageContents
{
    private static readonly string[] NeverShipped = [".git", ".groundcrew"];
    private readonly string _root;
    private readonly string _realRoot;
    private readonly string? _crewData;
    private readonly ExcludedFiles _excluded;
    private readonly SortedDictionary<string, PackEntry> _entries = new(StringComparer.Ordinal);
    private readonly ProblemList _problems = new();

    private PackageContents(string root, string? crewData, IReadOnlyList<string> exclude)
    {
        _root = Path.GetFullPath(root);
        _realRoot = Real(_root);
        _crewData = crewData is null ? null : Path.TrimEndingDirectorySeparator(Path.GetFullPath(crewData));
        _excluded = new ExcludedFiles(exclude);
    }

    /// <summary>The entries, sorted by name (ordinal).</summary>
    /// <param name="root">The manifest's folder.</param>
    /// <param name="service">The service's name, for the paths of problems.</param>
    /// <param name="settings">What it ships and leaves out.</param>
    /// <param name="crewData">The data folder, which is never shipped.</param>
    public static Judged<IReadOnlyList<PackEntry>> Find(string root, string service, ServiceSettings settings, string? crewData)
    {
        var contents = new PackageContents(root, crewData, settings.Exclude);
        for (var i = 0; i < settings.Package.Count; i++)
            contents.Take(settings.Package[i], isOnly: settings.Package.Count == 1, $"services.{service}.package[{i}]");
        if (contents._problems.IsEmpty && !contents._entries.Values.Any(e => e.Kind != PackEntryKind.Folder))
            contents._problems.Add("empty-package", $"services.{service}.package", "There is no file to ship.", "Build the service first, or name the folder that holds it.");
        return contents._problems.IsEmpty
            ? Judged<IReadOnlyList<PackEntry>>.Good([.. contents._entries.Values])
            : Judged<IReadOnlyList<PackEntry>>.Bad(contents._problems.Problems);
    }

    private void Take(string package, bool isOnly, string where)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(Path.Combine(_root, package)));
        if (!Path.Exists(full))
        {
            _problems.Add("missing-package", where, $"'{package}' is not there.", "Build the service first (its 'build' line runs before packaging), or name the folder that the build writes.");
            return;
        }
        if (!IsBelow(Real(full), _realRoot))
        {
            _problems.Add("package-outside", where, $"'{package}' leads outside the manifest's folder.", "Copy it into the folder, and name the copy.");
            return;
        }
        var path = Path.GetRelativePath(_root, full).Replace('\\', '/');
        if (Directory.Exists(full))
            TakeFolder(new DirectoryInfo(full), path == "." ? "" : path + "/", isOnly || path == "." ? "" : path + "/", full, where);
        else
            TakeFile(full, path, isOnly ? Path.GetFileName(full) : path, where);
    }

    // path: below the manifest's folder, for the patterns. name: in the archive. shipped: what a link may point into.
    private void TakeFolder(DirectoryInfo folder, string path, string name, string shipped, string where)
    {
        foreach (var item in folder.EnumerateFileSystemInfos().OrderBy(i => i.Name, StringComparer.Ordinal))
        {
            var below = path + item.Name;
            if (NeverShipped.Contains(item.Name) || item.FullName == _crewData || _excluded.Covers(below))
                continue;
            if (item.LinkTarget is { } target)
                TakeLink(item, target, name + item.Name, shipped, where);
            else if (item is DirectoryInfo inner && !_excluded.Covers(below + "/"))
            {
                AddParents(name);
                _entries[name + item.Name + "/"] = new PackEntry(name + item.Name + "/", item.FullName, PackEntryKind.Folder);
                TakeFolder(inner, below + "/", name + item.Name + "/", shipped, where);
            }
            else if (item is FileInfo)
                TakeFile(item.FullName, below, name + item.Name, where);
        }
    }

    private void TakeFile(string full, string path, string name, string where)
    {
        if (_excluded.Covers(path))
            return;
        if (name.Any(char.IsControl))
        {
            _problems.Add("bad-file-name", where, $"A file's name holds a control character: '{string.Concat(name.Select(c => char.IsControl(c) ? '?' : c))}'.", "Rename it, or exclude it.");
            return;
        }
        AddParents(name);
        _entries[name] = new PackEntry(name, full, PackEntryKind.File);
    }

    private void TakeLink(FileSystemInfo link, string target, string name, string shipped, string where)
    {
        if (WhyNot(link, target, name, shipped) is { } why)
        {
            _problems.Add("link-outside", where, $"The link '{name}' points to '{target}': {why}.", "Point it to something that is shipped, by a relative path, or exclude it.");
            return;
        }
        AddParents(name);
        _entries[name] = new PackEntry(name, link.FullName, PackEntryKind.Link, target);
    }

    // The same rules as on the node that unpacks it: a target climbs only at its beginning, and not above the archive.
    private static string? WhyNot(FileSystemInfo link, string target, string name, string shipped)
    {
        if (Path.IsPathRooted(target))
            return "an absolute path means something else on a node";
        var parts = target.Split('/').Where(p => p is not ("" or ".")).ToList();
        var climbs = parts.TakeWhile(p => p == "..").Count();
        if (climbs > name.Count(c => c == '/'))
            return "that is outside of what is shipped";
        if (parts.Skip(climbs).Contains(".."))
            return "it climbs in its middle";
        var end = link.ResolveLinkTarget(returnFinalTarget: true);
        return end is { Exists: true } && !IsBelow(Real(end.FullName), Real(shipped)) ? "that leads outside of what is shipped" : null;
    }

    private void AddParents(string name)
    {
        for (var slash = name.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = name.IndexOf('/', slash + 1))
        {
            var folder = name[..(slash + 1)];
            _entries.TryAdd(folder, new PackEntry(folder, "", PackEntryKind.Folder));
        }
    }

    private static bool IsBelow(string path, string folder) => path == folder || path.StartsWith(folder == "/" ? folder : folder + "/", StringComparison.Ordinal);

    // The path with every link on the way resolved.
    private static string Real(string path)
    {
        var real = "/";
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var next = Path.Combine(real, part);
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            real = info.LinkTarget is null ? next : Real(Path.GetFullPath(info.ResolveLinkTarget(returnFinalTarget: true)!.FullName));
        }
        return Path.TrimEndingDirectorySeparator(real);
    }
}
