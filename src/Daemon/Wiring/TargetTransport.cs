using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Daemon.Settings;
using Groundcrew.Fleet;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Wiring;

/// <summary>
/// How the platform's own targets are reached: those of this machine over loopback, those of another over the link that its
/// node dialled. Thread-safe.
/// </summary>
internal sealed class TargetTransport(RoleSettings settings, Nodes nodes, Link link) : HttpMessageHandler
{
    private static readonly TimeSpan NodeAnswersWithin = TimeSpan.FromSeconds(10);
    private const int LongestHead = 64 * 1024;

    private readonly HttpMessageInvoker _direct = new(new SocketsHttpHandler
    {
        UseProxy = false, AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(5), PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    });

    /// <summary>Where a role that listens on <paramref name="listen"/> is found on its own machine.</summary>
    public static string LocalHost(string listen) =>
        IPAddress.Parse(listen) is var address && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) ? "127.0.0.1" : address.ToString();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var asked = request.RequestUri ?? throw new InvalidOperationException("A scrape has an address.");
        var node = request.Options.TryGetValue(ScraperSettings.TargetLabels, out var labels) && Guid.TryParse(labels.Get(PlatformJobs.NodeId), out var id)
            ? (await nodes.ListAsync(cancellationToken)).FirstOrDefault(n => n.Id == id)
            : null;
        var isInstance = IPAddress.TryParse(asked.Host, out _);
        if (node is not null && node.Hostname != settings.Hostname)
            return await RelayAsync(node.Id, new ScrapeQuestion(isInstance ? asked.Authority : null, asked.PathAndQuery, request.Headers.Accept.ToString(), NodeAnswersWithin), request, cancellationToken);
        // The name in the address is how people know the role; it need not lead here.
        if (!isInstance)
            request.RequestUri = new UriBuilder(asked) { Host = LocalHost(settings.Listen) }.Uri;
        return await _direct.SendAsync(request, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _direct.Dispose();
        base.Dispose(disposing);
    }

    private async Task<HttpResponseMessage> RelayAsync(Guid node, ScrapeQuestion question, HttpRequestMessage request, CancellationToken cancellation)
    {
        var answer = await link.OpenStreamAsync(node, ScrapeQuestion.Kind, question, NodeAnswersWithin, cancellation)
            ?? throw new HttpRequestException("the node does not answer over its link");
        try
        {
            var head = await HeadAsync(answer.Content, cancellation);
            if (head.Status == 0)
                throw new HttpRequestException($"on its node: {head.Why}");
            var content = new StreamContent(new OwnedStream(answer));
            if (MediaTypeHeaderValue.TryParse(head.ContentType, out var type))
                content.Headers.ContentType = type;
            return new HttpResponseMessage((HttpStatusCode)head.Status) { Content = content, RequestMessage = request };
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    private static async Task<ScrapeHead> HeadAsync(Stream stream, CancellationToken cancellation)
    {
        try
        {
            var length = new byte[4];
            await stream.ReadExactlyAsync(length, cancellation);
            var size = BinaryPrimitives.ReadInt32BigEndian(length);
            if (size is < 2 or > LongestHead)
                throw new HttpRequestException("the node's answer cannot be read");
            var json = new byte[size];
            await stream.ReadExactlyAsync(json, cancellation);
            return JsonSerializer.Deserialize<ScrapeHead>(json, Json.Options) ?? throw new HttpRequestException("the node's answer cannot be read");
        }
        catch (EndOfStreamException e)
        {
            // A node of an earlier version does not know the question and answers with nothing.
            throw new HttpRequestException("the node does not answer; is its version older than this one?", e);
        }
        catch (JsonException e)
        {
            throw new HttpRequestException("the node's answer cannot be read", e);
        }
    }

    /// <summary>The bytes of an answer, whose sending ends with it.</summary>
    private sealed class OwnedStream(NodeAnswer answer) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => answer.Content.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => answer.Content.ReadAsync(buffer, cancellationToken);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            answer.Content.ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                answer.Dispose();
            base.Dispose(disposing);
        }
    }
}
