using System.Text;

namespace Groundcrew.Edge;

/// <summary>What <c>Cache-Control</c> is to say, by path. Immutable; asking allocates nothing.</summary>
internal sealed class CacheRules(IReadOnlyList<CacheRule> rules)
{
    private readonly (string Path, bool IsPrefix, string Value)[] _rules =
        [.. rules.Select(r => (r.Path.TrimEnd('*'), r.Path is [.., '*'], ValueOf(r)))];

    /// <summary>The value for an answer; null where no rule fits. Only good answers to GET and HEAD have one, 304 among them (RFC 9110, section 15.4.5).</summary>
    public string? For(string method, ReadOnlySpan<char> path, int status)
    {
        if (method is not ("GET" or "HEAD") || status is not ((>= 200 and < 300) or 304))
            return null;
        foreach (var rule in _rules)
            if (rule.IsPrefix ? path.StartsWith(rule.Path) : path.SequenceEqual(rule.Path))
                return rule.Value;
        return null;
    }

    private static string ValueOf(CacheRule rule)
    {
        var value = new StringBuilder(rule.Scope switch { CacheScope.Public => "public, ", CacheScope.Private => "private, ", _ => "" });
        value.Append($"max-age={(long)rule.MaxAge.TotalSeconds}");
        if (rule.SharedMaxAge is { } shared)
            value.Append($", s-maxage={(long)shared.TotalSeconds}");
        if (rule.Immutable)
            value.Append(", immutable");
        return value.ToString();
    }
}
