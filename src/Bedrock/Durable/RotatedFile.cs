namespace Groundcrew.Bedrock;

/// <summary>
/// A log of lines that never outgrows its share of the disk: it is appended to, and when it would pass its size it
/// becomes <c>name.1</c>, the one before <c>name.2</c>, and so on; the oldest is deleted. Lines are not synced: a power
/// cut may lose the last of them, and a torn line is ended before the next one begins. Not thread-safe; one owner in a
/// process. Another process may append to the same log for a while: batches never mix, and one file may be rotated early.
/// </summary>
/// <param name="path">The current file; its folder is made when missing.</param>
/// <param name="maxBytes">The size at which it is rotated. A single larger batch still goes into one file.</param>
/// <param name="files">How many files are kept, the current one included; at least 1.</param>
/// <param name="mode">The mode of new files.</param>
public sealed class RotatedFile(string path, long maxBytes, int files, UnixFileMode mode = DurableFiles.Private) : IDisposable
{
    private FileStream? _stream;

    /// <summary>
    /// Appends whole lines, each with its end. Throws the <see cref="IOException"/>s and
    /// <see cref="UnauthorizedAccessException"/>s of the file system; the next call opens the file anew.
    /// </summary>
    public void Append(ReadOnlySpan<byte> lines)
    {
        try
        {
            _stream ??= Open();
            if (_stream.Length > 0 && _stream.Length + lines.Length > maxBytes)
                Rotate();
            _stream!.Write(lines);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Closes the file; a later append opens it again.</summary>
    public void Dispose()
    {
        _stream?.Dispose();
        _stream = null;
    }

    private FileStream Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var stream = new FileStream(Posix.OpenToAppend(path, mode), FileAccess.ReadWrite, bufferSize: 0);
        if (stream.Length > 0)
        {
            stream.Seek(-1, SeekOrigin.End);
            if (stream.ReadByte() != '\n')
                stream.WriteByte((byte)'\n');
        }
        return stream;
    }

    private void Rotate()
    {
        Dispose();
        if (files <= 1)
            File.Delete(path);
        for (var i = files - 1; i >= 1; i--)
        {
            var from = i == 1 ? path : $"{path}.{i - 1}";
            if (File.Exists(from))
                File.Move(from, $"{path}.{i}", overwrite: true);
        }
        _stream = Open();
    }
}
