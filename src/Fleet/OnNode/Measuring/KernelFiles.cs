using System.Buffers.Text;
using System.Text;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// Reads the small files in which the kernel tells about itself, below a root that a test may point elsewhere, into bytes
/// that are used again: what <see cref="Read"/> gives holds until the next. Not thread-safe.
/// </summary>
/// <param name="root">The folder that stands for <c>/</c>.</param>
internal sealed class KernelFiles(string root)
{
    private byte[] _bytes = new byte[16 * 1024];

    /// <summary>The whole of a file, such as <c>proc/stat</c>; empty when it is not there or may not be read.</summary>
    public ReadOnlySpan<byte> Read(string path)
    {
        try
        {
            // Not shared by a lock: the kernel's files are nobody's.
            using var file = File.OpenHandle(Path.Combine(root, path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            for (var length = 0; ;)
            {
                var read = RandomAccess.Read(file, _bytes.AsSpan(length), length);
                if (read == 0)
                    return _bytes.AsSpan(0, length);
                length += read;
                if (length == _bytes.Length)
                    Array.Resize(ref _bytes, _bytes.Length * 2);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default; // Not on this machine, gone meanwhile, or somebody else's.
        }
    }

    /// <summary>The number that a file holds; null when it holds none.</summary>
    public double? Number(string path)
    {
        var rest = Read(path);
        return Utf8Parser.TryParse(rest, out double value, out _) ? value : null;
    }

    /// <summary>The text of a file without the line end.</summary>
    public string Text(string path) => Encoding.UTF8.GetString(Read(path).TrimEnd("\n\0"u8));

    /// <summary>The names in a folder; none when it is not there.</summary>
    public IEnumerable<string> Names(string path)
    {
        var folder = Path.Combine(root, path);
        return Directory.Exists(folder) ? Directory.EnumerateFileSystemEntries(folder).Select(e => Path.GetFileName(e)) : [];
    }
}

/// <summary>Takes what a kernel's file says apart, without allocating.</summary>
internal static class KernelText
{
    private static ReadOnlySpan<byte> Blank => " \t"u8;

    /// <summary>Takes the next line; false at the end.</summary>
    public static bool TakeLine(scoped ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> line)
    {
        line = default;
        if (text.IsEmpty)
            return false;
        var end = text.IndexOf((byte)'\n');
        line = end < 0 ? text : text[..end];
        text = end < 0 ? default : text[(end + 1)..];
        return true;
    }

    /// <summary>Takes the next word; empty at the end.</summary>
    public static ReadOnlySpan<byte> TakeWord(scoped ref ReadOnlySpan<byte> line)
    {
        line = line.TrimStart(Blank);
        var end = line.IndexOfAny(Blank);
        var word = end < 0 ? line : line[..end];
        line = line[word.Length..];
        return word;
    }

    /// <summary>Takes the next word as a number; 0 when it is none.</summary>
    public static double TakeNumber(scoped ref ReadOnlySpan<byte> line) => Number(TakeWord(ref line));

    /// <summary>A word as a number; 0 when it is none.</summary>
    public static double Number(ReadOnlySpan<byte> word) => Utf8Parser.TryParse(word, out double value, out _) ? value : 0;

    /// <summary>The number behind <c>key</c> in a file of lines of <c>key value</c>; null when it is not there.</summary>
    public static double? Find(ReadOnlySpan<byte> text, ReadOnlySpan<byte> key)
    {
        while (TakeLine(ref text, out var line))
            if (TakeWord(ref line).SequenceEqual(key))
                return TakeNumber(ref line);
        return null;
    }
}
