using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;
using Groundcrew.Edge.Acme;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>The client with a real authority that refuses every fifth nonce.</summary>
public sealed class PebbleTests(Pebble pebble) : IClassFixture<Pebble>, IDisposable
{
    private static readonly AcmeClientOptions Quick = new() { FirstPoll = TimeSpan.FromMilliseconds(50) };

    private readonly SocketsHttpHandler _handler = AcmeClient.NewHandler(pebble.Roots);

    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_certificate_is_obtained_over_HTTP_01_for_several_names()
    {
        await using var edge = await ChallengeEdge.StartAsync(pebble);
        using var client = await RegisteredAsync();

        var issued = await ObtainAsync(client, edge, AcmeChallengeKind.Http01, "one.acme.test", "Two.acme.test");

        Assert.Equal(["one.acme.test", "two.acme.test"], edge.Published.Order(StringComparer.Ordinal));
        Assert.Equal(edge.Published, edge.Withdrawn);
        Assert.Equal(0, edge.Shown);
        await AssertGoodAsync(issued, "one.acme.test", "two.acme.test");
    }

    [Fact]
    public async Task A_certificate_is_obtained_over_TLS_ALPN_01()
    {
        await using var edge = await ChallengeEdge.StartAsync(pebble);
        using var client = await RegisteredAsync();

        var issued = await ObtainAsync(client, edge, AcmeChallengeKind.TlsAlpn01, "tls.acme.test");

        Assert.NotEmpty(edge.Asked);
        Assert.Equal(0, edge.Shown);
        await AssertGoodAsync(issued, "tls.acme.test");
    }

    [Theory]
    [InlineData(AcmeChallengeKind.Http01)]
    [InlineData(AcmeChallengeKind.TlsAlpn01)]
    public async Task The_edge_itself_shows_what_the_authority_looks_for_and_serves_what_it_issues(AcmeChallengeKind kind)
    {
        await using var edge = await TakingHost.StartAsync(_folder.Path, pebble.HttpPort, tlsPort: pebble.TlsPort);
        using var client = await RegisteredAsync();

        var outcome = await new CertificateOrder(client, new TableChallenges(edge.Table), TimeProvider.System).ObtainAsync(["first.acme.test"], kind, Ct);
        var issued = Assert.IsType<CertificateOutcome.Issued>(outcome).Certificate;
        Assert.Empty(edge.Table.Current!.Challenges);
        edge.Certificates.Serve(1, new KeyedCertificate(issued.Chain, issued.Key), "first.acme.test");
        var serial = "";
        await using var tls = await TlsClients.OpenAsync(pebble.TlsPort, "first.acme.test", s => serial = s);
        Assert.Equal(edge.Certificates.Current.Find("first.acme.test")!.Info.Serial, serial);
    }

    [Fact]
    public async Task A_name_under_challenge_shows_its_usual_certificate_to_everybody_else()
    {
        await using var edge = await ChallengeEdge.StartAsync(pebble);
        await edge.PublishAsync(new AcmeChallenge(AcmeChallengeKind.TlsAlpn01, "tls.acme.test", "token", "token.thumbprint", pebble.Directory, AcmeStatus.Pending, null), Ct);
        Assert.Equal("CN=Groundcrew development", await SubjectShownAsync(SslApplicationProtocol.Http2, SslApplicationProtocol.Http11));
        Assert.Equal("CN=Groundcrew development", await SubjectShownAsync());
        Assert.Equal("CN=Groundcrew development", await SubjectShownAsync(TlsAlpnChallenge.Protocol, SslApplicationProtocol.Http11));
        Assert.Equal("CN=acme-tls-alpn-01", await SubjectShownAsync(TlsAlpnChallenge.Protocol));
    }

    [Fact]
    public async Task A_name_that_does_not_answer_fails_with_the_words_of_the_authority()
    {
        await using var edge = await ChallengeEdge.StartAsync(pebble, silent: true);
        using var client = await RegisteredAsync();

        var outcome = await new CertificateOrder(client, edge, TimeProvider.System).ObtainAsync(["dark.acme.test"], AcmeChallengeKind.Http01, Ct);

        var problem = Assert.IsType<CertificateOutcome.Failed>(outcome).Problem;
        Assert.StartsWith("urn:ietf:params:acme:error:", problem.Type, StringComparison.Ordinal);
        Assert.Contains("404", problem.Detail, StringComparison.Ordinal);
        Assert.Equal(["dark.acme.test"], edge.Withdrawn);
    }

    [Fact]
    public async Task A_name_that_the_authority_refuses_fails_the_order()
    {
        await using var edge = await ChallengeEdge.StartAsync(pebble);
        using var client = await RegisteredAsync();
        var outcome = await new CertificateOrder(client, edge, TimeProvider.System).ObtainAsync(["*.acme.test"], AcmeChallengeKind.Http01, Ct);
        Assert.Equal(AcmeProblem.NoChallengeType, Assert.IsType<CertificateOutcome.Failed>(outcome).Problem.Type);
        Assert.Empty(edge.Published);
    }

    [Fact]
    public async Task A_key_has_one_account_and_finds_it_again()
    {
        var key = AcmeAccountKey.New();
        using var first = ClientOf(key);
        Assert.Null(await first.FindAccountAsync(Ct));
        var made = await first.RegisterAsync(new AcmeRegistration(["mailto:ops@acme.test"], TermsAgreed: true), Ct);
        using var second = ClientOf(key);

        var found = await second.FindAccountAsync(Ct);

        Assert.Equal(made.Url, found!.Url);
        Assert.Equal(AcmeStatus.Valid, found.Status);
        Assert.Equal(["mailto:ops@acme.test"], found.Contacts);
        Assert.Equal(made.Url, (await second.RegisterAsync(new AcmeRegistration([], TermsAgreed: true), Ct)).Url);
    }

    [Fact]
    public async Task An_order_without_an_account_is_refused()
    {
        using var client = ClientOf(AcmeAccountKey.New());
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.NewOrderAsync(["one.acme.test"], Ct));
        Assert.Equal(AcmeProblem.NoAccountType, thrown.Problem.Type);
    }

    [Fact]
    public async Task Terms_that_nobody_agreed_to_make_no_account()
    {
        using var client = ClientOf(AcmeAccountKey.New());
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.RegisterAsync(new AcmeRegistration([], TermsAgreed: false), Ct));
        Assert.Equal(403, thrown.Problem.Status);
        Assert.NotNull((await client.DirectoryAsync(Ct)).TermsOfService);
    }

    [Fact]
    public async Task A_certificate_is_taken_back_once()
    {
        await using var edge = await ChallengeEdge.StartAsync(pebble);
        using var client = await RegisteredAsync();
        var issued = await ObtainAsync(client, edge, AcmeChallengeKind.Http01, "back.acme.test");

        await client.RevokeAsync(issued.Chain, RevocationReason.Superseded, Ct);

        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.RevokeAsync(issued.Chain, RevocationReason.Superseded, Ct));
        Assert.Equal("urn:ietf:params:acme:error:alreadyRevoked", thrown.Problem.Type);
    }

    [Fact]
    public async Task Refused_nonces_are_not_seen_by_the_caller()
    {
        using var counter = new CountingHandler { InnerHandler = AcmeClient.NewHandler(pebble.Roots) };
        using var client = new AcmeClient(pebble.Directory, AcmeAccountKey.New(), counter, TimeProvider.System, Quick);
        await client.RegisterAsync(new AcmeRegistration([], TermsAgreed: true), Ct);
        for (var i = 0; i < 60; i++)
            Assert.NotNull(await client.FindAccountAsync(Ct));
        Assert.NotEqual(0, counter.Refused);
    }

    [Fact]
    public async Task An_account_is_bound_to_one_that_exists_elsewhere()
    {
        await using var strict = new Pebble { WantsExternalAccount = true };
        await strict.InitializeAsync();
        using var handler = AcmeClient.NewHandler(strict.Roots);
        using var client = new AcmeClient(strict.Directory, AcmeAccountKey.New(), handler, TimeProvider.System, Quick);
        Assert.True((await client.DirectoryAsync(Ct)).ExternalAccountRequired);
        var unbound = await Assert.ThrowsAsync<AcmeException>(() => client.RegisterAsync(new AcmeRegistration([], TermsAgreed: true), Ct));
        Assert.Equal("urn:ietf:params:acme:error:externalAccountRequired", unbound.Problem.Type);

        var account = await client.RegisterAsync(
            new AcmeRegistration([], TermsAgreed: true, new ExternalAccount(Pebble.ExternalKeyId, new Secret(Pebble.ExternalKey))), Ct);

        Assert.Equal(AcmeStatus.Valid, account.Status);
    }

    [Fact]
    public async Task An_authority_whose_server_is_not_trusted_is_not_spoken_to()
    {
        using var handler = AcmeClient.NewHandler(DevelopmentAuthority.New(TimeProvider.System).Certificate);
        using var client = new AcmeClient(pebble.Directory, AcmeAccountKey.New(), handler, TimeProvider.System);
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.DirectoryAsync(Ct));
        Assert.Equal(AcmeProblem.UnreachableType, thrown.Problem.Type);
    }

    public void Dispose()
    {
        _handler.Dispose();
        _folder.Dispose();
    }

    private async Task<string> SubjectShownAsync(params List<SslApplicationProtocol> offered)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, pebble.TlsPort, Ct);
        await using var tls = new SslStream(connection.GetStream());
        string? shown = null;
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "tls.acme.test",
            ApplicationProtocols = offered,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => (shown = certificate?.Subject) is not null,
        }, Ct);
        return shown!;
    }

    private AcmeClient ClientOf(Secret key) => new(pebble.Directory, key, _handler, TimeProvider.System, Quick);

    private async Task<AcmeClient> RegisteredAsync()
    {
        var client = ClientOf(AcmeAccountKey.New());
        await client.RegisterAsync(new AcmeRegistration([], TermsAgreed: true), Ct);
        return client;
    }

    private static async Task<IssuedCertificate> ObtainAsync(AcmeClient client, ChallengeEdge edge, AcmeChallengeKind kind, params string[] names)
    {
        var outcome = await new CertificateOrder(client, edge, TimeProvider.System).ObtainAsync(names, kind, Ct);
        return outcome is CertificateOutcome.Issued issued ? issued.Certificate : throw new InvalidOperationException(outcome.ToString());
    }

    private async Task AssertGoodAsync(IssuedCertificate issued, params string[] names)
    {
        var judged = CertificateJudge.Judge(issued.Chain, issued.Key, names, TimeProvider.System.GetUtcNow());
        Assert.Empty(judged.Problems);
        Assert.Equal(names, judged.Value!.Names);
        Assert.Equal((judged.Value.NotBefore, judged.Value.NotAfter), (issued.NotBefore, issued.NotAfter));
        using var root = await pebble.RootAsync();
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
        chain.ChainPolicy.CustomTrustStore.Add(root);
        chain.ChainPolicy.ExtraStore.ImportFromPem(issued.Chain);
        using var certificate = X509Certificate2.CreateFromPem(issued.Chain);
        Assert.True(chain.Build(certificate), string.Join(", ", chain.ChainStatus.Select(s => s.StatusInformation)));
    }

    /// <summary>Challenges in the route table, as the control plane puts them there.</summary>
    private sealed class TableChallenges(EdgeTable table) : IAcmeChallenges
    {
        private readonly Dictionary<string, ChallengeAnswer> _shown = new(StringComparer.Ordinal);
        private long _generation;

        public Task PublishAsync(AcmeChallenge challenge, CancellationToken cancellation)
        {
            _shown[challenge.Token] = new ChallengeAnswer(challenge.Name, challenge.Token, challenge.KeyAuthorization);
            return ApplyAsync();
        }

        public Task WithdrawAsync(AcmeChallenge challenge, CancellationToken cancellation)
        {
            _shown.Remove(challenge.Token);
            return ApplyAsync();
        }

        private async Task ApplyAsync() => Assert.IsType<ApplyOutcome.Applied>(
            await Task.Run(() => table.Apply(Tables.Of(++_generation) with { Challenges = [.. _shown.Values] }), Ct));
    }

    private sealed class CountingHandler : DelegatingHandler
    {
        private int _refused;

        public int Refused => Volatile.Read(ref _refused);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            if (response.StatusCode == HttpStatusCode.BadRequest)
                Interlocked.Increment(ref _refused);
            return response;
        }
    }
}
