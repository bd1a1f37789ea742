using System.Text.RegularExpressions;
using Groundcrew.Contract.Manifest;

namespace Groundcrew.Contract.Tests.Manifest;

/// <summary>
/// One file of the corpus: a manifest, then <c>---problems---</c> with the problems, or <c>---manifest---</c> with the
/// canonical form. In the manifest, <c>@@pad N@@</c> stands for N letters.
/// </summary>
internal sealed partial record ManifestCase(string Name, string Input, bool IsGood, string Expected)
{
    private const string Problems = "---problems---";
    private const string Manifest = "---manifest---";

    public static IReadOnlyList<ManifestCase> All { get; } =
        [.. Directory.GetFiles(Golden.Corpus, "*.case").Order(StringComparer.Ordinal).Select(Load)];

    public string Yaml => Pad().Replace(Input, match => new string('x', int.Parse(match.Groups[1].Value)));

    public string FilePath => Path.Combine(Golden.Corpus, $"{Name}.case");

    public IReadOnlyList<string> Codes => IsGood ? [] : [.. Expected.Split('\n').Where(line => line.Length > 0).Select(line => line.Split(' ')[0])];

    /// <summary>The file's text with what the reader says now.</summary>
    public string Run()
    {
        var judged = ManifestReader.Read(Yaml, "crew.yaml");
        return judged.Value is { } manifest
            ? $"{Input}{Manifest}\n{ManifestWriter.ToJson(manifest)}\n"
            : $"{Input}{Problems}\n{string.Concat(judged.Problems.Select(problem => $"{problem.Code} {problem}\n"))}";
    }

    private static ManifestCase Load(string path)
    {
        var text = File.ReadAllText(path);
        foreach (var marker in new[] { Problems, Manifest })
        {
            var at = text.StartsWith(marker, StringComparison.Ordinal) ? 0 : text.IndexOf($"\n{marker}\n", StringComparison.Ordinal) + 1;
            if (at > 0 || text.StartsWith(marker, StringComparison.Ordinal))
                return new ManifestCase(Path.GetFileNameWithoutExtension(path), text[..at], marker == Manifest, text[(at + marker.Length + 1)..]);
        }
        throw new InvalidDataException($"{path} has neither {Problems} nor {Manifest}.");
    }

    [GeneratedRegex("@@pad ([0-9]+)@@")]
    private static partial Regex Pad();
}
