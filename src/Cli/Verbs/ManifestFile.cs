using Groundcrew.Cli.Calling;
using Groundcrew.Contract.Manifest;

namespace Groundcrew.Cli.Verbs;

/// <summary>A manifest as it lies on the disk, judged.</summary>
/// <param name="Name">As the person would name the file.</param>
/// <param name="Folder">The full path of its folder.</param>
/// <param name="Text">What it says.</param>
/// <param name="System">What that means.</param>
internal sealed record ManifestFile(string Name, string Folder, string Text, SystemManifest System)
{
    /// <summary>Reads the file, or the <c>crew.yaml</c> of a folder.</summary>
    public static ManifestFile Read(string path)
    {
        var name = Directory.Exists(path) ? Path.Combine(path, SystemManifest.FileName) : path;
        if (name.StartsWith("./", StringComparison.Ordinal))
            name = name[2..];
        if (!File.Exists(name))
            throw new CrewFailedException(ExitCode.NotFound, $"There is no {name}. Write one with 'crew manifest init {(Directory.Exists(path) ? path : "DIR")}', or name the folder that has it.");
        if (new FileInfo(name).Length > 4 * ManifestReader.MaxBytes)
            throw new CrewFailedException(ExitCode.Refused, $"{name} is no manifest: it is larger than {ManifestReader.MaxBytes / 1024} KiB. Name the right file.");
        var text = File.ReadAllText(name);
        var judged = ManifestReader.Read(text, name);
        return judged.Value is { } system
            ? new ManifestFile(name, Path.GetDirectoryName(Path.GetFullPath(name))!, text, system)
            : throw new CrewFailedException(ExitCode.Refused, $"{name} has {Speaking.Text.Count(judged.Problems.Count, "problem")}; nothing was done.") { Problems = judged.Problems, File = name };
    }
}
