using System.IO.MemoryMappedFiles;

namespace Groundcrew.Bedrock;

/// <summary>
/// A file that does not change any more, read through the kernel's cache without copying. Thread-safe; close it only when
/// nobody holds a span of it, because the bytes are gone then.
/// </summary>
public sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _bytes;

    /// <summary>Maps a file. Throws the <see cref="IOException"/>s of the file system.</summary>
    public MappedFile(string path)
    {
        Length = new FileInfo(path).Length;
        if (Length == 0)
            return;
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, mapName: null, 0, MemoryMappedFileAccess.Read);
        _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _bytes);
        _bytes += _view.PointerOffset;
    }

    /// <summary>The size of the file.</summary>
    public long Length { get; }

    /// <summary>A part of it. Throws when it is not wholly inside.</summary>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new InvalidDataException($"bytes {offset} to {offset + length} are not within its {Length}");
        return new(_bytes + offset, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_view is null)
            return;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file!.Dispose();
    }
}
