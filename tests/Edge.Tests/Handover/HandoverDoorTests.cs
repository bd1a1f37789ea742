using System.Net.Sockets;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>The handover socket is for processes of the same user that speak its protocol; anything else is refused with words.</summary>
public sealed class HandoverDoorTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Stranger _other = new();
    private readonly int _port = FreePort.Next();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _other.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("{\"version\":2,\"ask\":\"take\"}", "speaks version 1 of the handover protocol, not version 2")]
    [InlineData("{\"version\":0,\"ask\":\"state\"}", "not version 0")]
    [InlineData("{\"version\":1,\"ask\":\"dance\"}", "not one of this protocol")]
    [InlineData("{\"version\":1,\"ask\":\"report\"}", "not one of this protocol")]
    [InlineData("{\"version\":1}", "not one of this protocol")]
    [InlineData("GET / HTTP/1.1", "no message of this protocol")]
    [InlineData("null", "empty")]
    [InlineData("[]", "no message of this protocol")]
    public async Task What_is_not_understood_is_refused_with_words(string line, string words)
    {
        await using var edge = await TakingHost.StartAsync(_folder.Path, _port);
        Assert.Contains(words, await SayAsync(line + "\n"), StringComparison.Ordinal);
        Assert.False(edge.Handover.Left.IsCompleted);
        Assert.NotNull(await EdgeHandover.AskAsync(_folder.Path, Stop));
    }

    [Fact]
    public async Task Bytes_without_end_are_refused()
    {
        await using var edge = await TakingHost.StartAsync(_folder.Path, _port);
        using var socket = await ConnectAsync();
        var block = new byte[64 * 1024];
        Array.Fill(block, (byte)'x');
        var sent = 0;
        try
        {
            while (sent < 32 * 1024 * 1024)
                sent += await socket.SendAsync(block, Stop);
        }
        catch (SocketException)
        {
            // It was cut off.
        }
        Assert.InRange(sent, 4 * 1024 * 1024, 6 * 1024 * 1024);
        Assert.NotNull(await EdgeHandover.AskAsync(_folder.Path, Stop));
    }

    [Fact]
    public async Task Another_user_is_refused_with_words()
    {
        await using var edge = await TakingHost.StartAsync(_folder.Path, _port, change: o => o with { User = Descriptors.OwnUser() + 1 });
        Assert.Contains($"not user {Descriptors.OwnUser()}", await SayAsync("{\"version\":1,\"ask\":\"take\"}\n"), StringComparison.Ordinal);
        await using var next = await TakingHost.TakeAsync(_folder.Path, _port, _other.Identity);
        Assert.StartsWith("the edge that serves here refused: Only user", next.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_socket_is_for_its_owner_alone()
    {
        await using var edge = await TakingHost.StartAsync(_folder.Path, _port);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["handover.sock"]));
        Assert.Single(Directory.EnumerateFiles(_folder.Path, "handover.*"));
    }

    [Fact]
    public async Task An_edge_that_died_leaves_a_socket_that_keeps_nobody_from_starting()
    {
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(_folder["dead.sock"]));
            File.Move(_folder["dead.sock"], _folder["handover.sock"]);
        }
        Assert.True(File.Exists(_folder["handover.sock"]));
        await using var edge = await TakingHost.StartAsync(_folder.Path, _port);
        Assert.Null(edge.Refusal);
        Assert.Equal(ProcessIdentity.Self, (await EdgeHandover.AskAsync(_folder.Path, Stop))!.Process);
    }

    [Fact]
    public async Task Where_the_path_is_too_long_for_a_socket_the_edge_serves_and_cannot_be_replaced()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.Path, new string('x', 120))).FullName;
        await using var edge = await TakingHost.StartAsync(folder, _port);
        Assert.Null(edge.Refusal);
        Assert.Null(await EdgeHandover.AskAsync(folder, Stop));
        using var client = await Client.OpenAsync(_port);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
        await client.UntilAsync("HTTP/1.1 404");
    }

    [Fact]
    public async Task Descriptors_cross_a_connection_and_are_closed_when_nobody_takes_them()
    {
        using var pair = new TcpListener(System.Net.IPAddress.Loopback, 0);
        pair.Start();
        using var sending = Descriptors.Duplicate(pair.Server.SafeHandle);
        var path = _folder["pair.sock"];
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        using var client = (await HandoverLines.ConnectAsync(path, Stop))!;
        using var server = new HandoverLines(await listener.AcceptAsync(Stop));

        await server.WriteAsync(new HandoverWord(Generation: 7), Stop, [sending, sending, sending]);
        Assert.Equal(new HandoverWord(Generation: 7), await client.ReadAsync<HandoverWord>(Stop));
        var taken = client.TakeHandles();
        Assert.Equal(3, taken.Count);
        foreach (var handle in taken)
        {
            using var same = new Socket(new SafeSocketHandle(handle.DangerousGetHandle(), ownsHandle: false));
            Assert.Equal(pair.LocalEndpoint, same.LocalEndPoint);
            handle.Dispose();
        }
        Assert.Equal(Environment.ProcessId, Descriptors.PeerOf(await PeerAsync(path, listener)).Pid);
    }

    private static async Task<Socket> PeerAsync(string path, Socket listener)
    {
        using var client = await HandoverLines.ConnectAsync(path, Stop);
        return await listener.AcceptAsync(Stop);
    }

    private async Task<string> SayAsync(string line)
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.UTF8.GetBytes(line), Stop);
        var (buffer, said) = (new byte[4096], "");
        while (await socket.ReceiveAsync(buffer, Stop) is var count and > 0)
            said += Encoding.UTF8.GetString(buffer.AsSpan(0, count));
        return said;
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_folder["handover.sock"]), Stop);
        return socket;
    }
}
