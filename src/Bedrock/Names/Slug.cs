using System.Diagnostics.CodeAnalysis;

namespace Groundcrew.Bedrock;

/// <summary>
/// The rules for the names that people choose (organizations, projects, environments, services, nodes, regions).
/// A slug is 1 to 40 characters of <c>a-z</c>, <c>0-9</c> and <c>-</c>, starts with a letter or digit, and does not
/// end with a hyphen, so that it may stand inside one DNS label (RFC 1035, section 2.3.1).
/// </summary>
public static class Slug
{
    /// <summary>The longest slug, in characters.</summary>
    public const int MaxLength = 40;

    /// <summary>The longest DNS label, in bytes (RFC 1035, section 2.3.4).</summary>
    public const int MaxLabelLength = 63;

    /// <summary>Whether <paramref name="text"/> is a slug; when not, <paramref name="why"/> says what to change.</summary>
    public static bool IsValid(string? text, [NotNullWhen(false)] out string? why)
    {
        why = text switch
        {
            null or "" => "it is empty",
            { Length: > MaxLength } => $"it has {text.Length} characters; {MaxLength} is the most",
            _ when text.Any(c => c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-')) =>
                "only a-z, 0-9 and '-' may stand in it",
            _ when text[0] == '-' || text[^1] == '-' => "it may not start or end with '-'",
            _ => null,
        };
        return why is null;
    }
}
