using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Groundcrew.Tests.Support;

/// <summary>
/// A DNS server of one test on a free loopback port, over UDP and TCP: its zone is what the test says, now and later. It is
/// written apart from the client, so that the two do not share a misreading.
/// </summary>
public sealed class TinyDns : IAsyncDisposable
{
    private const int DatagramLimit = 512;
    private static readonly Dictionary<string, int> Types = new() { ["A"] = 1, ["CNAME"] = 5, ["TXT"] = 16, ["AAAA"] = 28 };
    private readonly ConcurrentDictionary<(string Name, string Type), string[]> _zone = new();
    private readonly ConcurrentDictionary<string, int> _codes = new();
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly TcpListener _tcp;
    private readonly Task _running;

    public TinyDns()
    {
        Address = new IPEndPoint(IPAddress.Loopback, FreePort.Next());
        _udp.Bind(Address);
        _tcp = new TcpListener(Address);
        _tcp.Start();
        _running = Task.WhenAll(ServeUdpAsync(), ServeTcpAsync());
    }

    public IPEndPoint Address { get; }

    /// <summary>Every question: transport, type, name.</summary>
    public IReadOnlyList<string> Asked => [.. _asked];

    /// <summary>Datagrams that are sent before the answer to a question, which they get.</summary>
    public Func<byte[], IEnumerable<byte[]>> Before { get; set; } = _ => [];

    /// <summary>Replaces an answer (question, answer, whether it goes over TCP); null sends nothing.</summary>
    public Func<byte[], byte[], bool, byte[]?> Instead { get; set; } = (_, answer, _) => answer;

    public TinyDns Set(string name, string type, params string[] values)
    {
        _zone[(name, type)] = values;
        return this;
    }

    public TinyDns Clear(string name)
    {
        foreach (var type in Types.Keys)
            _zone.TryRemove((name, type), out _);
        _codes.TryRemove(name, out _);
        return this;
    }

    /// <summary>Answers questions about a name with a code, such as 2 for SERVFAIL; with -1 not at all.</summary>
    public TinyDns Breaks(string name, int code)
    {
        _codes[name] = code;
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _tcp.Stop();
        _udp.Dispose();
        await _running;
        _stop.Dispose();
    }

    private async Task ServeUdpAsync()
    {
        var buffer = new byte[4096];
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var got = await _udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                var question = buffer[..got.ReceivedBytes];
                foreach (var first in Before(question))
                    await _udp.SendToAsync(first, got.RemoteEndPoint);
                if (Answer(question, "udp", DatagramLimit) is { } answer && Instead(question, answer, false) is { } sent)
                    await _udp.SendToAsync(sent, got.RemoteEndPoint);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                // The end of the test, or a client that is gone already.
            }
        }
    }

    private async Task ServeTcpAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var client = await _tcp.AcceptTcpClientAsync(_stop.Token);
                await using var stream = client.GetStream();
                var length = new byte[2];
                await stream.ReadExactlyAsync(length, _stop.Token);
                var question = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(question, _stop.Token);
                if (Answer(question, "tcp", ushort.MaxValue) is not { } answer || Instead(question, answer, true) is not { } sent)
                    continue;
                BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)sent.Length);
                await stream.WriteAsync((byte[])[.. length, .. sent], _stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or IOException or SocketException)
            {
                // The end of the test, or a client that is gone already.
            }
        }
    }

    private byte[]? Answer(byte[] question, string over, int limit)
    {
        var (name, end) = NameAt(question, 12);
        var type = Types.FirstOrDefault(t => t.Value == BinaryPrimitives.ReadUInt16BigEndian(question.AsSpan(end))).Key;
        _asked.Enqueue($"{over} {type} {name}");
        if (_codes.TryGetValue(name, out var broken))
            return broken < 0 ? null : Message(question, end, broken, [], false);
        var records = new List<byte[]>();
        for (var hops = 0; type != "CNAME" && hops < 20 && _zone.TryGetValue((name, "CNAME"), out var alias); hops++)
        {
            records.Add(Record(name, "CNAME", alias[0]));
            name = alias[0];
        }
        if (_zone.TryGetValue((name, type), out var values))
            records.AddRange(values.Select(v => Record(name, type, v)));
        var code = _zone.Keys.Any(k => k.Name == name || k.Name.EndsWith("." + name, StringComparison.Ordinal)) ? 0 : 3;
        var answer = Message(question, end, code, records, false);
        return answer.Length <= limit ? answer : Message(question, end, code, [], true);
    }

    private static byte[] Message(byte[] question, int end, int code, List<byte[]> records, bool truncated)
    {
        var head = question[..(end + 4)];
        (head[2], head[3]) = ((byte)(0x81 | (truncated ? 2 : 0)), (byte)(0x80 | code));
        (head[6], head[7]) = ((byte)(records.Count >> 8), (byte)records.Count);
        return [.. head, .. records.SelectMany(r => r)];
    }

    private static byte[] Record(string name, string type, string value)
    {
        byte[] data = type switch
        {
            "A" or "AAAA" => IPAddress.Parse(value).GetAddressBytes(),
            "CNAME" => Name(value),
            // Strings of at most 100 bytes, so that longer texts come in several.
            _ => [.. value.Chunk(100).SelectMany(c => (byte[])[(byte)c.Length, .. Encoding.ASCII.GetBytes(c)])],
        };
        return [.. Name(name), 0, (byte)Types[type], 0, 1, 0, 0, 0, 60, (byte)(data.Length >> 8), (byte)data.Length, .. data];
    }

    private static byte[] Name(string name) => [.. name.Split('.').SelectMany(l => (byte[])[(byte)l.Length, .. Encoding.ASCII.GetBytes(l)]), 0];

    private static (string Name, int End) NameAt(byte[] message, int at)
    {
        var labels = new List<string>();
        for (; message[at] != 0; at += message[at] + 1)
            labels.Add(Encoding.ASCII.GetString(message, at + 1, message[at]));
        return (string.Join('.', labels).ToLowerInvariant(), at + 1);
    }
}
