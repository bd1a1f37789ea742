using System.Runtime.InteropServices;

namespace Groundcrew.Edge;

/// <summary>
/// Finds the data and the end of a chunked body (RFC 9112, section 7.1). Extensions and trailers are checked for form
/// and passed over. Lines may end with a bare line feed, as those of the head.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct ChunkScan
{
    private const int MaxLine = 8192;
    private State _state;
    private long _left;
    private int _line;

    private enum State : byte
    {
        Size,
        Extension,
        SizeEnd,
        Data,
        DataCr,
        DataLf,
        TrailerStart,
        Trailer,
        TrailerLf,
        LastLf,
        Done,
        Bad,
    }

    public readonly bool IsDone => _state == State.Done;

    public readonly bool IsBad => _state == State.Bad;

    /// <summary>Takes the framing that comes next and one piece of data behind it. Gives back how many bytes that was.</summary>
    public int Take(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> data)
    {
        var at = 0;
        while (at < bytes.Length && _state < State.Done)
        {
            if (_state == State.Data)
            {
                data = bytes.Slice(at, (int)Math.Min(_left, bytes.Length - at));
                _left -= data.Length;
                if (_left == 0)
                    _state = State.DataCr;
                return at + data.Length;
            }
            _state = Step(bytes[at++]);
        }
        data = default;
        return at;
    }

    private State Step(byte b) => _state switch
    {
        State.Size => Size(b),
        State.Extension => b == '\r' ? State.SizeEnd : b == '\n' ? End() : ++_line > MaxLine ? State.Bad : State.Extension,
        State.SizeEnd when b == '\n' => End(),
        State.DataCr when b == '\r' => State.DataLf,
        State.DataCr when b == '\n' => Begin(),
        State.DataLf when b == '\n' => Begin(),
        State.TrailerStart => b == '\r' ? State.LastLf : b == '\n' ? State.Done : State.Trailer,
        State.Trailer => b == '\r' ? State.TrailerLf : b == '\n' ? State.TrailerStart : ++_line > MaxLine ? State.Bad : State.Trailer,
        State.TrailerLf when b == '\n' => State.TrailerStart,
        State.LastLf when b == '\n' => State.Done,
        _ => State.Bad,
    };

    private State Size(byte b)
    {
        var digit = b switch
        {
            >= (byte)'0' and <= (byte)'9' => b - '0',
            >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
            >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
            _ => -1,
        };
        if (digit < 0)
            return _line == 0 ? State.Bad : b is (byte)';' or (byte)' ' or (byte)'\t' ? State.Extension : b == '\r' ? State.SizeEnd : b == '\n' ? End() : State.Bad;
        if (++_line > 15)
            return State.Bad;
        _left = (_left << 4) + digit;
        return State.Size;
    }

    private State End()
    {
        _line = 0;
        return _left == 0 ? State.TrailerStart : State.Data;
    }

    private State Begin()
    {
        (_line, _left) = (0, 0);
        return State.Size;
    }
}
