using System.Net.Http.Headers;

namespace Groundcrew.Edge.Acme;

/// <summary>One good answer of the authority, its body read whole.</summary>
internal sealed record AcmeAnswer(int Status, byte[] Body, Uri? Location, TimeSpan? RetryAfter, string? Nonce)
{
    public bool IsGood => Status is >= 200 and < 300;

    /// <summary>Why the authority refused.</summary>
    public AcmeProblem Problem() =>
        Wire.TryReadProblem(Body) is { Type: not null } problem
            ? AcmeProblem.From(problem, Status, RetryAfter)
            : AcmeProblem.Of(Status, RetryAfter);
}

/// <summary>
/// Carries requests to the authority: signed, with a fresh nonce each, repeated when the nonce was not accepted, with a
/// bounded time and a bounded answer. Whatever goes wrong is an <see cref="AcmeException"/>. Thread-safe.
/// </summary>
internal sealed class AcmeTransport(HttpMessageHandler handler, AccountSigner signer, TimeProvider clock, AcmeClientOptions options) : IDisposable
{
    private static readonly MediaTypeHeaderValue Jose = new("application/jose+json");
    private static readonly string Agent = $"groundcrew/{typeof(AcmeTransport).Assembly.GetName().Version?.ToString(3)}";

    private readonly HttpMessageInvoker _http = new(handler, disposeHandler: false);
    private readonly NoncePool _nonces = new();

    /// <summary>Reads something that is public: the directory.</summary>
    public async Task<AcmeAnswer> GetAsync(Uri url, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        var answer = await SendAsync(request, cancellation);
        return answer.IsGood ? answer : throw new AcmeException(answer.Problem());
    }

    /// <summary>
    /// Sends a signed request; an empty payload only reads (POST-as-GET). A request whose nonce was refused is sent again
    /// with a new one (RFC 8555, 6.5), for it has had no effect.
    /// </summary>
    public async Task<AcmeAnswer> PostAsync(
        Uri newNonce, Uri url, Uri? account, byte[] payload, CancellationToken cancellation, string accept = "application/json")
    {
        var nonce = _nonces.Take() ?? await FreshNonceAsync(newNonce, cancellation);
        for (var attempt = 1; ; attempt++)
        {
            var answer = await PostOnceAsync(url, account, payload, nonce, accept, cancellation);
            if (answer.IsGood)
            {
                _nonces.Give(answer.Nonce);
                return answer;
            }
            var problem = answer.Problem();
            if (problem.Type != AcmeProblem.BadNonceType || attempt >= options.NonceAttempts)
            {
                _nonces.Give(answer.Nonce);
                throw new AcmeException(problem);
            }
            // The authority may have forgotten all of them, as after its restart.
            _nonces.Clear();
            nonce = answer.Nonce ?? await FreshNonceAsync(newNonce, cancellation);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<AcmeAnswer> PostOnceAsync(
        Uri url, Uri? account, byte[] payload, string nonce, string accept, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Content = new ByteArrayContent(signer.Sign(url, nonce, account, payload)) { Headers = { ContentType = Jose } },
        };
        request.Headers.Accept.ParseAdd(accept);
        return await SendAsync(request, cancellation);
    }

    private async Task<string> FreshNonceAsync(Uri newNonce, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, newNonce);
        var answer = await SendAsync(request, cancellation);
        if (!answer.IsGood)
            throw new AcmeException(answer.Problem());
        return answer.Nonce ?? throw AcmeException.BadAnswer("The authority was asked for a nonce and sent none.");
    }

    private async Task<AcmeAnswer> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        request.Headers.UserAgent.ParseAdd(Agent);
        var url = request.RequestUri!;
        using var limit = new CancellationTokenSource(options.RequestTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        try
        {
            using var response = await _http.SendAsync(request, either.Token);
            var body = await ReadAsync(response.Content, either.Token);
            return new AcmeAnswer((int)response.StatusCode, body, Location(response, url), RetryAfter(response), Nonce(response));
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new AcmeException(
                new AcmeProblem(AcmeProblem.TimedOutType, $"{url.Host} did not answer within {options.RequestTimeout.TotalSeconds} s."), e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new AcmeException(new AcmeProblem(AcmeProblem.UnreachableType, $"{url.Host} cannot be reached: {e.Message}"), e);
        }
    }

    private async Task<byte[]> ReadAsync(HttpContent content, CancellationToken cancellation)
    {
        using var kept = new MemoryStream();
        var part = new byte[8192];
        await using var stream = await content.ReadAsStreamAsync(cancellation);
        while (await stream.ReadAsync(part, cancellation) is > 0 and var read)
        {
            if (kept.Length + read > options.MaxAnswerBytes)
                throw AcmeException.BadAnswer($"The authority sent an answer of more than {options.MaxAnswerBytes} bytes.");
            kept.Write(part, 0, read);
        }
        return kept.ToArray();
    }

    /// <summary>Relative places are taken from the place that was asked (RFC 9110, 10.2.2).</summary>
    private static Uri? Location(HttpResponseMessage response, Uri asked) =>
        response.Headers.Location is { } place ? new Uri(asked, place) : null;

    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        var wait = response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return wait is { } w ? TimeSpan.FromTicks(Math.Clamp(w.Ticks, 0, AcmeProblem.LongestWait.Ticks)) : null;
    }

    /// <summary>A nonce that is not base64url is no nonce (RFC 8555, 6.5.1).</summary>
    private static string? Nonce(HttpResponseMessage response) =>
        response.Headers.TryGetValues("Replay-Nonce", out var values) && values.FirstOrDefault() is { } nonce && AcmeText.IsToken(nonce, 1, 512)
            ? nonce
            : null;
}

/// <summary>
/// Nonces that the authority gave and nobody used yet, the youngest first. It holds only a few: further ones are let go,
/// as a new one is to be had by asking. Thread-safe.
/// </summary>
internal sealed class NoncePool
{
    private const int Capacity = 16;

    private readonly Lock _gate = new();
    private readonly List<string> _nonces = [];

    public string? Take()
    {
        lock (_gate)
        {
            if (_nonces.Count == 0)
                return null;
            var nonce = _nonces[^1];
            _nonces.RemoveAt(_nonces.Count - 1);
            return nonce;
        }
    }

    public void Give(string? nonce)
    {
        if (nonce is null)
            return;
        lock (_gate)
        {
            if (_nonces.Count == Capacity)
                _nonces.RemoveAt(0);
            _nonces.Add(nonce);
        }
    }

    public void Clear()
    {
        lock (_gate)
            _nonces.Clear();
    }
}

/// <summary>What texts of the protocol consist of. Pure.</summary>
internal static class AcmeText
{
    /// <summary>Whether a text is base64url of such a length.</summary>
    public static bool IsToken(string? text, int shortest, int longest) =>
        text is not null && text.Length >= shortest && text.Length <= longest
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
