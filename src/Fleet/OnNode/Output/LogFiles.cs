using System.Buffers;
using System.Globalization;
using Groundcrew.Bedrock;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// The rotated log files of one instance: numbered, appended to, the oldest removed. Every file begins with a mark.
/// Not thread-safe: the keeper's alone; readers read the files themselves.
/// </summary>
internal sealed class LogFiles(string folder, long maxBytes, int maxFiles) : IDisposable
{
    private SafeFileHandle? _file;
    private int _number;
    private long _length;

    /// <summary>The numbers of the files that exist, ascending.</summary>
    public static IReadOnlyList<int> Numbers(string folder) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFiles(folder, "*.jsonl")
            .Select(f => int.TryParse(Path.GetFileNameWithoutExtension(f), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : -1)
            .Where(n => n >= 0).Order()];

    /// <summary>The path of a file.</summary>
    public static string PathOf(string folder, int number) => Path.Combine(folder, $"{number:D6}.jsonl");

    /// <summary>Opens the newest file, cuts off a torn end, and hands every line of it to <paramref name="see"/>.</summary>
    public void Open(Action<StoredLine> see)
    {
        foreach (var number in Numbers(folder).Reverse())
        {
            var bytes = File.ReadAllBytes(PathOf(folder, number));
            var whole = Array.LastIndexOf(bytes, (byte)'\n') + 1;
            if (whole == 0)
            {
                // The crash came before its first line: the file before it holds the truth.
                File.Delete(PathOf(folder, number));
                continue;
            }
            foreach (var line in LogReader.Lines(bytes.AsMemory(0, whole)))
                if (StoredLine.Read(line.Span) is { } stored)
                    see(stored);
            _number = number;
            _file = Handle(number);
            _length = whole;
            RandomAccess.SetLength(_file, whole);
            return;
        }
    }

    /// <summary>Appends; begins the next file first, with <paramref name="mark"/>, when the newest is full.</summary>
    public void Append(ReadOnlySpan<byte> lines, Func<StoredLine> mark)
    {
        if (_file is null || _length >= maxBytes)
            Rotate(mark());
        RandomAccess.Write(_file!, lines, _length);
        _length += lines.Length;
    }

    /// <summary>Makes what was appended durable.</summary>
    public void Sync()
    {
        if (_file is not null)
            RandomAccess.FlushToDisk(_file);
    }

    public void Dispose() => _file?.Dispose();

    private void Rotate(StoredLine mark)
    {
        _file?.Dispose();
        _number++;
        _file = Handle(_number);
        var head = new ArrayBufferWriter<byte>();
        mark.WriteTo(head);
        RandomAccess.Write(_file, head.WrittenSpan, 0);
        _length = head.WrittenCount;
        foreach (var old in Numbers(folder).SkipLast(maxFiles))
            File.Delete(PathOf(folder, old));
    }

    private SafeFileHandle Handle(int number)
    {
        var path = PathOf(folder, number);
        var handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        File.SetUnixFileMode(handle, DurableFiles.Private);
        return handle;
    }
}
