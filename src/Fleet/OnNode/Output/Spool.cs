using System.Buffers;
using System.Text;
using Groundcrew.Bedrock;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// One stream of a program's output as it lies on disk. Splits it into lines, and gives the blocks of what was read
/// back to the disk. Not thread-safe: the keeper's alone.
/// </summary>
internal sealed class Spool(string path, string stream) : IDisposable
{
    /// <summary>Where a line is cut.</summary>
    public const int LongestLine = 16 * 1024;

    private const int ChunkBytes = 256 * 1024;
    private const long PunchEvery = 1024 * 1024;
    private const long Block = 4096;
    private SafeFileHandle? _file;
    private long _seen;
    private long _punched;

    /// <summary>The stream's name.</summary>
    public string Stream => stream;

    /// <summary>How far it was read and kept.</summary>
    public long Offset { get; set; }

    /// <summary>
    /// Reads what is new, at most one chunk. Each line is given with the offset at which it ends.
    /// Returns whether there may be more.
    /// </summary>
    /// <param name="take">Gets the lines.</param>
    /// <param name="isOver">No more will come: a last line without an end is a line.</param>
    public bool Read(Action<string, long> take, bool isOver)
    {
        if (!TryOpen())
            return false;
        var length = RandomAccess.GetLength(_file!);
        if (length < Offset)
            Offset = 0; // Someone emptied it.
        if (length == _seen && !isOver)
            return false;
        var chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            var count = RandomAccess.Read(_file!, chunk, Offset);
            var used = Split(chunk.AsSpan(0, count), take, isOver && Offset + count >= length);
            Offset += used;
            var isMore = Offset + (count - used) < length;
            _seen = isMore ? -1 : length;
            return isMore;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <summary>Gives the lines of a chunk; returns how many bytes they are.</summary>
    private int Split(ReadOnlySpan<byte> data, Action<string, long> take, bool isLast)
    {
        var used = 0;
        while (used < data.Length)
        {
            var rest = data[used..];
            var end = rest.IndexOf((byte)'\n');
            var size = end >= 0 ? end : rest.Length;
            if (size > LongestLine)
                (size, end) = (Cut(rest), -1);
            else if (end < 0 && !isLast)
                break;
            used += end >= 0 ? end + 1 : size;
            take(Encoding.UTF8.GetString(rest[..size]).TrimEnd('\r'), Offset + used);
        }
        return used;
    }

    /// <summary>How many bytes wait to be read.</summary>
    public long Waiting => TryOpen() ? RandomAccess.GetLength(_file!) - Offset : 0;

    /// <summary>Whether enough was read that blocks should be given back.</summary>
    public bool WantsPunch => Offset - _punched >= PunchEvery;

    /// <summary>Gives the blocks of what was read back. Only after the lines are durable in the log.</summary>
    public void Punch()
    {
        var end = Offset / Block * Block;
        if (_file is not null)
            DiskSpace.PunchHole(_file, _punched, end - _punched);
        _punched = end; // Where the file system cannot do it, the spool is emptied before the next start.
    }

    /// <summary>Empties it: only when no process writes to it any more and all was read.</summary>
    public void Empty()
    {
        if (TryOpen())
            RandomAccess.SetLength(_file!, 0);
        (Offset, _seen, _punched) = (0, 0, 0);
    }

    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    /// <summary>At most the longest line, and not within a character (UTF-8 continuation bytes are 10xxxxxx).</summary>
    private static int Cut(ReadOnlySpan<byte> line)
    {
        var size = LongestLine;
        while (size > LongestLine - 4 && (line[size] & 0xC0) == 0x80)
            size--;
        return size;
    }

    private bool TryOpen()
    {
        if (_file is null && File.Exists(path))
            _file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        return _file is not null;
    }
}
