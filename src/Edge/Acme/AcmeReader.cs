namespace Groundcrew.Edge.Acme;

/// <summary>
/// Judges what the authority sent and turns it into our types. Throws <see cref="AcmeException"/> for what RFC 8555 does
/// not allow: nothing of an answer is used unseen. Pure.
/// </summary>
/// <param name="directory">The authority's directory: no link may leave its scheme.</param>
/// <param name="thumbprint">Of the account's key, for key authorizations.</param>
internal sealed class AcmeReader(Uri directory, string thumbprint)
{
    private const int MostNames = 1000;
    private const int MostChallenges = 100;

    /// <summary>128 bits of randomness are 22 characters (RFC 8555, 8.3); a little less is left to the authority.</summary>
    private const int ShortestToken = 16;
    private const int LongestToken = 256;

    public AcmeDirectory Directory(AcmeAnswer answer)
    {
        var wire = Wire.Read<WireDirectory>(answer.Body, "a directory");
        return new AcmeDirectory(
            Link(wire.NewNonce, "newNonce"), Link(wire.NewAccount, "newAccount"), Link(wire.NewOrder, "newOrder"),
            wire.RevokeCert is { } revoke ? Link(revoke, "revokeCert") : null,
            Uri.TryCreate(wire.Meta?.TermsOfService, UriKind.Absolute, out var terms) ? terms : null,
            wire.Meta?.ExternalAccountRequired == true);
    }

    public AcmeAccount Account(AcmeAnswer answer)
    {
        var wire = Wire.Read<WireAccount>(answer.Body, "an account");
        return new AcmeAccount(Place(answer, "an account"), Wire.Status(wire.Status, "an account"), wire.Contact ?? []);
    }

    public AcmeOrder NewOrder(AcmeAnswer answer) => Order(Place(answer, "an order"), answer);

    public AcmeOrder Order(Uri url, AcmeAnswer answer)
    {
        var wire = Wire.Read<WireOrder>(answer.Body, "an order");
        var authorizations = wire.Authorizations ?? throw AcmeException.BadAnswer("The authority sent an order without authorizations.");
        if (authorizations.Count > MostNames || wire.Identifiers?.Count > MostNames)
            throw AcmeException.BadAnswer($"The authority sent an order of more than {MostNames} names.");
        return new AcmeOrder(
            url, Wire.Status(wire.Status, "an order"), [.. (wire.Identifiers ?? []).Select(i => i?.Value).OfType<string>()],
            [.. authorizations.Select(a => Link(a, "authorization"))], Link(wire.Finalize, "finalize"),
            wire.Certificate is { } certificate ? Link(certificate, "certificate") : null,
            wire.Expires, wire.Error is { } error ? AcmeProblem.From(error) : null);
    }

    public AcmeAuthorization Authorization(Uri url, AcmeAnswer answer)
    {
        var wire = Wire.Read<WireAuthorization>(answer.Body, "an authorization");
        if (wire.Identifier is not { Type: "dns", Value: { Length: > 0 } name })
            throw AcmeException.BadAnswer("The authority sent an authorization that is for no DNS name.");
        var challenges = (wire.Challenges ?? []).Take(MostChallenges).Select(c => Challenge(name, c)).OfType<AcmeChallenge>();
        return new AcmeAuthorization(url, name, wire.Wildcard == true, Wire.Status(wire.Status, "an authorization"), [.. challenges]);
    }

    /// <summary>Null for a kind that we do not know: authorities offer what they like.</summary>
    private AcmeChallenge? Challenge(string name, WireChallenge? wire)
    {
        AcmeChallengeKind? kind = wire?.Type switch
        {
            "http-01" => AcmeChallengeKind.Http01,
            "tls-alpn-01" => AcmeChallengeKind.TlsAlpn01,
            _ => null,
        };
        if (wire is null || kind is not { } known)
            return null;
        // The token becomes a part of a path that others may ask for, so it is never taken on trust.
        if (!AcmeText.IsToken(wire.Token, ShortestToken, LongestToken))
            throw AcmeException.BadAnswer("The authority sent a challenge whose token is not base64url.");
        return new AcmeChallenge(
            known, name, wire.Token!, $"{wire.Token}.{thumbprint}", Link(wire.Url, "challenge"),
            Wire.Status(wire.Status, "a challenge"), wire.Error is { } error ? AcmeProblem.From(error) : null);
    }

    private Uri Place(AcmeAnswer answer, string what) =>
        answer.Location is { } place ? Link(place.AbsoluteUri, what) : throw AcmeException.BadAnswer($"The authority made {what} and did not say where.");

    private Uri Link(string? text, string what)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var link))
            throw AcmeException.BadAnswer($"The authority's link '{what}' is missing or is no absolute address.");
        // Requests carry proofs of who we are: they never leave the protection that the directory came under.
        return link.Scheme == directory.Scheme
            ? link
            : throw AcmeException.BadAnswer($"The authority's link '{what}' leads from {directory.Scheme} to {link.Scheme}.");
    }
}
