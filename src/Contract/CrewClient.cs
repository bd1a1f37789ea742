using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract;

/// <summary>The control plane answered with a problem.</summary>
/// <param name="problem">What it said.</param>
public sealed class CrewProblemException(ProblemView problem) : Exception(problem.Detail)
{
    /// <summary>The answer.</summary>
    public ProblemView Problem { get; } = problem;
}

/// <summary>The control plane could not be reached.</summary>
/// <param name="message">What was tried, and what to do.</param>
/// <param name="inner">The failure below.</param>
public sealed class CrewUnreachableException(string message, Exception inner) : Exception(message, inner);

/// <summary>
/// The typed client of the control plane: what console and scripts use, and nothing else. Every POST carries an
/// idempotency key, so that a repeated call is answered, not done again. Thread-safe.
/// Each call throws <see cref="CrewProblemException"/> or <see cref="CrewUnreachableException"/>.
/// </summary>
public sealed class CrewClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly TimeProvider _clock;

    /// <summary>A client for the control plane at <paramref name="address"/>, with a token when it needs one.</summary>
    public CrewClient(Uri address, Secret? token, TimeProvider? clock = null, HttpMessageHandler? handler = null)
    {
        _clock = clock ?? TimeProvider.System;
        _http = new HttpClient(handler ?? new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) })
        {
            BaseAddress = address,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (token is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token.Reveal());
    }

    /// <summary>Reads one view or a list of views, such as <c>GetAsync&lt;ProjectView[]&gt;("projects")</c>.</summary>
    /// <param name="path">Below <c>/api/v1/</c>.</param>
    /// <param name="cancellation">Ends the call.</param>
    public Task<T> GetAsync<T>(string path, CancellationToken cancellation) => SendAsync<T>(HttpMethod.Get, path, null, cancellation);

    /// <summary>Asks for a change, and reads the answer.</summary>
    public Task<T> PostAsync<T>(string path, object? body, CancellationToken cancellation) => SendAsync<T>(HttpMethod.Post, path, body, cancellation);

    /// <summary>Replaces something.</summary>
    public Task<T> PutAsync<T>(string path, object? body, CancellationToken cancellation) => SendAsync<T>(HttpMethod.Put, path, body, cancellation);

    /// <summary>Changes settings.</summary>
    public Task<T> PatchAsync<T>(string path, object? body, CancellationToken cancellation) => SendAsync<T>(HttpMethod.Patch, path, body, cancellation);

    /// <summary>Removes something.</summary>
    public async Task DeleteAsync(string path, CancellationToken cancellation)
    {
        using var request = Request(HttpMethod.Delete, path);
        using var response = await SendAsync(request, cancellation);
    }

    /// <summary>Takes something away, and reads what became of it.</summary>
    public Task<T> DeleteAsync<T>(string path, CancellationToken cancellation) => SendAsync<T>(HttpMethod.Delete, path, null, cancellation);

    /// <summary>
    /// Asks Prometheus' API, such as <c>MetricsAsync&lt;MetricQueryView&gt;("query", [("query", "up")])</c>. What it refuses
    /// is thrown with its own words as the problem's detail.
    /// </summary>
    /// <param name="call">Below <c>/prometheus/api/v1/</c>.</param>
    /// <param name="parameters">Sent as a form where the call takes one, so that a query may be long.</param>
    /// <param name="cancellation">Ends the call, and the query in the control plane.</param>
    public async Task<MetricAnswer<T>> MetricsAsync<T>(string call, IReadOnlyList<(string Name, string Value)> parameters, CancellationToken cancellation)
    {
        var path = "prometheus/api/v1/" + call;
        using var form = new FormUrlEncodedContent(parameters.Select(p => KeyValuePair.Create(p.Name, p.Value)));
        using var request = call is "query" or "query_range" or "series"
            ? new HttpRequestMessage(HttpMethod.Post, path) { Content = form }
            : new HttpRequestMessage(HttpMethod.Get, $"{path}?{await form.ReadAsStringAsync(cancellation)}");
        using var response = await ExchangeAsync(request, cancellation);
        if (response.Content.Headers.ContentType?.MediaType != "application/json")
            await ThrowOnProblemAsync(response, cancellation);
        var envelope = await response.Content.ReadFromJsonAsync<MetricEnvelope<T>>(Json.Options, cancellation);
        if (envelope is { Status: "success", Data: { } data })
            return new(data, envelope.Warnings ?? [], envelope.Infos ?? []);
        var status = (int)response.StatusCode;
        throw new CrewProblemException(new ProblemView(
            "about:blank", envelope?.ErrorType ?? "", status, envelope?.Error ?? "", status >= 500 ? ProblemCodes.Internal : ProblemCodes.BadInput, []));
    }

    /// <summary>Whether an artifact is stored already.</summary>
    public async Task<bool> HasArtifactAsync(string digest, CancellationToken cancellation)
    {
        using var request = Request(HttpMethod.Head, $"artifacts/{digest}");
        using var response = await ExchangeAsync(request, cancellation);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return false;
        await ThrowOnProblemAsync(response, cancellation);
        return true;
    }

    /// <summary>Uploads an artifact under its digest; the control plane verifies it.</summary>
    public async Task UploadArtifactAsync(string digest, Stream content, CancellationToken cancellation)
    {
        using var request = Request(HttpMethod.Put, $"artifacts/{digest}");
        request.Content = new StreamContent(content, 128 * 1024) { Headers = { ContentType = new("application/gzip") } };
        using var response = await SendAsync(request, cancellation);
    }

    /// <summary>Follows an operation: its present state at once, then each change, until it ended.</summary>
    public async IAsyncEnumerable<OperationStatusView> WatchOperationAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var line in LinesAsync($"operations/{id}/events", "text/event-stream", cancellation))
            if (line.StartsWith("data: ", StringComparison.Ordinal))
                yield return JsonSerializer.Deserialize<OperationStatusView>(line.AsSpan(6), Json.Options)!;
    }

    /// <summary>Streams lines of text, such as logs.</summary>
    public async IAsyncEnumerable<string> LinesAsync(string path, string accept, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var request = Request(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd(accept);
        using var response = await SendAsync(request, cancellation);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation));
        while (await reader.ReadLineAsync(cancellation) is { } line)
            yield return line;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<T> SendAsync<T>(HttpMethod method, string path, object? body, CancellationToken cancellation)
    {
        using var request = Request(method, path);
        if (body is not null)
            request.Content = JsonContent.Create(body, body.GetType(), options: Json.Options);
        using var response = await SendAsync(request, cancellation);
        if (response.StatusCode == HttpStatusCode.NoContent)
            return default!;
        return (await response.Content.ReadFromJsonAsync<T>(Json.Options, cancellation))!;
    }

    private HttpRequestMessage Request(HttpMethod method, string path)
    {
        var request = new HttpRequestMessage(method, "api/v1/" + path);
        if (method == HttpMethod.Post)
            request.Headers.Add("Idempotency-Key", Ids.New(_clock).ToString());
        return request;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var response = await ExchangeAsync(request, cancellation);
        try
        {
            await ThrowOnProblemAsync(response, cancellation);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private async Task<HttpResponseMessage> ExchangeAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException e)
        {
            throw new CrewUnreachableException(
                $"No control plane answers at {_http.BaseAddress}. Start it with 'crew up', or name its folder with --data.", e);
        }
    }

    private static async Task ThrowOnProblemAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        if (response.IsSuccessStatusCode)
            return;
        ProblemView? problem = null;
        if (response.Content.Headers.ContentType?.MediaType == "application/problem+json")
            problem = await response.Content.ReadFromJsonAsync<ProblemView>(Json.Options, cancellation);
        throw new CrewProblemException(problem ?? new ProblemView(
            "about:blank", response.ReasonPhrase ?? "", (int)response.StatusCode,
            $"The control plane answered {(int)response.StatusCode} {response.ReasonPhrase} without saying why.", ProblemCodes.Internal, []));
    }

    private sealed record MetricEnvelope<T>(string Status, T? Data, string? ErrorType, string? Error, IReadOnlyList<string>? Warnings, IReadOnlyList<string>? Infos);
}
