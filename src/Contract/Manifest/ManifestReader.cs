using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// Reads manifests strictly: the text is judged whole, and every problem is found at once, each with its path, its line
/// and its fix, ordered by line. Pure and thread-safe; never throws for a text, whatever it holds.
/// </summary>
public static class ManifestReader
{
    /// <summary>The largest manifest, in bytes of UTF-8.</summary>
    public const int MaxBytes = 256 * 1024;

    /// <summary>Reads a manifest. <paramref name="fileName"/> stands in the messages about the file as a whole.</summary>
    public static Judged<SystemManifest> Read(string yaml, string fileName)
    {
        var judgement = new Judgement();
        var manifest = ReadShape<SystemManifest>(yaml, fileName, Shape.System, judgement);
        if (manifest is not null)
            SystemRules.Judge(manifest, judgement);
        return judgement.Conclude(manifest);
    }

    /// <summary>
    /// Reads <c>resources</c> alone, from YAML or JSON, with the same words and units as in a manifest: for the calls of
    /// the API (ZW-55, ZW-58: <c>{"vcpu": 4, "memory": 2048}</c>). Paths begin with <c>resources</c>.
    /// </summary>
    public static Judged<ResourcesManifest> ReadResources(string text)
    {
        var judgement = new Judgement(root: "resources");
        return judgement.Conclude(ReadShape<ResourcesManifest>(text, "resources", Shape.Resources, judgement));
    }

    private static T? ReadShape<T>(string yaml, string fileName, Shape shape, Judgement judgement)
        where T : class
    {
        var bytes = Encoding.UTF8.GetByteCount(yaml);
        if (bytes > MaxBytes)
        {
            judgement.Refuse(ProblemKinds.FileTooLarge, "", $"{fileName} has {bytes} bytes; {MaxBytes} is the most.");
            return null;
        }
        var root = YamlTree.Read(yaml.TrimStart('\uFEFF'), fileName, judgement);
        return root is null ? null : (T?)new RecordForm(shape).Read(root, "", judgement);
    }
}
