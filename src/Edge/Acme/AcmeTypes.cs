using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Acme;

/// <summary>The limits of a client. Immutable; the defaults are what production starts with.</summary>
public sealed record AcmeClientOptions
{
    /// <summary>How long one request may take, its answer read whole.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest answer in bytes; a larger one is refused unread.</summary>
    public int MaxAnswerBytes { get; init; } = 512 * 1024;

    /// <summary>How often one request is sent at most while its nonce is refused.</summary>
    public int NonceAttempts { get; init; } = 10;

    /// <summary>
    /// The shortest wait between two looks at something that the authority works on. It grows by half each time up to
    /// <see cref="LongestPoll"/>; a longer <c>Retry-After</c> is honoured as it is.
    /// </summary>
    public TimeSpan FirstPoll { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The wait between two looks when the authority names none and has been working for long.</summary>
    public TimeSpan LongestPoll { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long the authority may work on one authorization or order in all.</summary>
    public TimeSpan PollLimit { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>Where a thing of the authority stands (RFC 8555, 7.1.6).</summary>
public enum AcmeStatus
{
    /// <summary>Something is to be done by us, or is being checked.</summary>
    Pending,

    /// <summary>All names of an order are proven; it can be finalized.</summary>
    Ready,

    /// <summary>The authority works.</summary>
    Processing,

    /// <summary>Proven, or issued.</summary>
    Valid,

    /// <summary>Failed for good.</summary>
    Invalid,

    /// <summary>Given up by us.</summary>
    Deactivated,

    /// <summary>Too old.</summary>
    Expired,

    /// <summary>Taken back by the authority.</summary>
    Revoked,
}

/// <summary>What an authority offers, and on which terms (RFC 8555, 7.1.1). Immutable.</summary>
/// <param name="NewNonce">Where nonces come from.</param>
/// <param name="NewAccount">Where accounts are made.</param>
/// <param name="NewOrder">Where orders are begun.</param>
/// <param name="RevokeCert">Where certificates are taken back; null when the authority does not do that.</param>
/// <param name="TermsOfService">What a person agrees to; null when there are no terms.</param>
/// <param name="ExternalAccountRequired">Whether a new account must be bound to one that exists elsewhere.</param>
public sealed record AcmeDirectory(Uri NewNonce, Uri NewAccount, Uri NewOrder, Uri? RevokeCert, Uri? TermsOfService, bool ExternalAccountRequired);

/// <summary>What is said when an account is made. Immutable.</summary>
/// <param name="Contacts">Where the authority writes to, such as <c>mailto:ops@example.org</c>; may be empty.</param>
/// <param name="TermsAgreed">Whether a person agreed to <see cref="AcmeDirectory.TermsOfService"/>.</param>
/// <param name="External">The account elsewhere that this one belongs to; null when the authority wants none.</param>
public sealed record AcmeRegistration(IReadOnlyList<string> Contacts, bool TermsAgreed, ExternalAccount? External = null);

/// <summary>An account that exists elsewhere with the authority (RFC 8555, 7.3.4). Immutable.</summary>
/// <param name="KeyId">The name that the authority gave its key.</param>
/// <param name="MacKey">The key, base64url, as the authority gave it.</param>
public sealed record ExternalAccount(string KeyId, Secret MacKey);

/// <summary>The account that the client's key opens (RFC 8555, 7.1.2). Immutable.</summary>
/// <param name="Url">What names it.</param>
/// <param name="Status">Valid, or why it is of no use.</param>
/// <param name="Contacts">Where the authority writes to.</param>
public sealed record AcmeAccount(Uri Url, AcmeStatus Status, IReadOnlyList<string> Contacts);

/// <summary>An order for one certificate (RFC 8555, 7.1.3). Immutable: a later look gives a new one.</summary>
/// <param name="Url">What names it.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Names">The DNS names that the certificate is to hold.</param>
/// <param name="Authorizations">Where it is said how to prove each name.</param>
/// <param name="Finalize">Where the signing request goes.</param>
/// <param name="Certificate">Where the chain is; null until the order is valid.</param>
/// <param name="Expires">When it lapses; null when the authority does not say.</param>
/// <param name="Error">Why it is invalid; null when it is not, or when the authority does not say.</param>
public sealed record AcmeOrder(
    Uri Url, AcmeStatus Status, IReadOnlyList<string> Names, IReadOnlyList<Uri> Authorizations, Uri Finalize, Uri? Certificate,
    DateTimeOffset? Expires, AcmeProblem? Error);

/// <summary>How one name can be proven (RFC 8555, 7.1.4). Immutable: a later look gives a new one.</summary>
/// <param name="Url">What names it.</param>
/// <param name="Name">The DNS name, without the asterisk of a wildcard.</param>
/// <param name="IsWildcard">Whether it is for every name below that name.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Challenges">The ways of proof that are offered and known to us; one of them suffices.</param>
public sealed record AcmeAuthorization(
    Uri Url, string Name, bool IsWildcard, AcmeStatus Status, IReadOnlyList<AcmeChallenge> Challenges);

/// <summary>Why a certificate is taken back (RFC 5280, 5.3.1); the number is the one on the wire.</summary>
public enum RevocationReason
{
    /// <summary>Not said.</summary>
    Unspecified = 0,

    /// <summary>Somebody else has, or may have, the key.</summary>
    KeyCompromise = 1,

    /// <summary>Another certificate took its place.</summary>
    Superseded = 4,

    /// <summary>The names are ours no more, or are no longer served.</summary>
    CessationOfOperation = 5,
}
