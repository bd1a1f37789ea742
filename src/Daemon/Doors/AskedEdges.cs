using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Fleet;
using Microsoft.AspNetCore.Connections;

namespace Groundcrew.Daemon.Doors;

/// <summary>What the edges said, each for itself.</summary>
/// <param name="Answers">By hostname.</param>
/// <param name="Unanswered">Edges that said nothing, and why.</param>
internal sealed record EdgeAnswers<T>(IReadOnlyList<(string Edge, T Answer)> Answers, IReadOnlyList<UnansweredView> Unanswered);

/// <summary>
/// Asks every edge over the link what only it knows, all at once and for a few seconds: who does not answer is named, and
/// keeps nobody from the answers of the others. Thread-safe.
/// </summary>
internal sealed class AskedEdges(Link link, Nodes nodes, TimeProvider clock)
{
    private const int LargestAnswer = 32 * 1024 * 1024;
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(5);

    /// <summary>Asks all of them.</summary>
    public async Task<EdgeAnswers<T>> AskAsync<T>(EdgeAspect aspect, CancellationToken cancellation)
        where T : class
    {
        var edges = (await nodes.ListAsync(cancellation)).Where(n => n.Role == NodeRole.Edge).OrderBy(n => n.Hostname, StringComparer.Ordinal);
        var said = await Task.WhenAll(edges.Select(async e => (Edge: e.Hostname, Said: await OneAsync<T>(e, aspect, cancellation))));
        return new EdgeAnswers<T>(
            [.. said.Where(s => s.Said.Answer is not null).Select(s => (s.Edge, s.Said.Answer!))],
            [.. said.Where(s => s.Said.Answer is null).Select(s => new UnansweredView(s.Edge, s.Said.Why!))]);
    }

    private async Task<(T? Answer, string? Why)> OneAsync<T>(NodeInfo edge, EdgeAspect aspect, CancellationToken cancellation)
        where T : class
    {
        if (!nodes.IsExpected(edge))
            return (null, $"it is silent since {edge.LastSeen.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC");
        using var limit = new CancellationTokenSource(AnswersWithin, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            using var stream = await link.OpenStreamAsync(edge.Id, EdgeQuestion.Kind, new EdgeQuestion(aspect), AnswersWithin, either.Token);
            return stream is null ? (null, Late()) : (await ReadAsync<T>(stream.Content, either.Token), null);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (null, Late());
        }
        catch (JsonException)
        {
            return (null, "its answer cannot be read: is its program of another version?");
        }
        catch (Exception e) when (e is IOException or ConnectionAbortedException or BadHttpRequestException)
        {
            return (null, $"its answer broke off: {e.Message}");
        }

        static string Late() => $"it did not answer within {Quantity.Format(AnswersWithin)}";
    }

    private static async Task<T> ReadAsync<T>(Stream content, CancellationToken cancellation)
    {
        using var whole = new MemoryStream();
        var chunk = new byte[16 * 1024];
        int read;
        while ((read = await content.ReadAsync(chunk, cancellation)) > 0)
        {
            if (whole.Length + read > LargestAnswer)
                throw new IOException($"it is larger than {Quantity.FormatBytes(LargestAnswer)}");
            whole.Write(chunk, 0, read);
        }
        return JsonSerializer.Deserialize<T>(whole.GetBuffer().AsSpan(0, (int)whole.Length), Json.Options) ?? throw new JsonException("null");
    }
}
