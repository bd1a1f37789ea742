using System.Net;

namespace Groundcrew.Bench.Edge;

/// <summary>That a proxy answers rightly, before how fast it does is asked.</summary>
internal sealed class Correctness(Stage stage, Proxy proxy)
{
    /// <summary>A hundred bytes.</summary>
    public static string Small { get; } = new string('.', 90) + " 100 bytes";

    public static byte[] Large { get; } = [.. Enumerable.Range(0, 1 << 20).Select(i => (byte)(i * 31 >> 3))];

    public async Task ProveAsync(CancellationToken cancellation)
    {
        Expect(await GetAsync(proxy.Http, HttpVersion.Version11, cancellation), Small, "GET /");
        if (proxy.Http2 is { } http2)
            Expect(await GetAsync(http2, HttpVersion.Version20, cancellation), Small, "GET / over HTTP/2");
        if (proxy.Tls is { } tls)
            Expect(await GetAsync(tls, HttpVersion.Version20, cancellation), Small, "GET / over TLS and HTTP/2");
        var large = await stage.Client.GetByteArrayAsync(new Uri(proxy.Http, "large"), cancellation);
        if (!large.AsSpan().SequenceEqual(Large))
            throw new InvalidDataException($"{proxy.Name} answers GET /large with {large.Length} bytes, or with others.");
        using var body = new ByteArrayContent(Large);
        using var upload = await stage.Client.PostAsync(new Uri(proxy.Http, "upload"), body, cancellation);
        Expect(await upload.Content.ReadAsStringAsync(cancellation), $"{Large.Length}", "POST /upload");
        using var socket = await WebSocketLine.OpenAsync(proxy.Door, IPAddress.Loopback, cancellation);
        if (!await socket.EchoesAsync(cancellation))
            throw new InvalidDataException($"{proxy.Name} carries no WebSocket.");
    }

    private async Task<string> GetAsync(Uri address, Version version, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address) { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await stage.Client.SendAsync(request, cancellation);
        var text = await answer.Content.ReadAsStringAsync(cancellation);
        return answer.StatusCode == HttpStatusCode.OK ? text : $"{(int)answer.StatusCode} {text}";
    }

    private void Expect(string found, string wanted, string what)
    {
        if (found != wanted)
            throw new InvalidDataException($"{proxy.Name} answers {what} with '{found}' instead of '{wanted}'.");
    }
}
