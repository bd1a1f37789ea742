using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Groundcrew.Edge.Acme;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>The first message of real clients, whole, cut and broken.</summary>
public sealed class ClientHelloTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_a_client_that_offers_nothing_else_asks_for_a_challenge()
    {
        Assert.True(IsAskedFor(await HelloAsync(TlsAlpnChallenge.Protocol)));
        Assert.False(IsAskedFor(await HelloAsync(TlsAlpnChallenge.Protocol, SslApplicationProtocol.Http2)));
        Assert.False(IsAskedFor(await HelloAsync(SslApplicationProtocol.Http2, TlsAlpnChallenge.Protocol)));
        Assert.False(IsAskedFor(await HelloAsync(SslApplicationProtocol.Http11)));
        Assert.False(IsAskedFor(await HelloAsync()));
    }

    [Fact]
    public async Task A_hello_in_pieces_is_read_as_one()
    {
        var hello = await HelloAsync(TlsAlpnChallenge.Protocol);
        for (var cut = 1; cut < hello.Length; cut += 13)
        {
            var first = new Piece(hello.AsMemory(0, cut), null);
            var last = new Piece(hello.AsMemory(cut), first);
            Assert.True(TlsAlpnChallenge.IsAskedFor(new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length)));
        }
    }

    [Fact]
    public async Task A_hello_that_is_cut_asks_for_nothing_and_harms_nobody()
    {
        var hello = await HelloAsync(TlsAlpnChallenge.Protocol);
        for (var length = 0; length < hello.Length; length++)
            Assert.False(IsAskedFor(hello[..length]), $"{length} of {hello.Length} bytes");
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var broken = hello.ToArray();
            broken[random.Next(broken.Length)] = (byte)random.Next(256);
            broken[random.Next(broken.Length)] = (byte)random.Next(256);
            // It may still be a hello; it is only asked not to throw.
            IsAskedFor(broken);
        }
        Assert.False(IsAskedFor(new byte[20_000]));
    }

    private static bool IsAskedFor(byte[] hello) => TlsAlpnChallenge.IsAskedFor(new ReadOnlySequence<byte>(hello));

    private static async Task<byte[]> HelloAsync(params List<SslApplicationProtocol> offered)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var near = new TcpClient();
        await near.ConnectAsync((IPEndPoint)listener.LocalEndpoint, Ct);
        using var far = await listener.AcceptTcpClientAsync(Ct);
        await using var client = new SslStream(near.GetStream());
        using var giving = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var shaking = client.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = "one.test", ApplicationProtocols = offered }, giving.Token);
        var head = new byte[5];
        await far.GetStream().ReadExactlyAsync(head, Ct);
        var body = new byte[(head[3] << 8) | head[4]];
        await far.GetStream().ReadExactlyAsync(body, Ct);
        await giving.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => shaking);
        return [.. head, .. body];
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, Piece? before)
        {
            Memory = memory;
            if (before is null)
                return;
            RunningIndex = before.RunningIndex + before.Memory.Length;
            before.Next = this;
        }
    }
}
