using System.Text.RegularExpressions;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract.Manifest;

/// <summary>A rule for a text.</summary>
/// <param name="Kind">The problem of a text that breaks it.</param>
/// <param name="Says">What the text is: <c>a domain</c>.</param>
/// <param name="Why">What is wrong with a text; null when nothing is.</param>
/// <param name="Pattern">The rule for editors, as far as a pattern can say it; null for any text.</param>
/// <param name="IsPrivate">Whether a refused text stays out of the message: it may be a secret that was put there by mistake.</param>
internal sealed record TextRule(ProblemKind Kind, string Says, Func<string, string?> Why, string? Pattern, bool IsPrivate = false)
{
    /// <summary>Whether a text keeps the rule; if not, the judgement has the problem.</summary>
    public bool Accepts(string text, string path, Judgement judgement)
    {
        if (Why(text) is not { } why)
            return true;
        judgement.Refuse(Kind, path, $"{(IsPrivate ? "The text" : $"'{Words.Show(text)}'")} is not {Says}: {why}.");
        return false;
    }
}

/// <summary>The rules for the texts of a manifest.</summary>
internal static partial class TextRules
{
    private const int MaxUrlPath = 1024;
    private const int MaxImage = 512;
    private const int MaxDomain = 253;

    /// <summary>Linux takes at most 128 KiB for one variable (MAX_ARG_STRLEN); a character may have four bytes.</summary>
    private const int MaxValue = 32 * 1024;

    private const string NamePattern = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$";

    public static TextRule Name { get; } = new(ProblemKinds.BadName, "a name", WhyNoName, NamePattern);

    public static TextRule SecretName { get; } = new(ProblemKinds.BadName, "the name of a secret", WhyNoName, NamePattern, IsPrivate: true);

    public static TextRule Line { get; } = new(ProblemKinds.BadLine, "a line for the shell", WhyNoLine, @"^[^\r\n\u0000]*\S[^\r\n\u0000]*$");

    public static TextRule Word { get; } = new(ProblemKinds.BadCommand, "a word of a command", WhyNoWord, Pattern: null);

    public static TextRule UrlPath { get; } = new(ProblemKinds.BadUrlPath, "a path", WhyNoUrlPath, @"^/[!-~]*$");

    public static TextRule PackagePath { get; } = new(ProblemKinds.BadPackagePath, "a path inside the manifest's folder", WhyOutside, "^[^/~]");

    public static TextRule Glob { get; } = new(ProblemKinds.BadGlob, "a pattern of files", WhyOutside, "^[^/~]");

    public static TextRule Image { get; } = new(ProblemKinds.BadImage, "an image reference",
        text => text.Length > MaxImage ? $"it has {text.Length} characters; {MaxImage} is the most"
            : ImagePattern().IsMatch(text) ? null : "it is not of the form registry/name:tag",
        "^[A-Za-z0-9]");

    public static TextRule Domain { get; } = new(ProblemKinds.BadDomain, "a domain", WhyNoDomain, @"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$");

    public static TextRule VariableName { get; } = new(ProblemKinds.BadVariable, "the name of a variable",
        text => VariablePattern().IsMatch(text) ? null : "only letters, digits and '_' may stand in it, and no digit first",
        "^[A-Za-z_][A-Za-z0-9_]*$");

    public static TextRule FreeVariable { get; } = new(ProblemKinds.ReservedVariable, "free",
        text => text is "PORT" or "HOST" or "HOME" or "TMPDIR" or "DEPLOYMENT" or "PROJECT" or "ORG" or "ENVIRONMENT" or "REGION" || text.StartsWith("INSTANCE_", StringComparison.Ordinal) || text.StartsWith("GROUNDCREW_", StringComparison.Ordinal)
            ? "the platform sets it" : null,
        "^(?!(PORT|HOST|HOME|TMPDIR|DEPLOYMENT|PROJECT|ORG|ENVIRONMENT|REGION)$|INSTANCE_|GROUNDCREW_)");

    public static TextRule VariableValue { get; } = new(ProblemKinds.BadValue, "a value for a variable",
        text => text.Contains('\0') ? "it holds a NUL"
            : text.Length > MaxValue ? $"it has {text.Length} characters; {MaxValue} is the most" : null,
        Pattern: null, IsPrivate: true);

    private static string? WhyNoName(string text) => Slug.IsValid(text, out var why) ? null : why;

    private static string? WhyNoLine(string text) =>
        string.IsNullOrWhiteSpace(text) ? "it is empty"
        : text.TrimEnd('\n').AsSpan().ContainsAny("\r\n") ? "it has a line break"
        : text.Contains('\0') ? "it holds a NUL" : null;

    private static string? WhyNoWord(string text)
    {
        if (text.Contains('\0'))
            return "it holds a NUL";
        var open = text.LastIndexOf("${", StringComparison.Ordinal);
        return open >= 0 && text.IndexOf('}', open) < 0 ? "a '${' is not closed" : null;
    }

    private static string? WhyNoUrlPath(string text) =>
        !text.StartsWith('/') ? "it does not begin with '/'"
        : text.Any(c => c is <= ' ' or > '~' or '#') ? "only visible ASCII characters but '#' may stand in it; encode others as %XX"
        : text.Length > MaxUrlPath ? $"it has {text.Length} characters; {MaxUrlPath} is the most" : null;

    private static string? WhyOutside(string text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return "it is empty";
        if (text[0] is '/' or '~')
            return "it does not begin in the manifest's folder";
        if (text.AsSpan().ContainsAny("\0\n\\"))
            return "it holds a NUL, a line break or a '\\'; folders are parted by '/'";
        var depth = 0;
        foreach (var part in text.Split('/'))
        {
            depth += part switch { ".." => -1, "" or "." => 0, _ => 1 };
            if (depth < 0)
                return "it leaves the manifest's folder";
        }
        return null;
    }

    private static string? WhyNoDomain(string text)
    {
        if (text.AsSpan().ContainsAny("/:@"))
            return "a scheme, a port or a path stands in it";
        if (text.Contains('*'))
            return "wildcards cannot stand in it";
        if (text.Any(char.IsAsciiLetterUpper))
            return "it has capital letters";
        if (text.Length > MaxDomain)
            return $"it has {text.Length} characters; {MaxDomain} is the most";
        var labels = text.Split('.');
        if (labels.Length < 2)
            return "it has no dot, and must be a full name";
        if (labels.FirstOrDefault(label => !LabelPattern().IsMatch(label)) is { } label)
            return label.Length == 0 ? "a part of it is empty" : $"its part '{Words.Show(label)}' is not 1 to 63 characters of a-z, 0-9 and '-' inside";
        return labels[^1].All(char.IsAsciiDigit) ? "it ends in a number, as an address does" : null;
    }

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]*\z")]
    private static partial Regex VariablePattern();

    [GeneratedRegex(@"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\z")]
    private static partial Regex LabelPattern();

    // The grammar of the Distribution project: an optional host, parts in lower case, a tag, a digest.
    [GeneratedRegex(@"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ImagePattern();
}
