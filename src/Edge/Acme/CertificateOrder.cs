using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Acme;

/// <summary>Shows the answers to challenges wherever the authority may come by: on every edge.</summary>
public interface IAcmeChallenges
{
    /// <summary>
    /// Shows one answer; returns when every edge shows it, for the authority looks at once. A throw ends the order.
    /// </summary>
    Task PublishAsync(AcmeChallenge challenge, CancellationToken cancellation);

    /// <summary>
    /// Shows it no more. Called once for each challenge that was given to <see cref="PublishAsync"/>, also when that threw,
    /// and whether or not the name was proven. A throw ends the order.
    /// </summary>
    Task WithdrawAsync(AcmeChallenge challenge, CancellationToken cancellation);
}

/// <summary>A certificate that an authority issued, with its key. Immutable.</summary>
/// <param name="Chain">The certificate and those above it, PEM, the certificate first.</param>
/// <param name="Key">Its private key, PKCS#8 PEM, on P-256.</param>
/// <param name="NotBefore">From when it is good.</param>
/// <param name="NotAfter">Until when it is good.</param>
public sealed record IssuedCertificate(string Chain, Secret Key, DateTimeOffset NotBefore, DateTimeOffset NotAfter);

/// <summary>How an order ended.</summary>
public abstract record CertificateOutcome
{
    private CertificateOutcome()
    {
    }

    /// <summary>There is a certificate.</summary>
    public sealed record Issued(IssuedCertificate Certificate) : CertificateOutcome;

    /// <summary>The authority wants to be asked later: <see cref="AcmeProblem.RetryAfter"/> says when, if it said so. Nothing is wrong with the names.</summary>
    public sealed record RateLimited(AcmeProblem Problem) : CertificateOutcome;

    /// <summary>It failed; <see cref="RenewalState.AfterFailure"/> says when to try again.</summary>
    public sealed record Failed(AcmeProblem Problem) : CertificateOutcome;
}

/// <summary>
/// Obtains a certificate: order, proof of every name, signing request with a new key, download. The account must be
/// registered before. Thread-safe: several orders may run at once.
/// </summary>
public sealed class CertificateOrder(AcmeClient client, IAcmeChallenges challenges, TimeProvider clock)
{
    /// <summary>How long taking the answers back may last; it also happens when the caller gave up.</summary>
    private static readonly TimeSpan WithdrawLimit = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Does all of it and waits for the end, which may take minutes. Throws what <see cref="IAcmeChallenges"/> throws
    /// (an <see cref="AggregateException"/> when answers could not be taken back) and
    /// <see cref="OperationCanceledException"/>; whatever the authority does is an outcome.
    /// </summary>
    /// <param name="names">DNS names, without wildcards: neither kind of proof is for those.</param>
    /// <param name="kind">The proof to give for each of them.</param>
    /// <param name="cancellation">Gives up; published answers are taken back all the same.</param>
    public async Task<CertificateOutcome> ObtainAsync(IReadOnlyList<string> names, AcmeChallengeKind kind, CancellationToken cancellation)
    {
        try
        {
            var order = await client.NewOrderAsync(names, cancellation);
            await ProveAsync(order, kind, cancellation);
            return new CertificateOutcome.Issued(await IssueAsync(order, names, cancellation));
        }
        catch (AcmeException e)
        {
            return e.Problem.IsRateLimit ? new CertificateOutcome.RateLimited(e.Problem) : new CertificateOutcome.Failed(e.Problem);
        }
    }

    private async Task ProveAsync(AcmeOrder order, AcmeChallengeKind kind, CancellationToken cancellation)
    {
        var published = new List<AcmeChallenge>();
        ExceptionDispatchInfo? failure = null;
        try
        {
            await ProveEachAsync(order, kind, published, cancellation);
        }
        catch (Exception e)
        {
            failure = ExceptionDispatchInfo.Capture(e);
        }
        // Before the certificate is asked for: an answer that stays behind ends an order while nothing is lost yet.
        var left = await WithdrawAsync(published);
        if (left.Count > 0)
            throw new AggregateException("Answers to challenges could not be taken back.", failure is null ? left : left.Prepend(failure.SourceException));
        failure?.Throw();
    }

    private async Task ProveEachAsync(AcmeOrder order, AcmeChallengeKind kind, List<AcmeChallenge> published, CancellationToken cancellation)
    {
        var open = new List<AcmeAuthorization>();
        foreach (var url in order.Authorizations)
        {
            var authorization = await client.AuthorizationAsync(url, cancellation);
            if (authorization.Status == AcmeStatus.Valid)
                continue;
            open.Add(authorization);
            var challenge = Choose(authorization, kind);
            published.Add(challenge);
            await challenges.PublishAsync(challenge, cancellation);
        }
        foreach (var challenge in published)
            await client.AnswerAsync(challenge, cancellation);
        foreach (var authorization in open)
        {
            var settled = await client.SettleAsync(authorization, cancellation);
            if (settled.Status != AcmeStatus.Valid)
                throw new AcmeException(Why(settled));
        }
    }

    private static AcmeChallenge Choose(AcmeAuthorization authorization, AcmeChallengeKind kind)
    {
        if (authorization.Status != AcmeStatus.Pending)
            throw new AcmeException(Why(authorization));
        return authorization.Challenges.FirstOrDefault(c => c.Kind == kind)
            ?? throw new AcmeException(new AcmeProblem(AcmeProblem.NoChallengeType,
                $"The authority does not offer {kind} for {(authorization.IsWildcard ? "*." : "")}{authorization.Name}."));
    }

    private static AcmeProblem Why(AcmeAuthorization authorization) =>
        authorization.Challenges.Select(c => c.Error).FirstOrDefault(e => e is not null)
        ?? new AcmeProblem("about:blank", $"The authority holds the proof of {authorization.Name} for {authorization.Status} and does not say why.");

    private async Task<List<Exception>> WithdrawAsync(List<AcmeChallenge> published)
    {
        using var limit = new CancellationTokenSource(WithdrawLimit, clock);
        var left = new List<Exception>();
        foreach (var challenge in published)
        {
            try
            {
                await challenges.WithdrawAsync(challenge, limit.Token);
            }
            catch (Exception e)
            {
                left.Add(e);
            }
        }
        return left;
    }

    private async Task<IssuedCertificate> IssueAsync(AcmeOrder begun, IReadOnlyList<string> names, CancellationToken cancellation)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var order = await client.SettleAsync(begun, cancellation);
        if (order.Status == AcmeStatus.Ready)
        {
            order = await FinalizeAsync(order, SigningRequest(key, names), cancellation);
            if (order.Status == AcmeStatus.Processing)
                order = await client.SettleAsync(order, cancellation);
        }
        if (order.Status != AcmeStatus.Valid)
            throw new AcmeException(order.Error ?? new AcmeProblem("about:blank", $"The order is {order.Status} and the authority does not say why."));
        if (order.Certificate is null)
            throw AcmeException.BadAnswer("The authority sent a valid order without a certificate.");
        return Check(await client.DownloadAsync(order, cancellation), key);
    }

    private async Task<AcmeOrder> FinalizeAsync(AcmeOrder order, byte[] request, CancellationToken cancellation)
    {
        try
        {
            return await client.FinalizeAsync(order, request, cancellation);
        }
        catch (AcmeException e) when (e.Problem is { IsPassing: true, IsRateLimit: false })
        {
            // The request may have arrived and only its answer be lost; then the order has gone on.
            var seen = await client.SettleAsync(order, cancellation);
            if (seen.Status == AcmeStatus.Ready)
                throw;
            return seen;
        }
    }

    /// <summary>The names stand only where they are looked for: the subject stays empty.</summary>
    private static byte[] SigningRequest(ECDsa key, IReadOnlyList<string> names)
    {
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names.Select(n => n.ToLowerInvariant()).Distinct(StringComparer.Ordinal))
            alternatives.AddDnsName(name);
        var request = new CertificateRequest(new X500DistinguishedName(""), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(alternatives.Build());
        return request.CreateSigningRequest();
    }

    private static IssuedCertificate Check(string chain, ECDsa key)
    {
        using var certificate = X509Certificate2.CreateFromPem(chain);
        try
        {
            if (!certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()))
                throw AcmeException.BadAnswer("The authority sent a certificate for another key.");
            return new IssuedCertificate(
                chain, new Secret(key.ExportPkcs8PrivateKeyPem()),
                new DateTimeOffset(certificate.NotBefore).ToUniversalTime(), new DateTimeOffset(certificate.NotAfter).ToUniversalTime());
        }
        catch (CryptographicException e)
        {
            throw AcmeException.BadAnswer($"The authority sent a certificate that cannot be read: {e.Message}", e);
        }
    }
}
