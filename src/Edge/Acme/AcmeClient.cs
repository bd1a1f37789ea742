using System.Buffers.Text;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Acme;

/// <summary>
/// Speaks ACME (RFC 8555) with one authority for one account. Every method throws <see cref="AcmeException"/> when the
/// authority refuses, cannot be reached or does not speak the protocol, and <see cref="OperationCanceledException"/>
/// when the caller gives up. Whatever only reads and waits (settle, download) goes on through broken connections and
/// short rate limits until <see cref="AcmeClientOptions.PollLimit"/>. <see cref="CertificateOrder"/> does a whole order with it. Thread-safe.
/// </summary>
public sealed class AcmeClient : IDisposable
{
    private const string ChainType = "application/pem-certificate-chain";
    private const string JsonType = "application/json";
    private const int MostNames = 100;

    private readonly Uri _directory;
    private readonly TimeProvider _clock;
    private readonly AcmeClientOptions _options;
    private readonly AccountSigner _signer;
    private readonly AcmeTransport _transport;
    private readonly AcmeReader _reader;
    private AcmeDirectory? _known;
    private Uri? _account;

    /// <summary>Asks nobody yet.</summary>
    /// <param name="directory">The authority's directory: HTTPS, or HTTP on the loopback address.</param>
    /// <param name="accountKey">A key of <see cref="AcmeAccountKey.New"/>; anything else is an <see cref="ArgumentException"/>.</param>
    /// <param name="handler">Carries the requests, such as one of <see cref="NewHandler"/>; it stays the caller's to dispose of.</param>
    /// <param name="clock">For time limits and waits.</param>
    /// <param name="options">Other limits than the defaults.</param>
    public AcmeClient(Uri directory, Secret accountKey, HttpMessageHandler handler, TimeProvider clock, AcmeClientOptions? options = null)
    {
        if (!directory.IsAbsoluteUri || !(directory.Scheme == Uri.UriSchemeHttps || (directory.Scheme == Uri.UriSchemeHttp && directory.IsLoopback)))
            throw new ArgumentException("A directory is reached over HTTPS.", nameof(directory));
        (_directory, _clock, _options) = (directory, clock, options ?? new AcmeClientOptions());
        _signer = new AccountSigner(accountKey);
        _transport = new AcmeTransport(handler, _signer, clock, _options);
        _reader = new AcmeReader(directory, _signer.Thumbprint);
    }

    /// <summary>
    /// A handler as this client wants it: no cookies, no redirects, and connections that see changes of DNS. With
    /// <paramref name="roots"/> (PEM) the authority's server is trusted by these alone, as a private authority needs.
    /// </summary>
    public static SocketsHttpHandler NewHandler(string? roots = null)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        if (roots is null)
            return handler;
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(roots);
        handler.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trust };
        return handler;
    }

    /// <summary>What the authority offers; asked for once.</summary>
    public async Task<AcmeDirectory> DirectoryAsync(CancellationToken cancellation)
    {
        if (Volatile.Read(ref _known) is { } known)
            return known;
        var directory = _reader.Directory(await _transport.GetAsync(_directory, cancellation));
        Volatile.Write(ref _known, directory);
        return directory;
    }

    /// <summary>Makes the account of the client's key, or gives the one that is there already (RFC 8555, 7.3).</summary>
    public async Task<AcmeAccount> RegisterAsync(AcmeRegistration registration, CancellationToken cancellation)
    {
        var directory = await DirectoryAsync(cancellation);
        var binding = registration.External is { } external
            ? JsonSerializer.Deserialize<JsonElement>(_signer.Bind(directory.NewAccount, external))
            : (JsonElement?)null;
        return await AccountAsync(
            new WireNewAccount(registration.Contacts, registration.TermsAgreed ? true : null, OnlyReturnExisting: null, binding), cancellation);
    }

    /// <summary>The account of the client's key (RFC 8555, 7.3.1); null when the authority knows none.</summary>
    public async Task<AcmeAccount?> FindAccountAsync(CancellationToken cancellation)
    {
        try
        {
            return await AccountAsync(new WireNewAccount(null, null, OnlyReturnExisting: true, null), cancellation);
        }
        catch (AcmeException e) when (e.Problem.Type == AcmeProblem.NoAccountType)
        {
            return null;
        }
    }

    /// <summary>Begins an order for one certificate (RFC 8555, 7.4). Names are DNS names, at most 100, in any case.</summary>
    public async Task<AcmeOrder> NewOrderAsync(IReadOnlyList<string> names, CancellationToken cancellation)
    {
        var wanted = names.Select(n => n.ToLowerInvariant()).Distinct(StringComparer.Ordinal).ToList();
        if (wanted.Count is 0 or > MostNames || wanted.Any(string.IsNullOrWhiteSpace))
            throw new ArgumentException($"An order is for 1 to {MostNames} names.", nameof(names));
        var directory = await DirectoryAsync(cancellation);
        var payload = Wire.Write(new WireNewOrder([.. wanted.Select(n => new WireIdentifier("dns", n))]));
        return _reader.NewOrder(await PostAsync(directory.NewOrder, payload, cancellation));
    }

    /// <summary>Looks at an order.</summary>
    public async Task<AcmeOrder> OrderAsync(Uri order, CancellationToken cancellation) =>
        _reader.Order(order, await PostAsync(order, [], cancellation));

    /// <summary>Looks at how a name can be proven (RFC 8555, 7.5).</summary>
    public async Task<AcmeAuthorization> AuthorizationAsync(Uri authorization, CancellationToken cancellation) =>
        _reader.Authorization(authorization, await PostAsync(authorization, [], cancellation));

    /// <summary>Says that a challenge is ready to be looked at (RFC 8555, 7.5.1).</summary>
    public Task AnswerAsync(AcmeChallenge challenge, CancellationToken cancellation) =>
        PostAsync(challenge.Url, "{}"u8.ToArray(), cancellation);

    /// <summary>Waits until an authorization is pending no more.</summary>
    public Task<AcmeAuthorization> SettleAsync(AcmeAuthorization authorization, CancellationToken cancellation) =>
        PollAsync(
            new Look<AcmeAuthorization>(authorization.Url, a => _reader.Authorization(authorization.Url, a), a => a.Status != AcmeStatus.Pending),
            $"the proof of {authorization.Name}", cancellation);

    /// <summary>Waits until the authority works on an order no more: it is ready, valid or failed.</summary>
    public Task<AcmeOrder> SettleAsync(AcmeOrder order, CancellationToken cancellation) =>
        PollAsync(
            new Look<AcmeOrder>(order.Url, a => _reader.Order(order.Url, a), o => o.Status is not (AcmeStatus.Pending or AcmeStatus.Processing)),
            "the order", cancellation);

    /// <summary>Hands in the signing request (PKCS#10, DER) of an order that is ready.</summary>
    public async Task<AcmeOrder> FinalizeAsync(AcmeOrder order, byte[] request, CancellationToken cancellation)
    {
        var payload = Wire.Write(new WireFinalize(Base64Url.EncodeToString(request)));
        return _reader.Order(order.Url, await PostAsync(order.Finalize, payload, cancellation));
    }

    /// <summary>
    /// The chain of a valid order as PEM, the certificate itself first (RFC 8555, 7.4.2). It is the authority's preferred
    /// chain; others that it links to are not asked for.
    /// </summary>
    public Task<string> DownloadAsync(AcmeOrder order, CancellationToken cancellation)
    {
        var place = order.Certificate ?? throw new ArgumentException($"The order is {order.Status}; there is no certificate.", nameof(order));
        return PollAsync(new Look<string>(place, a => PemChain.Clean(a.Body), _ => true, ChainType), "the download", cancellation);
    }

    /// <summary>Takes a certificate of this account back (RFC 8555, 7.6); the first one of the PEM text is meant.</summary>
    public async Task RevokeAsync(string chain, RevocationReason reason, CancellationToken cancellation)
    {
        var directory = await DirectoryAsync(cancellation);
        var place = directory.RevokeCert ?? throw AcmeException.BadAnswer("The authority does not say where certificates are taken back.");
        using var certificate = X509Certificate2.CreateFromPem(chain);
        var text = Base64Url.EncodeToString(certificate.RawData);
        await PostAsync(place, Wire.Write(new WireRevocation(text, (int)reason)), cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _transport.Dispose();
        _signer.Dispose();
    }

    private async Task<AcmeAccount> AccountAsync(WireNewAccount wanted, CancellationToken cancellation)
    {
        var directory = await DirectoryAsync(cancellation);
        var answer = await _transport.PostAsync(directory.NewNonce, directory.NewAccount, account: null, Wire.Write(wanted), cancellation);
        var account = _reader.Account(answer);
        Volatile.Write(ref _account, account.Url);
        return account;
    }

    private async Task<AcmeAnswer> PostAsync(Uri url, byte[] payload, CancellationToken cancellation, string accept = JsonType)
    {
        var directory = await DirectoryAsync(cancellation);
        var account = Volatile.Read(ref _account) ?? (await FindAccountAsync(cancellation))?.Url
            ?? throw new AcmeException(new AcmeProblem(AcmeProblem.NoAccountType, "The authority knows no account of this key; register one."));
        return await _transport.PostAsync(directory.NewNonce, url, account, payload, cancellation, accept);
    }

    /// <summary>
    /// Looks until something is settled. A look that fails in passing is repeated: an order that is lost for one broken
    /// connection counts against the authority's limits all the same.
    /// </summary>
    private async Task<T> PollAsync<T>(Look<T> look, string what, CancellationToken cancellation)
    {
        var begun = _clock.GetTimestamp();
        var pace = _options.FirstPoll;
        while (true)
        {
            var (seen, failure, wanted) = await LookAsync(look, cancellation);
            if (seen is not null && look.IsSettled(seen))
                return seen;
            var wait = wanted > pace ? wanted.Value : pace;
            if (_clock.GetElapsedTime(begun) + wait > _options.PollLimit)
                throw failure ?? new AcmeException(new AcmeProblem(
                    AcmeProblem.TimedOutType, $"The authority did not finish {what} within {_options.PollLimit.TotalSeconds} s.", RetryAfter: wanted));
            await Task.Delay(wait, _clock, cancellation);
            pace = TimeSpan.FromTicks(Math.Min(pace.Ticks * 3 / 2, Math.Max(pace.Ticks, _options.LongestPoll.Ticks)));
        }
    }

    private async Task<(T? Seen, AcmeException? Failure, TimeSpan? Wait)> LookAsync<T>(Look<T> look, CancellationToken cancellation)
    {
        try
        {
            var answer = await PostAsync(look.Url, [], cancellation, look.Accept);
            return (look.Read(answer), null, answer.RetryAfter);
        }
        catch (AcmeException e) when (e.Problem.IsPassing)
        {
            return (default, e, e.Problem.RetryAfter);
        }
    }

    /// <summary>How something that the authority works on is looked at.</summary>
    private sealed record Look<T>(Uri Url, Func<AcmeAnswer, T> Read, Func<T, bool> IsSettled, string Accept = JsonType);
}
