using System.Text;
using System.Text.RegularExpressions;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// Which files of a package a service's <c>exclude</c> leaves out. Immutable and thread-safe; takes time linear in the
/// path, whatever the patterns.
/// </summary>
public sealed class ExcludedFiles
{
    private readonly IReadOnlyList<Regex> _patterns;

    /// <summary>From the patterns of a manifest, as <see cref="ServiceSettings.Exclude"/> gives them.</summary>
    public ExcludedFiles(IEnumerable<string> patterns) =>
        _patterns = [.. patterns.Select(pattern => new Regex(Translate(pattern), RegexOptions.NonBacktracking | RegexOptions.Singleline))];

    /// <summary>Whether a file stays out. The path is relative to the manifest's folder, parted by <c>/</c>, without <c>./</c> in front.</summary>
    public bool Covers(string path) => _patterns.Any(pattern => pattern.IsMatch(path));

    private static string Translate(string pattern)
    {
        var body = pattern.StartsWith("./", StringComparison.Ordinal) ? pattern[2..] : pattern;
        var isFolder = body.EndsWith('/');
        body = body.TrimEnd('/');
        var isFromRoot = body.Contains('/') || pattern != body && pattern.StartsWith("./", StringComparison.Ordinal);
        var regex = new StringBuilder(isFromRoot ? "^" : "^(?:.*/)?");
        for (var at = 0; at < body.Length; at++)
        {
            var rest = body.AsSpan(at);
            var (text, length) = rest switch
            {
                _ when rest.StartsWith("**/") => ("(?:.*/)?", 3),
                _ when rest.StartsWith("**") => (".*", 2),
                ['*', ..] => ("[^/]*", 1),
                ['?', ..] => ("[^/]", 1),
                _ => (Regex.Escape(body[at].ToString()), 1),
            };
            regex.Append(text);
            at += length - 1;
        }
        return regex.Append(isFolder ? "/.*\\z" : "(?:/.*)?\\z").ToString();
    }
}
