using System.Buffers.Binary;

namespace Groundcrew.Edge.Acme;

/// <summary>
/// Reads which protocols the first message of a handshake offers (RFC 8446, 4.1.2; RFC 7301, 3.1): the framework picks a
/// certificate before it tells them. Anything that is cut or malformed offers nothing. Pure.
/// </summary>
internal static class ClientHello
{
    private const byte HandshakeRecord = 22;
    private const byte HelloMessage = 1;
    private const int AlpnExtension = 16;
    private const int VersionAndRandom = 34;

    /// <summary>Whether one protocol is offered, and no other.</summary>
    /// <param name="record">The TLS record, its header included.</param>
    /// <param name="protocol">The name of the protocol.</param>
    public static bool OffersOnly(ReadOnlySpan<byte> record, ReadOnlySpan<byte> protocol)
    {
        var offered = Protocols(Extensions(Hello(record)));
        return TryTake(ref offered, 1, out var first) && offered.IsEmpty && first.SequenceEqual(protocol);
    }

    private static ReadOnlySpan<byte> Hello(ReadOnlySpan<byte> record)
    {
        if (record.Length < 5 || record[0] != HandshakeRecord)
            return [];
        var rest = record[3..];
        if (!TryTake(ref rest, 2, out var message) || message is not [HelloMessage, ..])
            return [];
        message = message[1..];
        return TryTake(ref message, 3, out var hello) ? hello : [];
    }

    private static ReadOnlySpan<byte> Extensions(ReadOnlySpan<byte> hello)
    {
        if (hello.Length < VersionAndRandom)
            return [];
        var rest = hello[VersionAndRandom..];
        // The session, the ciphers and the compressions stand before them.
        return TryTake(ref rest, 1, out _) && TryTake(ref rest, 2, out _) && TryTake(ref rest, 1, out _) && TryTake(ref rest, 2, out var extensions)
            ? extensions
            : [];
    }

    private static ReadOnlySpan<byte> Protocols(ReadOnlySpan<byte> extensions)
    {
        while (extensions.Length >= 4)
        {
            var kind = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!TryTake(ref extensions, 2, out var content))
                return [];
            if (kind == AlpnExtension)
                return TryTake(ref content, 2, out var list) ? list : [];
        }
        return [];
    }

    /// <summary>Takes what stands behind its length, which has one to three bytes; false when that much is not there.</summary>
    private static bool TryTake(scoped ref ReadOnlySpan<byte> from, int lengthBytes, out ReadOnlySpan<byte> taken)
    {
        taken = [];
        if (from.Length < lengthBytes)
            return false;
        var length = 0;
        foreach (var part in from[..lengthBytes])
            length = (length << 8) | part;
        if (from.Length - lengthBytes < length)
            return false;
        taken = from.Slice(lengthBytes, length);
        from = from[(lengthBytes + length)..];
        return true;
    }
}
