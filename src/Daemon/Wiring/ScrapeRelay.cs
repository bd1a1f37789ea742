using System.Buffers.Binary;
using System.Net;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;

namespace Groundcrew.Daemon.Wiring;

/// <summary>The payload of a stream request of kind <see cref="Kind"/>: a node fetches the metrics of one of its own programs.</summary>
/// <param name="Address">A port of the node's loopback address, such as <c>127.0.0.1:20001</c>; null for the node itself.</param>
/// <param name="Path">The path with its query.</param>
/// <param name="Accept">The header of the same name.</param>
/// <param name="Timeout">How long it may take.</param>
internal sealed record ScrapeQuestion(string? Address, string Path, string? Accept, TimeSpan Timeout)
{
    /// <summary>The kind of such requests.</summary>
    public const string Kind = "scrape";
}

/// <summary>What stands before the body in the answer, as JSON behind its length (4 bytes, big-endian).</summary>
/// <param name="Status">The status of HTTP; 0 when there was no answer.</param>
/// <param name="ContentType">The header of the same name.</param>
/// <param name="Why">Why there was no answer.</param>
internal sealed record ScrapeHead(int Status, string? ContentType, string? Why)
{
    public byte[] Framed()
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(this, Json.Options);
        var framed = new byte[4 + json.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed, json.Length);
        json.CopyTo(framed, 4);
        return framed;
    }
}

/// <summary>
/// Fetches metrics on a node for the control plane, which never dials a node: only by GET, and only from the loopback
/// address. Thread-safe.
/// </summary>
/// <param name="self">Where this role shows its own metrics.</param>
/// <param name="clock">Time.</param>
internal sealed class ScrapeRelay(Uri self, TimeProvider clock) : INodeStreamSource, IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(5) })
    {
        Timeout = Timeout.InfiniteTimeSpan, // Each question has its own.
    };

    public string Kind => ScrapeQuestion.Kind;

    public async Task WriteAsync(JsonElement question, Stream output, CancellationToken cancellation)
    {
        if (question.Deserialize<ScrapeQuestion>(Json.Options) is not { } asked)
            return;
        using var timer = new CancellationTokenSource(asked.Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        HttpResponseMessage? answer = null;
        try
        {
            var head = new ScrapeHead(0, null, "only what this node runs is fetched");
            if (TargetOf(asked) is { } target)
            {
                (answer, head) = await AskAsync(target, asked, either.Token);
            }
            await output.WriteAsync(head.Framed(), either.Token);
            if (answer is not null)
                await answer.Content.CopyToAsync(output, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Too slow: what was sent until now is cut off, and the control plane has the same limit.
        }
        finally
        {
            answer?.Dispose();
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<(HttpResponseMessage? Answer, ScrapeHead Head)> AskAsync(Uri target, ScrapeQuestion asked, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, target);
        if (asked.Accept is { } accept)
            request.Headers.TryAddWithoutValidation("Accept", accept);
        try
        {
            var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            return (answer, new ScrapeHead((int)answer.StatusCode, answer.Content.Headers.ContentType?.ToString(), null));
        }
        catch (HttpRequestException e)
        {
            return (null, new ScrapeHead(0, null, e.Message));
        }
    }

    private Uri? TargetOf(ScrapeQuestion asked)
    {
        if (!asked.Path.StartsWith('/'))
            return null;
        if (asked.Address is null)
            return new Uri(self, asked.Path);
        return IPEndPoint.TryParse(asked.Address, out var end) && IPAddress.IsLoopback(end.Address) && end.Port > 0 ? new Uri($"http://{end}{asked.Path}") : null;
    }
}
