using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Acme;

/// <summary>The directory as it is sent (RFC 8555, 7.1.1).</summary>
internal sealed record WireDirectory(string? NewNonce, string? NewAccount, string? NewOrder, string? RevokeCert, WireMeta? Meta);

/// <summary>What a directory says about its authority.</summary>
internal sealed record WireMeta(string? TermsOfService, string? Website, bool? ExternalAccountRequired);

/// <summary>An account as it is sent (RFC 8555, 7.1.2).</summary>
internal sealed record WireAccount(string? Status, IReadOnlyList<string>? Contact);

/// <summary>What is asked for to make or find an account (RFC 8555, 7.3).</summary>
internal sealed record WireNewAccount(
    IReadOnlyList<string>? Contact, bool? TermsOfServiceAgreed, bool? OnlyReturnExisting, JsonElement? ExternalAccountBinding);

/// <summary>A name that a certificate is to hold.</summary>
internal sealed record WireIdentifier(string? Type, string? Value);

/// <summary>What is asked for to begin an order (RFC 8555, 7.4).</summary>
internal sealed record WireNewOrder(IReadOnlyList<WireIdentifier> Identifiers);

/// <summary>An order as it is sent (RFC 8555, 7.1.3).</summary>
internal sealed record WireOrder(
    string? Status, DateTimeOffset? Expires, IReadOnlyList<WireIdentifier?>? Identifiers, IReadOnlyList<string?>? Authorizations,
    string? Finalize, string? Certificate, WireProblem? Error);

/// <summary>An authorization as it is sent (RFC 8555, 7.1.4).</summary>
internal sealed record WireAuthorization(WireIdentifier? Identifier, string? Status, bool? Wildcard, IReadOnlyList<WireChallenge?>? Challenges);

/// <summary>A challenge as it is sent (RFC 8555, 7.1.5).</summary>
internal sealed record WireChallenge(string? Type, string? Url, string? Token, string? Status, WireProblem? Error);

/// <summary>The request that ends an order (RFC 8555, 7.4).</summary>
internal sealed record WireFinalize(string Csr);

/// <summary>The request that takes a certificate back (RFC 8555, 7.6).</summary>
internal sealed record WireRevocation(string Certificate, int Reason);

/// <summary>A problem document as it is sent (RFC 7807; RFC 8555, 6.7.1).</summary>
internal sealed record WireProblem(
    string? Type, string? Detail, int? Status = null, IReadOnlyList<WireProblem?>? Subproblems = null, WireIdentifier? Identifier = null);

/// <summary>Bytes of the authority and back. Pure.</summary>
internal static class Wire
{
    /// <summary>Reads an answer's body; throws <see cref="AcmeException"/> when it is not what it should be.</summary>
    public static T Read<T>(ReadOnlySpan<byte> body, string what)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(body, Json.Options)
                ?? throw AcmeException.BadAnswer($"The authority sent nothing where {what} should be.");
        }
        catch (JsonException e)
        {
            throw AcmeException.BadAnswer($"The authority sent {what} that cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Writes a request's payload.</summary>
    public static byte[] Write<T>(T payload) => JsonSerializer.SerializeToUtf8Bytes(payload, Json.Options);

    /// <summary>Reads a problem document; null when the body is none.</summary>
    public static WireProblem? TryReadProblem(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<WireProblem>(body, Json.Options);
        }
        catch (JsonException)
        {
            // A refusal by something in between, such as a proxy's page: the status alone says what can be said.
            return null;
        }
    }

    /// <summary>Reads a status (RFC 8555, 7.1.6).</summary>
    public static AcmeStatus Status(string? text, string what) => text switch
    {
        "pending" => AcmeStatus.Pending,
        "ready" => AcmeStatus.Ready,
        "processing" => AcmeStatus.Processing,
        "valid" => AcmeStatus.Valid,
        "invalid" => AcmeStatus.Invalid,
        "deactivated" => AcmeStatus.Deactivated,
        "expired" => AcmeStatus.Expired,
        "revoked" => AcmeStatus.Revoked,
        _ => throw AcmeException.BadAnswer($"The authority sent {what} with a status that RFC 8555 does not know."),
    };
}
