using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Groundcrew.Edge.Tests.Conformance;

/// <summary>One HTTP/1.1 message as it came, its body decoded.</summary>
/// <param name="Start">The first line.</param>
/// <param name="Fields">Names in lower case, values without the space around them.</param>
/// <param name="Body">The decoded body.</param>
/// <param name="IsWhole">Whether its end came, as its framing says.</param>
internal sealed record WireMessage(string Start, IReadOnlyList<(string Name, string Value)> Fields, byte[] Body, bool IsWhole)
{
    public int Status => Start.Length > 11 && int.TryParse(Start.AsSpan(9, 3), out var status) ? status : 0;

    public string? Field(string name) => Fields.FirstOrDefault(f => f.Name == name).Value;

    public string Text => Encoding.Latin1.GetString(Body);
}

/// <summary>Reads HTTP/1.1 messages strictly from a stream: what is not exactly as the standard has it is an <see cref="InvalidDataException"/>.</summary>
internal sealed class WireReader(Stream stream)
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    /// <summary>Whether bytes are there that no message took.</summary>
    public bool HasMore => _end > _start;

    /// <summary>The next message's head; null when the stream ends, or breaks, before its first byte.</summary>
    public async Task<WireMessage?> HeadAsync(CancellationToken stop)
    {
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (!HasMore && !await FillAsync(stop))
                return head.Length == 0 ? null : throw new InvalidDataException($"A head that breaks off: {head}");
            // Line by line: a head is short, and a byte more than it belongs to the body.
            var line = Array.IndexOf(_buffer, (byte)'\n', _start, _end - _start);
            var until = line < 0 ? _end : line + 1;
            head.Append(Encoding.Latin1.GetString(_buffer, _start, until - _start));
            _start = until;
        }
        var lines = head.ToString()[..^4].Split("\r\n");
        return new WireMessage(lines[0], [.. lines.Skip(1).Select(FieldOf)], [], false);
    }

    /// <summary>The body of a message whose head was read.</summary>
    /// <param name="head">The head.</param>
    /// <param name="isToTheEnd">Whether a body without framing lasts until the stream ends, as an answer's does.</param>
    /// <param name="stop">Stops waiting.</param>
    public async Task<WireMessage> BodyAsync(WireMessage head, bool isToTheEnd, CancellationToken stop)
    {
        var body = new MemoryStream();
        var lengths = head.Fields.Where(f => f.Name == "content-length").ToList();
        var codings = head.Fields.Where(f => f.Name == "transfer-encoding").ToList();
        if (lengths.Count + codings.Count > 1)
            throw new InvalidDataException($"More than one framing: {string.Join(" | ", head.Fields)}");
        var isWhole = (lengths, codings) switch
        {
            ([], [{ Value: "chunked" }]) => await ChunksAsync(body, stop),
            ([], [var coding]) => throw new InvalidDataException($"An unknown coding: {coding}"),
            ([{ Value: var length }], []) => await TakeAsync(body, long.Parse(length, NumberStyles.None, CultureInfo.InvariantCulture), stop),
            _ when isToTheEnd => !await TakeAsync(body, long.MaxValue, stop),
            _ => true,
        };
        return head with { Body = body.ToArray(), IsWhole = isWhole };
    }

    /// <summary>Forgets what was received.</summary>
    public void Skip() => _start = _end;

    /// <summary>Whether the stream ends here, or breaks.</summary>
    public async Task<bool> EndsAsync(CancellationToken stop) => !HasMore && !await FillAsync(stop);

    private static (string Name, string Value) FieldOf(string line)
    {
        var colon = line.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || line.AsSpan(0, colon).ContainsAny(" \t\r\n\0") || line.AsSpan().ContainsAny("\r\n\0"))
            throw new InvalidDataException($"Not a field: '{line}'");
        return (line[..colon].ToLowerInvariant(), line[(colon + 1)..].Trim(' ', '\t'));
    }

    private async Task<bool> ChunksAsync(MemoryStream body, CancellationToken stop)
    {
        while (true)
        {
            if (await LineAsync(stop) is not { } line)
                return false;
            if (line.Length == 0 || !line.All(char.IsAsciiHexDigit))
                throw new InvalidDataException($"Not a chunk's size: '{line}'");
            var size = long.Parse(line, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (!await TakeAsync(body, size, stop) || await LineAsync(stop) is not { } end)
                return false;
            if (end.Length > 0)
                throw new InvalidDataException($"More than the chunk holds, or trailers: '{end}'");
            if (size == 0)
                return true;
        }
    }

    private async Task<string?> LineAsync(CancellationToken stop)
    {
        var line = new StringBuilder();
        while (true)
        {
            if (!HasMore && !await FillAsync(stop))
                return null;
            line.Append((char)_buffer[_start++]);
            if (line[^1] == '\n')
                return line.Length > 1 && line[^2] == '\r' ? line.ToString(0, line.Length - 2) : throw new InvalidDataException($"A bare line feed: '{line}'");
        }
    }

    private async Task<bool> TakeAsync(MemoryStream body, long count, CancellationToken stop)
    {
        while (count > 0)
        {
            if (!HasMore && !await FillAsync(stop))
                return false;
            var now = (int)Math.Min(count, _end - _start);
            body.Write(_buffer, _start, now);
            (_start, count) = (_start + now, count - now);
        }
        return true;
    }

    private async Task<bool> FillAsync(CancellationToken stop)
    {
        try
        {
            (_start, _end) = (0, await stream.ReadAsync(_buffer, stop));
            return _end > 0;
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // A reset is an end as any other to whoever reads.
            return false;
        }
    }
}
