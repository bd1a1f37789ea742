using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Fleet.OnNode;

/// <summary>What stopped an exchange on the link, said for the log.</summary>
internal sealed class LinkException(string message, HttpStatusCode? status = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The answer's status; null when there was no answer.</summary>
    public HttpStatusCode? Status { get; } = status;

    /// <summary>Whether the control plane does not know us (any more), so that hello is the way on.</summary>
    public bool NeedsHello => Status is HttpStatusCode.NotFound or HttpStatusCode.Conflict;
}

/// <summary>The HTTP side of the link: one client, the token, and errors in our own words. Thread-safe.</summary>
internal sealed class LinkCalls : IDisposable
{
    private readonly NodeLinkOptions _options;
    private readonly TimeProvider _clock;
    private readonly HttpClient _http;
    private volatile Secret? _token;

    public LinkCalls(NodeLinkOptions options, TimeProvider clock, Func<HttpMessageHandler>? handlers)
    {
        (_options, _clock) = (options, clock);
        _http = new HttpClient(handlers is null ? NewHandler() : handlers())
        {
            BaseAddress = options.ControlPlane,
            Timeout = Timeout.InfiniteTimeSpan, // Each call has its own limit: some are held open on purpose.
        };
    }

    public async Task<T> PostAsync<T>(string path, object body, CancellationToken cancellation)
    {
        using var response = await SendAsync(HttpMethod.Post, path, JsonContent.Create(body, body.GetType(), options: Json.Options), _options.CallTimeout, cancellation);
        return await ReadAsync<T>(path, response, _options.CallTimeout, cancellation);
    }

    public async Task PostAsync(string path, object body, CancellationToken cancellation)
    {
        using var response = await SendAsync(HttpMethod.Post, path, JsonContent.Create(body, body.GetType(), options: Json.Options), _options.CallTimeout, cancellation);
    }

    /// <summary>Asks; null when the answer is 204.</summary>
    public async Task<T?> GetAsync<T>(string path, TimeSpan limit, CancellationToken cancellation)
        where T : class
    {
        using var response = await SendAsync(HttpMethod.Get, path, null, limit, cancellation);
        return response.StatusCode == HttpStatusCode.NoContent ? null : await ReadAsync<T>(path, response, limit, cancellation);
    }

    /// <summary>Opens a body to read as it comes; only the wait for its head is limited.</summary>
    public async Task<Stream> OpenAsync(string path, CancellationToken cancellation)
    {
        var response = await SendAsync(HttpMethod.Get, path, null, _options.CallTimeout, cancellation);
        return await response.Content.ReadAsStreamAsync(cancellation);
    }

    /// <summary>Sends a body for as long as it takes.</summary>
    public async Task UploadAsync(string path, HttpContent content, CancellationToken cancellation)
    {
        using var response = await SendAsync(HttpMethod.Post, path, content, Timeout.InfiniteTimeSpan, cancellation);
    }

    public void Dispose() => _http.Dispose();

    private static SocketsHttpHandler NewHandler() => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        KeepAlivePingDelay = TimeSpan.FromSeconds(15),
    };

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, TimeSpan limit, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var timer = new CancellationTokenSource(limit, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            var token = _token ??= _options.Token();
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token.Reveal());
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            if (response.IsSuccessStatusCode)
                return response;
            var status = response.StatusCode;
            response.Dispose();
            if (status == HttpStatusCode.Unauthorized)
                Interlocked.CompareExchange(ref _token, null, token);
            throw new LinkException($"{method} {path} was answered {(int)status}. {Advice(status)}".TrimEnd(), status);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new LinkException($"{method} {path} was not answered within {Quantity.Format(limit)}.", null, e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException)
        {
            throw new LinkException($"{method} {_options.ControlPlane}{path.TrimStart('/')} failed: {e.Message}", null, e);
        }
    }

    private async Task<T> ReadAsync<T>(string path, HttpResponseMessage response, TimeSpan limit, CancellationToken cancellation)
    {
        using var timer = new CancellationTokenSource(limit, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            var content = await response.Content.ReadAsByteArrayAsync(either.Token);
            // In an edge bytes arrive on a thread that carries traffic: what takes long, as reading a large table does, is not for it.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            return JsonSerializer.Deserialize<T>(content, Json.Options)
                ?? throw new LinkException($"{path} was answered with null.");
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new LinkException($"{path}: the answer broke off.", null, e);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or HttpRequestException or IOException)
        {
            throw new LinkException($"{path}: the answer cannot be read: {e.Message}", null, e);
        }
    }

    private string Advice(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized =>
            $"The node's token is not (or no longer) valid at {_options.ControlPlane}: make a new node token there and give it to this node.",
        HttpStatusCode.Forbidden => "The token is valid but is not a node's token: make one for this node's role.",
        _ => "",
    };
}
