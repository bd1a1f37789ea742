using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Groundcrew.Edge.Acme;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>One order from end to end, where it goes wrong.</summary>
public sealed class CertificateOrderTests : IAsyncLifetime
{
    private static readonly AcmeClientOptions Quick = new() { FirstPoll = TimeSpan.FromMilliseconds(10) };

    private readonly SocketsHttpHandler _handler = AcmeClient.NewHandler();
    private FakeAuthority _fake = null!;
    private AcmeClient _client = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _fake = await FakeAuthority.StartAsync();
        _client = _fake.Client(_handler, options: Quick);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _handler.Dispose();
        await _fake.DisposeAsync();
    }

    [Fact]
    public async Task An_invalid_order_fails_with_the_problems_of_its_names()
    {
        _fake.OneOrder("invalid", """
            ,"error":{"type":"urn:ietf:params:acme:error:compound","detail":"Two names.","status":403,"subproblems":[
              {"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids it.","identifier":{"type":"dns","value":"one.test"}},
              {"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"Forbidden.","identifier":{"type":"dns","value":"two.test"}}]}
            """, authorization: "valid");

        var problem = await FailAsync(new KeptChallenges());

        Assert.Equal(("urn:ietf:params:acme:error:compound", 403), (problem.Type, problem.Status));
        Assert.Equal(["one.test", "two.test"], problem.Subproblems.Select(p => p.Name));
        Assert.Equal("urn:ietf:params:acme:error:caa", problem.Subproblems[0].Type);
        Assert.Contains("two.test: Forbidden.", problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proof_that_fails_says_why_and_its_answer_is_taken_back()
    {
        _fake.OneOrder();
        var looks = 0;
        _fake.On("/authz", c => c.Response.WriteAsync(Interlocked.Increment(ref looks) == 1
            ? _fake.Authorization("pending")
            : _fake.Authorization("invalid", more: ""","error":{"type":"urn:ietf:params:acme:error:dns","detail":"No such name."}""")));
        var kept = new KeptChallenges();

        var problem = await FailAsync(kept);

        Assert.Equal(("urn:ietf:params:acme:error:dns", "No such name."), (problem.Type, problem.Detail));
        var challenge = Assert.Single(kept.Published);
        Assert.Equal(challenge, Assert.Single(kept.Withdrawn));
        Assert.Equal("/.well-known/acme-challenge/a-token-of-22-letters_", challenge.HttpPath);
        Assert.StartsWith(challenge.Token + ".", challenge.KeyAuthorization, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kind_of_proof_that_is_not_offered_publishes_nothing()
    {
        _fake.OneOrder();
        var kept = new KeptChallenges();
        var outcome = await new CertificateOrder(_client, kept, TimeProvider.System).ObtainAsync(["one.test"], AcmeChallengeKind.TlsAlpn01, Ct);
        Assert.Equal(AcmeProblem.NoChallengeType, Assert.IsType<CertificateOutcome.Failed>(outcome).Problem.Type);
        Assert.Empty(kept.Published);
    }

    [Fact]
    public async Task An_edge_that_cannot_publish_ends_the_order_and_is_asked_to_withdraw()
    {
        _fake.OneOrder();
        var kept = new KeptChallenges { OnPublish = new IOException("The edge is gone.") };
        var thrown = await Assert.ThrowsAsync<IOException>(() => ObtainAsync(kept));
        Assert.Equal("The edge is gone.", thrown.Message);
        Assert.Single(kept.Withdrawn);
        Assert.DoesNotContain("POST /challenge", _fake.Asked);
    }

    [Fact]
    public async Task An_answer_that_stays_behind_ends_the_order_and_hides_nothing()
    {
        _fake.OneOrder();
        var kept = new KeptChallenges { OnPublish = new IOException("first"), OnWithdraw = new IOException("second") };
        var thrown = await Assert.ThrowsAsync<AggregateException>(() => ObtainAsync(kept));
        Assert.Equal(["first", "second"], thrown.InnerExceptions.Select(e => e.Message));
    }

    [Fact]
    public async Task An_answer_is_taken_back_although_the_caller_gave_up()
    {
        _fake.OneOrder();
        using var giving = new CancellationTokenSource();
        _fake.On("/challenge", async c =>
        {
            await giving.CancelAsync();
            await c.Response.WriteAsync("{}");
        });
        var kept = new KeptChallenges();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => new CertificateOrder(_client, kept, TimeProvider.System).ObtainAsync(["one.test"], AcmeChallengeKind.Http01, giving.Token));
        Assert.Single(kept.Withdrawn);
    }

    [Theory]
    [InlineData("/order", 3)]
    [InlineData("/certificate", 3)]
    [InlineData("/finalize", 1)]
    public async Task Answers_that_are_lost_on_the_way_cost_no_certificate(string path, int times)
    {
        _fake.Issuing(DevelopmentAuthority.New(TimeProvider.System), new Dictionary<string, int>(StringComparer.Ordinal) { [path] = times });
        var issued = Assert.IsType<CertificateOutcome.Issued>(await ObtainAsync(new KeptChallenges())).Certificate;
        Assert.Empty(CertificateJudge.Judge(issued.Chain, issued.Key, ["one.test"], TimeProvider.System.GetUtcNow()).Problems);
        Assert.Equal(1, _fake.Asked.Count(a => a == "POST /finalize"));
    }

    [Fact]
    public async Task A_signing_request_that_never_arrives_fails_the_order()
    {
        _fake.Issuing(DevelopmentAuthority.New(TimeProvider.System), new Dictionary<string, int>(StringComparer.Ordinal));
        _fake.Json("/finalize", 500, "");
        Assert.Equal(500, (await FailAsync(new KeptChallenges())).Status);
    }

    [Fact]
    public async Task A_certificate_for_another_key_is_a_bad_answer()
    {
        var other = DevelopmentAuthority.New(TimeProvider.System).Issue("localhost").Value!;
        var certificate = $",\"certificate\":\"{_fake.At("/certificate")}\"";
        _fake.OneOrder("ready", certificate, "valid");
        _fake.Json("/finalize", 200, $$"""{"status":"valid","authorizations":[],"finalize":"{{_fake.At("/finalize")}}"{{certificate}}}""");
        _fake.On("/certificate", c => c.Response.WriteAsync(other.Chain));
        var problem = await FailAsync(new KeptChallenges());
        Assert.Equal(AcmeProblem.BadAnswerType, problem.Type);
        Assert.Contains("another key", problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void The_certificate_of_a_TLS_challenge_holds_the_digest_in_a_critical_extension()
    {
        using var certificate = TlsAlpnChallenge.Certificate("one.test", "token.thumbprint", TimeProvider.System);
        var extension = Assert.Single(certificate.Extensions, e => e.Oid?.Value == "1.3.6.1.5.5.7.1.31");
        Assert.True(extension.Critical);
        byte[] digest = [0x04, 32, .. SHA256.HashData(Encoding.ASCII.GetBytes("token.thumbprint"))];
        Assert.Equal(digest, extension.RawData);
        Assert.Equal(["one.test"], certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateDnsNames());
        Assert.True(certificate.HasPrivateKey);
    }

    private Task<CertificateOutcome> ObtainAsync(IAcmeChallenges challenges) =>
        new CertificateOrder(_client, challenges, TimeProvider.System).ObtainAsync(["one.test"], AcmeChallengeKind.Http01, Ct);

    private async Task<AcmeProblem> FailAsync(IAcmeChallenges challenges) =>
        Assert.IsType<CertificateOutcome.Failed>(await ObtainAsync(challenges)).Problem;
}
