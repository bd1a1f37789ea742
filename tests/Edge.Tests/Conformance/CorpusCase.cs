using System.Text;
using System.Text.RegularExpressions;
using Groundcrew.Tests.Support;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>
/// One case of a corpus file: lines <c>word: rest</c>, and behind <c>sees:</c> what was recorded, each line indented by
/// two spaces. Several cases stand in one file, each under <c>=== name</c>. In bytes stand <c>\r \n \t \\ \xNN</c>, and
/// <c>\{x*500}</c> for a text repeated; the end of a line of the file stands for nothing.
/// </summary>
internal sealed partial record CorpusCase(string Name, string Head, IReadOnlyList<string> Expected)
{
    public static string Root { get; } = Path.Combine(Checkout.Root, "tests/Edge.Tests/corpus");

    /// <summary>The bytes of all lines of a word, joined.</summary>
    public string Joined(string word) => string.Concat(Lines(word));

    public IEnumerable<string> Lines(string word) =>
        Head.Split('\n').Where(l => l.StartsWith(word + ":", StringComparison.Ordinal)).Select(l => l[(word.Length + 1)..].TrimStart(' '));

    public static byte[] Bytes(string text)
    {
        text = text.Replace("{host}", "Host: app.example.org", StringComparison.Ordinal);
        text = Repeats().Replace(text, m => string.Concat(Enumerable.Repeat(m.Groups[1].Value, int.Parse(m.Groups[2].Value))));
        return Encoding.Latin1.GetBytes(Escapes().Replace(text, m => m.Value[1] switch
        {
            'r' => "\r",
            'n' => "\n",
            't' => "\t",
            's' => " ",
            'x' => ((char)Convert.ToInt32(m.Groups[1].Value, 16)).ToString(),
            _ => "\\",
        }));
    }

    /// <summary>All cases of a folder, by file.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<CorpusCase>> Load(string folder) =>
        Directory.GetFiles(Path.Combine(Root, folder), "*.txt").Order(StringComparer.Ordinal).ToDictionary(f => f, f => Parse(File.ReadAllText(f)), StringComparer.Ordinal);

    /// <summary>The file's text with what was seen now.</summary>
    public string With(IEnumerable<string> seen) => $"=== {Name}\n{Head}sees:\n{string.Concat(seen.Select(s => $"  {s}\n"))}";

    private static IReadOnlyList<CorpusCase> Parse(string text)
    {
        var cases = new List<CorpusCase>();
        foreach (var part in ("\n" + text).Split("\n=== ").Skip(1))
        {
            var lines = part.TrimEnd('\n').Split('\n');
            var sees = Array.IndexOf(lines, "sees:");
            var head = lines[1..(sees < 0 ? lines.Length : sees)];
            cases.Add(new CorpusCase(lines[0], string.Concat(head.Where(l => l.Length > 0).Select(l => l + "\n")), sees < 0 ? [] : [.. lines[(sees + 1)..].Where(l => l.Length > 0).Select(l => l[2..])]));
        }
        return cases;
    }

    [GeneratedRegex(@"\\\{([^*{}]+)\*([0-9]+)\}")]
    private static partial Regex Repeats();

    [GeneratedRegex(@"\\(?:x([0-9a-fA-F]{2})|[rnts\\])")]
    private static partial Regex Escapes();
}
