using System.Text;

namespace Groundcrew.Edge.Acme;

/// <summary>
/// Why a certificate authority did not do what it was asked: its own problem document (RFC 8555, 6.7; RFC 7807), or one
/// of the types below when no document was to be had. Texts are the authority's, cut to a bounded length and freed of
/// control characters. Immutable.
/// </summary>
/// <param name="Type">The URN, such as <c>urn:ietf:params:acme:error:caa</c>; <c>about:blank</c> when the authority named none.</param>
/// <param name="Detail">What is wrong, for a person.</param>
/// <param name="Status">The HTTP status; null when there was no answer, or when the problem was found inside an order or challenge.</param>
/// <param name="RetryAfter">How long the authority wants to be left alone, at most <see cref="LongestWait"/>; null when it did not say.</param>
public sealed record AcmeProblem(string Type, string Detail, int? Status = null, TimeSpan? RetryAfter = null)
{
    /// <summary>The authority's limit of how often something may be asked is reached (RFC 8555, 6.6).</summary>
    public const string RateLimitedType = "urn:ietf:params:acme:error:rateLimited";

    /// <summary>The nonce of a request was not accepted; the client repeats such a request by itself.</summary>
    public const string BadNonceType = "urn:ietf:params:acme:error:badNonce";

    /// <summary>The key belongs to no account of this authority.</summary>
    public const string NoAccountType = "urn:ietf:params:acme:error:accountDoesNotExist";

    /// <summary>Ours: the authority cannot be reached, or the connection broke.</summary>
    public const string UnreachableType = "urn:groundcrew:acme:unreachable";

    /// <summary>Ours: the authority did not answer, or did not finish its work, in the time that it was given.</summary>
    public const string TimedOutType = "urn:groundcrew:acme:timed-out";

    /// <summary>Ours: the authority's answer is not what RFC 8555 says, or is larger than it may be.</summary>
    public const string BadAnswerType = "urn:groundcrew:acme:bad-answer";

    /// <summary>Ours: the authority offers no challenge of the kind that was asked for.</summary>
    public const string NoChallengeType = "urn:groundcrew:acme:no-such-challenge";

    private const string Blank = "about:blank";
    private const int LongestText = 1000;
    private const int MostSubproblems = 100;

    /// <summary>The longest wait that is taken from an authority; a longer one is cut to this.</summary>
    public static TimeSpan LongestWait { get; } = TimeSpan.FromDays(7);

    /// <summary>What is wrong with single names of the request (RFC 8555, 6.7.1); empty when the authority named none.</summary>
    public IReadOnlyList<AcmeSubproblem> Subproblems { get; init; } = [];

    /// <summary>Whether the request would have been fine at another time: the caller waits and asks again.</summary>
    public bool IsRateLimit => Type == RateLimitedType || Status == 429 || (Status == 503 && RetryAfter is not null);

    /// <summary>
    /// Whether nothing was decided: the same request may do later, and one that changes something may have been done.
    /// </summary>
    internal bool IsPassing => Type is UnreachableType or TimedOutType || IsRateLimit || Status >= 500;

    /// <summary>One line for a person: detail, type, and every name that has a problem of its own.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Detail).Append(" (").Append(Type);
        if (Status is { } status)
            text.Append(", status ").Append(status);
        text.Append(')');
        foreach (var part in Subproblems)
            text.Append("; ").Append(part);
        return text.ToString();
    }

    /// <summary>Reads a problem document, with its HTTP status and wait where it came as an answer.</summary>
    internal static AcmeProblem From(WireProblem wire, int? status = null, TimeSpan? retryAfter = null) =>
        new(Clean(wire.Type) ?? Blank, Clean(wire.Detail) ?? "The authority gave no reason.", status ?? wire.Status, retryAfter)
        {
            Subproblems = [.. (wire.Subproblems ?? []).OfType<WireProblem>().Take(MostSubproblems)
                .Select(p => new AcmeSubproblem(Clean(p.Type) ?? Blank, Clean(p.Detail) ?? "", Clean(p.Identifier?.Value)))],
        };

    /// <summary>The problem of an answer that refuses without saying why.</summary>
    internal static AcmeProblem Of(int status, TimeSpan? retryAfter) =>
        new(Blank, $"The authority answered with status {status} and no problem document.", status, retryAfter);

    private static string? Clean(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var cut = text.Length > LongestText ? text[..LongestText] + "…" : text;
        return string.Create(cut.Length, cut, (to, from) =>
        {
            for (var i = 0; i < from.Length; i++)
                to[i] = char.IsControl(from[i]) ? ' ' : from[i];
        });
    }
}

/// <summary>What is wrong with one name of a request (RFC 8555, 6.7.1). Immutable.</summary>
/// <param name="Type">The URN of the problem.</param>
/// <param name="Detail">What is wrong, for a person.</param>
/// <param name="Name">The DNS name; null when the authority named none.</param>
public sealed record AcmeSubproblem(string Type, string Detail, string? Name)
{
    /// <summary>One clause for a person.</summary>
    public override string ToString() => $"{Name ?? "?"}: {Detail} ({Type})";
}

/// <summary>A call to the authority that ended with a problem; nothing else is thrown by <see cref="AcmeClient"/> for what the authority does.</summary>
/// <param name="problem">What the authority said, or what was wrong with the way to it.</param>
/// <param name="inner">What was thrown below, if anything.</param>
public sealed class AcmeException(AcmeProblem problem, Exception? inner = null) : Exception(problem.ToString(), inner)
{
    /// <summary>What the authority said, or what was wrong with the way to it.</summary>
    public AcmeProblem Problem { get; } = problem;

    internal static AcmeException BadAnswer(string detail, Exception? inner = null) =>
        new(new AcmeProblem(AcmeProblem.BadAnswerType, detail), inner);
}
