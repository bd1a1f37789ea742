using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Bedrock;

/// <summary>
/// A file that grows at its end, such as a log: an append is there whole or not at all as long as the process lives, and a
/// failed one is cut off again (now, or before the next). What it holds when the machine dies is known after
/// <see cref="Sync"/>. One writer in one process; not thread-safe, except that <see cref="Sync"/> may run beside an append.
/// </summary>
public sealed class AppendFile : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly Action<DurableStep, string>? _before;
    private bool _hasRemains;

    internal AppendFile(string path, UnixFileMode mode, Action<DurableStep, string>? before)
    {
        (Path, _before) = (path, before);
        before?.Invoke(DurableStep.Create, path);
        if (!File.Exists(path))
            using (new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
            {
            }
        _file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        Length = RandomAccess.GetLength(_file);
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The bytes of all whole appends.</summary>
    public long Length { get; private set; }

    /// <summary>Hands bytes to the kernel: they survive the death of this process. Throws the <see cref="IOException"/>s of the file system.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_hasRemains)
            CutRemains();
        _hasRemains = true;
        try
        {
            _before?.Invoke(DurableStep.Write, Path);
            RandomAccess.Write(_file, bytes, Length);
            Length += bytes.Length;
            _hasRemains = false;
        }
        catch (IOException)
        {
            TryCutRemains();
            throw;
        }
    }

    /// <summary>Forgets everything behind a length.</summary>
    public void Truncate(long length)
    {
        Length = length;
        CutRemains();
    }

    /// <summary>Waits until everything appended is on the disk (fsync(2)).</summary>
    public void Sync()
    {
        _before?.Invoke(DurableStep.SyncFile, Path);
        RandomAccess.FlushToDisk(_file);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void CutRemains()
    {
        RandomAccess.SetLength(_file, Length);
        _hasRemains = false;
    }

    private void TryCutRemains()
    {
        try
        {
            CutRemains();
        }
        catch (IOException)
        {
            // The next append tries again before it writes; until then readers see a torn end, which they know.
        }
    }
}
