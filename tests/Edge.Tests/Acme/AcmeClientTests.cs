using System.Collections.Concurrent;
using System.Security.Cryptography;
using Groundcrew.Bedrock;
using Groundcrew.Edge.Acme;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>The client with an authority that misbehaves.</summary>
public sealed class AcmeClientTests : IAsyncLifetime
{
    private static readonly AcmeClientOptions Quick = new() { FirstPoll = TimeSpan.FromMilliseconds(10) };

    private readonly SocketsHttpHandler _handler = AcmeClient.NewHandler();
    private FakeAuthority _fake = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _fake = await FakeAuthority.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _handler.Dispose();
        await _fake.DisposeAsync();
    }

    [Theory]
    [InlineData(429, "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"Too many.\"}", "120", 120)]
    [InlineData(429, "<html>slow down</html>", "7", 7)]
    [InlineData(503, "", "3600", 3600)]
    [InlineData(403, "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"Too many.\"}", null, null)]
    [InlineData(429, "{}", "Thu, 01 Jan 2026 00:10:00 GMT", 600)]
    [InlineData(429, "{}", "Wed, 31 Dec 2025 00:00:00 GMT", 0)]
    [InlineData(429, "{}", "2147483647", 604800)]
    [InlineData(429, "{}", "soon", null)]
    public async Task A_rate_limit_is_told_apart_with_its_wait(int status, string body, string? retryAfter, int? seconds)
    {
        _fake.Json("/new-order", status, body, retryAfter is null ? [] : [("Retry-After", retryAfter)]);
        using var client = _fake.Client(_handler, new ManualClock());

        var outcome = await new CertificateOrder(client, new KeptChallenges(), new ManualClock()).ObtainAsync(["one.test"], AcmeChallengeKind.Http01, Ct);

        var problem = Assert.IsType<CertificateOutcome.RateLimited>(outcome).Problem;
        Assert.True(problem.IsRateLimit);
        Assert.Equal(status, problem.Status);
        Assert.Equal(seconds is { } s ? TimeSpan.FromSeconds(s) : null, problem.RetryAfter);
    }

    [Theory]
    [InlineData(500, "")]
    [InlineData(503, "")]
    [InlineData(302, "")]
    [InlineData(404, "[1,2]")]
    [InlineData(400, "{\"type\":7}")]
    public async Task A_refusal_without_a_problem_document_is_known_by_its_status(int status, string body)
    {
        _fake.Json("/new-order", status, body);
        using var client = _fake.Client(_handler);
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.NewOrderAsync(["one.test"], Ct));
        Assert.Equal(("about:blank", status, false), (thrown.Problem.Type, thrown.Problem.Status, thrown.Problem.IsRateLimit));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"newNonce\":\"x\"}")]
    [InlineData("{\"newNonce\":\"file:///etc/passwd\",\"newAccount\":\"http://127.0.0.1/a\",\"newOrder\":\"http://127.0.0.1/o\"}")]
    public async Task A_directory_that_is_none_is_a_bad_answer(string body)
    {
        _fake.Json("/dir", 200, body);
        using var client = _fake.Client(_handler);
        await AssertBadAnswerAsync(() => client.DirectoryAsync(Ct));
    }

    [Fact]
    public async Task An_order_that_is_none_is_a_bad_answer()
    {
        using var client = _fake.Client(_handler);
        _fake.OneOrder(status: "splendid");
        await AssertBadAnswerAsync(() => client.NewOrderAsync(["one.test"], Ct));
        _fake.Json("/new-order", 201, """{"status":"pending","authorizations":[],"finalize":"x"}""", ("Location", "/order"));
        await AssertBadAnswerAsync(() => client.NewOrderAsync(["one.test"], Ct));
        _fake.Json("/new-order", 201, """{"status":"pending","authorizations":[],"finalize":"http://127.0.0.1/"}""");
        await AssertBadAnswerAsync(() => client.NewOrderAsync(["one.test"], Ct));
        _fake.Json("/new-order", 201, """{"status":"pending","authorizations":[],"finalize":"http://127.0.0.1/"}""", ("Location", "/order"));
        Assert.Equal(_fake.At("/order"), (await client.NewOrderAsync(["one.test"], Ct)).Url);
    }

    [Theory]
    [InlineData("../../../etc/passwd-and-more")]
    [InlineData("short")]
    [InlineData("")]
    public async Task A_token_that_is_unfit_for_a_path_is_a_bad_answer(string token)
    {
        _fake.OneOrder();
        _fake.Json("/authz", 200, _fake.Authorization("pending", token));
        using var client = _fake.Client(_handler);
        await AssertBadAnswerAsync(() => client.AuthorizationAsync(_fake.At("/authz"), Ct));
    }

    [Fact]
    public async Task An_answer_that_is_too_large_is_refused_unread()
    {
        _fake.On("/dir", async c =>
        {
            var part = new byte[64 * 1024];
            while (!c.RequestAborted.IsCancellationRequested)
                await c.Response.Body.WriteAsync(part, c.RequestAborted);
        });
        using var client = _fake.Client(_handler);
        await AssertBadAnswerAsync(() => client.DirectoryAsync(Ct));
    }

    [Fact]
    public async Task An_authority_that_does_not_answer_is_given_up_in_time()
    {
        _fake.On("/dir", c => Task.Delay(Timeout.Infinite, c.RequestAborted));
        var clock = new ManualClock();
        using var client = _fake.Client(_handler, clock);

        var asking = client.DirectoryAsync(Ct);
        await Eventually.TrueAsync(() => _fake.Asked.Count == 1, "the directory was asked for");
        Assert.False(asking.IsCompleted);
        clock.Advance(new AcmeClientOptions().RequestTimeout);

        var thrown = await Assert.ThrowsAsync<AcmeException>(() => asking);
        Assert.Equal(AcmeProblem.TimedOutType, thrown.Problem.Type);
    }

    [Fact]
    public async Task A_caller_who_gives_up_sees_that_and_no_problem()
    {
        _fake.On("/dir", c => Task.Delay(Timeout.Infinite, c.RequestAborted));
        using var client = _fake.Client(_handler);
        using var giving = new CancellationTokenSource();
        var asking = client.DirectoryAsync(giving.Token);
        await Eventually.TrueAsync(() => _fake.Asked.Count == 1, "the directory was asked for");
        await giving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task An_authority_that_is_gone_is_unreachable()
    {
        using var client = new AcmeClient(new Uri($"http://127.0.0.1:{FreePort.Next()}/dir"), AcmeAccountKey.New(), _handler, TimeProvider.System);
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.DirectoryAsync(Ct));
        Assert.Equal(AcmeProblem.UnreachableType, thrown.Problem.Type);
    }

    [Fact]
    public async Task A_nonce_that_is_never_accepted_ends_after_some_attempts()
    {
        _fake.Json("/new-order", 400, $$"""{"type":"{{AcmeProblem.BadNonceType}}","detail":"No."}""");
        using var client = _fake.Client(_handler, options: Quick with { NonceAttempts = 4 });
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.NewOrderAsync(["one.test"], Ct));
        Assert.Equal(AcmeProblem.BadNonceType, thrown.Problem.Type);
        Assert.Equal(4, _fake.Asked.Count(a => a == "POST /new-order"));
        Assert.Equal(1, _fake.Asked.Count(a => a == "HEAD /nonce"));
    }

    [Fact]
    public async Task A_wait_that_the_authority_names_is_honoured()
    {
        var clock = new ManualClock();
        var looks = new ConcurrentQueue<DateTimeOffset>();
        _fake.OneOrder();
        _fake.On("/order", async c =>
        {
            looks.Enqueue(clock.GetUtcNow());
            c.Response.Headers.RetryAfter = "20";
            var status = looks.Count < 3 ? "processing" : "valid";
            await c.Response.WriteAsync($$"""{"status":"{{status}}","authorizations":[],"finalize":"{{_fake.At("/finalize")}}"}""");
        });
        using var client = _fake.Client(_handler, clock, new AcmeClientOptions { RequestTimeout = TimeSpan.FromDays(1), PollLimit = TimeSpan.FromDays(1) });
        var order = await client.NewOrderAsync(["one.test"], Ct);

        var settling = client.SettleAsync(order, Ct);
        await Eventually.TrueAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return settling.IsCompleted;
        }, "the order settled");

        Assert.Equal(AcmeStatus.Valid, (await settling).Status);
        var times = looks.ToList();
        Assert.All(times.Zip(times.Skip(1)), pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromSeconds(20), $"{pair}"));
    }

    [Fact]
    public async Task A_wait_beyond_the_limit_is_not_begun()
    {
        _fake.OneOrder(status: "processing", headers: ("Retry-After", "400"));
        using var client = _fake.Client(_handler, new ManualClock());
        var order = await client.NewOrderAsync(["one.test"], Ct);
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.SettleAsync(order, Ct).WaitAsync(Eventually.Limit, Ct));
        Assert.Equal((AcmeProblem.TimedOutType, TimeSpan.FromSeconds(400)), (thrown.Problem.Type, thrown.Problem.RetryAfter));
    }

    [Fact]
    public async Task A_rate_limit_while_waiting_is_waited_for_when_it_is_short_and_told_when_it_is_long()
    {
        _fake.OneOrder(status: "processing");
        _fake.Json("/order", 429, "", ("Retry-After", "400"));
        var clock = new ManualClock();
        using var client = _fake.Client(_handler, clock, new AcmeClientOptions { RequestTimeout = TimeSpan.FromDays(1) });
        var order = await client.NewOrderAsync(["one.test"], Ct);
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.SettleAsync(order, Ct).WaitAsync(Eventually.Limit, Ct));
        Assert.Equal((true, TimeSpan.FromSeconds(400)), (thrown.Problem.IsRateLimit, thrown.Problem.RetryAfter));

        var looks = 0;
        _fake.On("/order", async c =>
        {
            c.Response.StatusCode = Interlocked.Increment(ref looks) < 3 ? 429 : 200;
            c.Response.Headers.RetryAfter = "30";
            await c.Response.WriteAsync($$"""{"status":"valid","authorizations":[],"finalize":"{{_fake.At("/finalize")}}"}""");
        });
        var settling = client.SettleAsync(order, Ct);
        await Eventually.TrueAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return settling.IsCompleted;
        }, "the order settled");
        Assert.Equal(AcmeStatus.Valid, (await settling).Status);
    }

    [Fact]
    public async Task What_a_problem_says_is_cut_and_cleaned()
    {
        _fake.Json("/new-order", 400, $$"""{"type":"urn:x","detail":"a\u001b[31m\nb{{new string('x', 5000)}}"}""");
        using var client = _fake.Client(_handler);
        var thrown = await Assert.ThrowsAsync<AcmeException>(() => client.NewOrderAsync(["one.test"], Ct));
        Assert.StartsWith("a [31m bxx", thrown.Problem.Detail, StringComparison.Ordinal);
        Assert.InRange(thrown.Problem.Detail.Length, 1000, 1001);
        Assert.Contains("(urn:x, status 400)", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_download_with_something_else_in_it_is_a_bad_answer()
    {
        var certificate = DevelopmentAuthority.New(TimeProvider.System).Issue("localhost").Value!;
        _fake.OneOrder("valid", $",\"certificate\":\"{_fake.At("/certificate")}\"", "valid");
        using var client = _fake.Client(_handler);
        var order = await client.NewOrderAsync(["one.test"], Ct);
        foreach (var body in new[] { "", "nothing", certificate.Key.Reveal(), certificate.Chain + certificate.Key.Reveal(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" })
        {
            _fake.On("/certificate", c => c.Response.WriteAsync(body));
            await AssertBadAnswerAsync(() => client.DownloadAsync(order, Ct));
        }
        _fake.On("/certificate", c => c.Response.WriteAsync("a comment\n" + certificate.Chain + certificate.Chain));
        Assert.Equal(certificate.Chain + certificate.Chain, await client.DownloadAsync(order, Ct));
    }

    [Fact]
    public void A_key_or_a_directory_that_is_unfit_is_refused_at_once()
    {
        using var rsa = RSA.Create(2048);
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        foreach (var key in new[] { "", "x", rsa.ExportPkcs8PrivateKeyPem(), curve.ExportPkcs8PrivateKeyPem(), curve.ExportSubjectPublicKeyInfoPem() })
        {
            var thrown = Assert.Throws<ArgumentException>(() => new AcmeClient(_fake.Directory, new Secret(key), _handler, TimeProvider.System));
            Assert.True(key.Length < 2 || !thrown.ToString().Contains(key, StringComparison.Ordinal));
        }
        Assert.Throws<ArgumentException>(() => new AcmeClient(new Uri("http://ca.example.org/dir"), AcmeAccountKey.New(), _handler, TimeProvider.System));
    }

    private static async Task AssertBadAnswerAsync(Func<Task> call)
    {
        var thrown = await Assert.ThrowsAsync<AcmeException>(call);
        Assert.Equal(AcmeProblem.BadAnswerType, thrown.Problem.Type);
    }
}
