using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Groundcrew.Edge.Acme;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>
/// An authority that misbehaves as it is told to: a real server whose answers a test sets by path. It has a directory,
/// nonces, and an account for every key; it checks nothing.
/// </summary>
internal sealed class FakeAuthority : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, RequestDelegate> _answers = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _asked = [];
    private int _nonces;

    private FakeAuthority(WebApplication app) => _app = app;

    /// <summary>Every request in order, such as "POST /order".</summary>
    public IReadOnlyCollection<string> Asked => _asked;

    public Uri Directory => At("/dir");

    public static async Task<FakeAuthority> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var fake = new FakeAuthority(builder.Build());
        fake._app.Run(fake.AnswerAsync);
        await fake._app.StartAsync(TestContext.Current.CancellationToken);
        fake.Json("/dir", 200, $$"""{"newNonce":"{{fake.At("/nonce")}}","newAccount":"{{fake.At("/account")}}","newOrder":"{{fake.At("/new-order")}}","revokeCert":"{{fake.At("/revoke")}}"}""");
        fake.Json("/nonce", 200, "");
        fake.Json("/account", 201, """{"status":"valid"}""", ("Location", fake.At("/account/1").ToString()));
        return fake;
    }

    public Uri At(string path) => new(new Uri(_app.Urls.First()), path);

    public void On(string path, RequestDelegate answer) => _answers[path] = answer;

    public void Json(string path, int status, string body, params (string Name, string Value)[] headers) => On(path, async c =>
    {
        c.Response.StatusCode = status;
        c.Response.ContentType = status < 400 ? "application/json" : "application/problem+json";
        foreach (var (name, value) in headers)
            c.Response.Headers[name] = value;
        if (c.Request.Method != "HEAD")
            await c.Response.WriteAsync(body);
    });

    /// <summary>An order with one name, whose proof is pending unless a test says otherwise.</summary>
    public void OneOrder(string status = "pending", string more = "", string authorization = "pending", params (string Name, string Value)[] headers)
    {
        var order = $$"""{"status":"{{status}}","identifiers":[{"type":"dns","value":"one.test"}],"authorizations":["{{At("/authz")}}"],"finalize":"{{At("/finalize")}}"{{more}}}""";
        Json("/new-order", 201, order, ("Location", At("/order").ToString()));
        Json("/order", 200, order, headers);
        Json("/authz", 200, Authorization(authorization), headers);
        Json("/challenge", 200, "{}");
    }

    public string Authorization(string status, string token = "a-token-of-22-letters_", string more = "") =>
        $$"""{"status":"{{status}}","identifier":{"type":"dns","value":"one.test"},"challenges":[{"type":"dns-77","x":1},{"type":"http-01","status":"{{status}}","token":"{{token}}","url":"{{At("/challenge")}}"{{more}}}]}""";

    /// <summary>
    /// An order that is issued when it is finalized: the answers to these requests, by path, break off so often before
    /// one arrives, although what was asked is done.
    /// </summary>
    public void Issuing(DevelopmentAuthority authority, IReadOnlyDictionary<string, int> broken)
    {
        OneOrder(authorization: "valid");
        var left = new ConcurrentDictionary<string, int>(broken, StringComparer.Ordinal);
        string? chain = null;
        void Breaking(string path, Func<HttpContext, Task<string>> answer) => On(path, async c =>
        {
            var body = await answer(c);
            if (left.AddOrUpdate(path, -1, (_, n) => n - 1) >= 0)
                c.Abort();
            else
                await c.Response.WriteAsync(body);
        });
        string Order() => $$"""{"status":"{{(chain is null ? "ready" : "valid")}}","authorizations":["{{At("/authz")}}"],"finalize":"{{At("/finalize")}}","certificate":"{{At("/certificate")}}"}""";
        Breaking("/order", _ => Task.FromResult(Order()));
        Breaking("/certificate", _ => Task.FromResult(chain!));
        Breaking("/finalize", async c =>
        {
            using var body = await JsonDocument.ParseAsync(c.Request.Body);
            using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(body.RootElement.GetProperty("payload").GetString()));
            chain = Sign(authority, Base64Url.DecodeFromChars(payload.RootElement.GetProperty("csr").GetString()));
            return Order();
        });
    }

    private static string Sign(DevelopmentAuthority authority, byte[] signingRequest)
    {
        using var issuer = X509Certificate2.CreateFromPem(authority.Certificate, authority.Key.Reveal());
        var request = CertificateRequest.LoadSigningRequest(signingRequest, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
        Assert.Empty(request.SubjectName.Name);
        using var certificate = request.Create(issuer, new DateTimeOffset(issuer.NotBefore), new DateTimeOffset(issuer.NotAfter), [1, 2, 3]);
        return certificate.ExportCertificatePem();
    }

    public AcmeClient Client(HttpMessageHandler handler, TimeProvider? clock = null, AcmeClientOptions? options = null) =>
        new(Directory, AcmeAccountKey.New(), handler, clock ?? TimeProvider.System, options);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        _asked.Enqueue($"{context.Request.Method} {context.Request.Path}");
        context.Response.Headers["Replay-Nonce"] = "nonce" + Interlocked.Increment(ref _nonces).ToString(CultureInfo.InvariantCulture);
        if (_answers.TryGetValue(context.Request.Path, out var answer))
            await answer(context);
        else
            context.Response.StatusCode = StatusCodes.Status404NotFound;
    }
}

/// <summary>Keeps what it is asked to show, and fails where it is told to.</summary>
internal sealed class KeptChallenges : IAcmeChallenges
{
    public Exception? OnPublish { get; init; }

    public Exception? OnWithdraw { get; init; }

    public ConcurrentQueue<AcmeChallenge> Published { get; } = [];

    public ConcurrentQueue<AcmeChallenge> Withdrawn { get; } = [];

    public Task PublishAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Published.Enqueue(challenge);
        return OnPublish is null ? Task.CompletedTask : Task.FromException(OnPublish);
    }

    public Task WithdrawAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Withdrawn.Enqueue(challenge);
        return OnWithdraw is null ? Task.CompletedTask : Task.FromException(OnWithdraw);
    }
}
