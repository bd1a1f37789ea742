using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Groundcrew.Deploys;

/// <summary>Whom a client asks, and how patiently.</summary>
/// <param name="Servers">Asked one after the other.</param>
internal sealed record DnsClientOptions(IReadOnlyList<IPEndPoint> Servers)
{
    /// <summary>How long one server has for one answer, TCP included.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often all of them are gone through.</summary>
    public int Rounds { get; init; } = 2;
}

/// <summary>
/// A stub resolver (RFC 1035): asks recursive servers over UDP, and over TCP what does not fit (RFC 7766). Every question
/// has a random id and a socket, so a port, of its own, and only its own answer is taken (RFC 5452). Keeps nothing and
/// believes no record of a name that was not asked for or led to. Thread-safe.
/// </summary>
internal sealed class DnsClient(DnsClientOptions options, TimeProvider clock)
{
    private const int MaxDatagram = 4096;
    private const int MaxAliases = 16;

    /// <summary>Asks one question: a name in lower case without the last dot.</summary>
    public async Task<DnsAnswer> AskAsync(string name, DnsType type, CancellationToken cancellation)
    {
        var answer = new DnsAnswer(DnsOutcome.Silent, [], "no server is named");
        for (var round = 0; round < options.Rounds; round++)
        {
            foreach (var server in options.Servers)
            {
                answer = await TryAsync(server, name, type, cancellation);
                if (answer.IsWord)
                    return answer;
                answer = answer with { Problem = $"DNS server {server}: {answer.Problem}" };
            }
        }
        return answer;
    }

    /// <summary>The texts at a name, through its aliases; a problem when they could not be learned.</summary>
    public async Task<(IReadOnlyList<string> Texts, string? Problem)> TextsAsync(string name, CancellationToken cancellation)
    {
        var answer = await AskAsync(name, DnsType.Txt, cancellation);
        for (var alias = 0; alias < MaxAliases && answer.Records.FirstOrDefault(r => r.Type == DnsType.Cname && r.Name == name) is { } to; alias++)
            name = to.Value;
        return ([.. answer.Records.Where(r => r.Type == DnsType.Txt && r.Name == name).Select(r => r.Value)], answer.Problem);
    }

    /// <summary>Follows a name through its aliases to its addresses.</summary>
    public async Task<DnsTrail> FollowAsync(string name, CancellationToken cancellation)
    {
        var both = await Task.WhenAll(FollowAsync(name, DnsType.A, cancellation), FollowAsync(name, DnsType.Aaaa, cancellation));
        return new DnsTrail(
            both[0].Aliases.Count >= both[1].Aliases.Count ? both[0].Aliases : both[1].Aliases, [.. both.SelectMany(t => t.Addresses)],
            both.Any(t => t.IsThere), both[0].Problem ?? both[1].Problem);
    }

    private async Task<DnsTrail> FollowAsync(string name, DnsType type, CancellationToken cancellation)
    {
        var (aliases, at) = (new List<string>(), name);
        while (true)
        {
            var (answer, from) = (await AskAsync(at, type, cancellation), at);
            while (answer.Records.FirstOrDefault(r => r.Type == DnsType.Cname && r.Name == at) is { } alias)
            {
                if (alias.Value == name || aliases.Contains(alias.Value) || aliases.Count == MaxAliases)
                    return new DnsTrail(aliases, [], true, $"the aliases of {name} lead in a circle, or too far");
                aliases.Add(at = alias.Value);
            }
            var addresses = answer.Records.Where(r => r.Type == type && r.Name == at).Select(r => IPAddress.Parse(r.Value)).ToList();
            // A server that knows an alias and not where it leads is asked for that too.
            if (addresses.Count == 0 && at != from && answer.Outcome == DnsOutcome.Found)
                continue;
            return new DnsTrail(aliases, addresses, aliases.Count > 0 || answer.Outcome is DnsOutcome.Found or DnsOutcome.NoData, answer.Problem);
        }
    }

    private async Task<DnsAnswer> TryAsync(IPEndPoint server, string name, DnsType type, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(options.Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        try
        {
            var id = (ushort)RandomNumberGenerator.GetInt32(0x10000);
            if (DnsMessage.Ask(id, name, type) is not { } question)
                return new DnsAnswer(DnsOutcome.NoName, []);
            var reading = await OverUdpAsync(server, question, m => DnsMessage.Read(m.Span, id, name, type), either.Token);
            if (reading is DnsReading.Truncated)
                reading = DnsMessage.Read(await OverTcpAsync(server, question, either.Token), id, name, type);
            return reading switch
            {
                DnsReading.Answered answered => answered.Answer,
                DnsReading.Malformed malformed => new DnsAnswer(DnsOutcome.Failed, [], malformed.Why),
                _ => new DnsAnswer(DnsOutcome.Failed, [], "what it answered over TCP does not answer the question"),
            };
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new DnsAnswer(DnsOutcome.Silent, [], "no answer came in time");
        }
        catch (SocketException e)
        {
            return new DnsAnswer(DnsOutcome.Silent, [], e.SocketErrorCode == SocketError.ConnectionRefused ? "nobody answers there" : e.Message);
        }
        catch (IOException)
        {
            return new DnsAnswer(DnsOutcome.Failed, [], "it broke off its answer over TCP");
        }
    }

    /// <summary>Connected, so that the kernel hands us datagrams of the server alone; what does not answer the question is left aside.</summary>
    private static async Task<DnsReading> OverUdpAsync(
        IPEndPoint server, byte[] question, Func<ReadOnlyMemory<byte>, DnsReading> read, CancellationToken cancellation)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancellation);
        await socket.SendAsync(question, cancellation);
        var buffer = new byte[MaxDatagram];
        while (true)
        {
            var length = await socket.ReceiveAsync(buffer, cancellation);
            if (read(buffer.AsMemory(0, length)) is not DnsReading.NotOurs and var reading)
                return reading;
        }
    }

    private static async Task<byte[]> OverTcpAsync(IPEndPoint server, byte[] question, CancellationToken cancellation)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, cancellation);
        await using var stream = new NetworkStream(socket);
        var framed = new byte[question.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)question.Length);
        question.CopyTo(framed, 2);
        await stream.WriteAsync(framed, cancellation);
        var length = new byte[2];
        await stream.ReadExactlyAsync(length, cancellation);
        var message = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(message, cancellation);
        return message;
    }
}
