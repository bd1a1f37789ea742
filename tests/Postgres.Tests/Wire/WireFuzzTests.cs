using System.Buffers.Binary;
using System.Text;
using Groundcrew.Postgres.OnNode;
using Xunit;

namespace Groundcrew.Postgres.Tests.Wire;

/// <summary>Whatever a server sends, it is read or refused: nothing else is thrown and little memory is used.</summary>
public sealed class WireFuzzTests
{
    private const int Rounds = 3000;

    [Fact]
    public async Task Noise_is_refused()
    {
        var random = new Random(20261122);
        for (var round = 0; round < Rounds; round++)
        {
            var noise = new byte[random.Next(200)];
            random.NextBytes(noise);
            await ReadAllAsync(noise);
        }
    }

    [Fact]
    public async Task Messages_with_changed_bytes_are_read_or_refused()
    {
        var random = new Random(7);
        var good = Good();
        Assert.Equal(8, await ReadAllAsync(good));
        for (var round = 0; round < Rounds; round++)
        {
            var changed = good.ToArray();
            for (var i = random.Next(1, 6); i > 0; i--)
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            await ReadAllAsync(changed.AsMemory(0, random.Next(changed.Length + 1)));
        }
    }

    [Fact]
    public async Task A_message_comes_whole_however_it_is_cut()
    {
        var random = new Random(3);
        var body = new byte[700_000];
        random.NextBytes(body);
        var all = Message('d', body).Concat(Message('d', body.AsSpan(0, 100))).Concat(Message('d', body)).ToArray();
        using var reader = new WireReader(new Drip(all, random));
        foreach (var length in (int[])[body.Length, 100, body.Length])
            Assert.True((await reader.ReadAsync(CancellationToken.None)).Body.Span.SequenceEqual(body.AsSpan(0, length)));
    }

    [Fact]
    public async Task A_message_that_says_to_be_huge_is_refused_before_memory_is_taken()
    {
        var head = new byte[] { (byte)'d', 0x7f, 0xff, 0xff, 0xff };
        using var reader = new WireReader(new MemoryStream(head));
        await Assert.ThrowsAsync<WireException>(async () => await reader.ReadAsync(CancellationToken.None));
    }

    private static async Task<int> ReadAllAsync(ReadOnlyMemory<byte> bytes)
    {
        var read = 0;
        using var reader = new WireReader(new MemoryStream(bytes.ToArray()));
        try
        {
            while (true)
            {
                var message = await reader.ReadAsync(CancellationToken.None);
                Look(message);
                read++;
            }
        }
        catch (Exception e) when (e is WireException or PgServerException)
        {
            return read;
        }
    }

    private static void Look(WireMessage message)
    {
        switch ((char)message.Type)
        {
            case 'E':
                _ = WireBody.Error(message.Body.Span);
                break;
            case 'S':
                WireLogin.Parameter(message, []);
                break;
            case 'D':
                _ = ReplicationConnection.Row(message.Body.Span);
                break;
            case 'd':
                _ = WalStream.Read(message.Body);
                try
                {
                    _ = BaseBackupStream.Read(message.Body);
                }
                catch (WireException)
                {
                    // A message of the log is none of a backup.
                }
                break;
            case 'R':
                _ = WireLogin.Question(message);
                break;
            default:
                break;
        }
    }

    private static byte[] Good()
    {
        var wal = new byte[25 + 40];
        wal[0] = (byte)'w';
        BinaryPrimitives.WriteInt64BigEndian(wal.AsSpan(17), 800_000_000_000_000);
        var keepalive = new byte[18];
        keepalive[0] = (byte)'k';
        return
        [
            .. Message('S', "server_version\015.14\0"u8), .. Message('R', [0, 0, 0, 10, .. "SCRAM-SHA-256\0\0"u8]),
            .. Message('D', [0, 2, 0, 0, 0, 1, (byte)'7', 0xff, 0xff, 0xff, 0xff]), .. Message('d', wal), .. Message('d', keepalive),
            .. Message('d', "nbase.tar\0\0"u8), .. Message('E', "SERROR\0VERROR\0C58P01\0Mgone\0\0"u8),
            .. Message('N', "SNOTICE\0C00000\0Mseen\0\0"u8),
        ];
    }

    private static byte[] Message(char type, ReadOnlySpan<byte> body)
    {
        var message = new byte[body.Length + 5];
        message[0] = Encoding.ASCII.GetBytes([type])[0];
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), body.Length + 4);
        body.CopyTo(message.AsSpan(5));
        return message;
    }

    private sealed class Drip(byte[] all, Random random) : MemoryStream(all)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, 5000))], cancellationToken);
    }
}
