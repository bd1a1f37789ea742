using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Makes and sends the messages of a client. Thread-safe: a message is sent whole.</summary>
internal sealed class WireWriter(Stream stream) : IDisposable
{
    /// <summary>The number that stands for protocol 3.0 in a startup message.</summary>
    public const int Protocol = 3 << 16;

    /// <summary>The number that asks for TLS in place of a protocol.</summary>
    public const int AskForTls = 80877103;

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly ArrayBufferWriter<byte> _buffer = new(256);

    /// <summary>Sends a message whose body is written by <paramref name="body"/>; kind 0 for the messages of the start, which have none.</summary>
    public async ValueTask SendAsync<T>(byte type, T state, Action<ArrayBufferWriter<byte>, T> body, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation);
        try
        {
            _buffer.ResetWrittenCount();
            if (type != 0)
                Byte(_buffer, type);
            var head = _buffer.WrittenCount;
            Int32(_buffer, 0);
            body(_buffer, state);
            var message = System.Runtime.InteropServices.MemoryMarshal.AsMemory(_buffer.WrittenMemory);
            BinaryPrimitives.WriteInt32BigEndian(message.Span[head..], message.Length - head);
            await stream.WriteAsync(message, cancellation);
            await stream.FlushAsync(cancellation);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Sends a message whose body is one text and a zero byte, such as a query.</summary>
    public ValueTask SendTextAsync(byte type, string text, CancellationToken cancellation) => SendAsync(type, text, static (b, t) => Text(b, t), cancellation);

    /// <summary>Sends a message without a body.</summary>
    public ValueTask SendEmptyAsync(byte type, CancellationToken cancellation) => SendAsync(type, 0, static (_, _) => { }, cancellation);

    /// <summary>Adds a byte.</summary>
    public static void Byte(ArrayBufferWriter<byte> to, byte value)
    {
        to.GetSpan(1)[0] = value;
        to.Advance(1);
    }

    /// <summary>Adds a number of 32 bits, most significant byte first.</summary>
    public static void Int32(ArrayBufferWriter<byte> to, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(to.GetSpan(4), value);
        to.Advance(4);
    }

    /// <summary>Adds a number of 64 bits.</summary>
    public static void Int64(ArrayBufferWriter<byte> to, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(to.GetSpan(8), value);
        to.Advance(8);
    }

    /// <summary>Adds a text and a zero byte.</summary>
    public static void Text(ArrayBufferWriter<byte> to, string text)
    {
        to.Write(Encoding.UTF8.GetBytes(text));
        Byte(to, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();
}
