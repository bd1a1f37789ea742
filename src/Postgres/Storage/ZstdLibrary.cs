using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Postgres;

/// <summary>The few calls of libzstd (zstd.h of version 1.5) that are made here. Each result is a size, or an error that <see cref="Checked"/> finds.</summary>
internal static unsafe partial class ZstdLibrary
{
    private const string Library = "libzstd.so.1";

    /// <summary>Parameters of compression, by their numbers in zstd.h.</summary>
    public enum CompressionParameter
    {
        /// <summary>The level, from 1 to 22.</summary>
        Level = 100,

        /// <summary>Whether a frame ends with a checksum of its content.</summary>
        Checksum = 201,

        /// <summary>How many threads compress beside the caller's.</summary>
        Workers = 400,
    }

    /// <summary>What becomes of the input (ZSTD_EndDirective).</summary>
    public enum Directive
    {
        /// <summary>More comes.</summary>
        Continue = 0,

        /// <summary>It ends the frame.</summary>
        End = 2,
    }

    /// <summary>Begins to compress.</summary>
    /// <exception cref="BackupStorageException">The library is not there.</exception>
    public static Compressor NewCompressor() => Made(CreateCompressor);

    /// <summary>Begins to decompress.</summary>
    /// <exception cref="BackupStorageException">The library is not there.</exception>
    public static Decompressor NewDecompressor() => Made(CreateDecompressor);

    /// <summary>Sets a parameter; false when this build of the library does not have it.</summary>
    public static bool TrySet(Compressor compressor, CompressionParameter parameter, int value) => IsError(Set(compressor, parameter, value)) == 0;

    /// <summary>Compresses what it can. Returns how much it still holds back for the directive, 0 when nothing.</summary>
    public static nuint Compress(Compressor compressor, ReadOnlySpan<byte> from, Span<byte> to, Directive directive, out int consumed, out int written)
    {
        fixed (byte* input = from, output = to)
        {
            var source = new Range(input, (nuint)from.Length);
            var target = new Range(output, (nuint)to.Length);
            var held = Checked(CompressStream(compressor, ref target, ref source, directive));
            (consumed, written) = ((int)source.Position, (int)target.Position);
            return held;
        }
    }

    /// <summary>Decompresses what it can. Returns 0 when a frame is at its end.</summary>
    /// <exception cref="InvalidDataException">It is not what a compressor wrote.</exception>
    public static nuint Decompress(Decompressor decompressor, ReadOnlySpan<byte> from, Span<byte> to, out int consumed, out int written)
    {
        fixed (byte* input = from, output = to)
        {
            var source = new Range(input, (nuint)from.Length);
            var target = new Range(output, (nuint)to.Length);
            var expected = Checked(DecompressStream(decompressor, ref target, ref source));
            (consumed, written) = ((int)source.Position, (int)target.Position);
            return expected;
        }
    }

    private static nuint Checked(nuint result) =>
        IsError(result) == 0 ? result : throw new InvalidDataException(Marshal.PtrToStringUTF8(ErrorName(result)) ?? "unknown error");

    private static T Made<T>(Func<T> make)
        where T : SafeHandle
    {
        try
        {
            var made = make();
            return made.IsInvalid ? throw new BackupStorageException(StorageFailure.Unavailable, "libzstd has no memory to begin.") : made;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            throw new BackupStorageException(StorageFailure.Unavailable,
                $"This machine has no {Library} of version 1.4 or later, which compresses with zstd. Install it (on Debian: libzstd1), or choose gzip.", e);
        }
    }

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    private static partial Compressor CreateCompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    private static partial nuint FreeCompressor(nint compressor);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    private static partial nuint Set(Compressor compressor, CompressionParameter parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressStream2")]
    private static partial nuint CompressStream(Compressor compressor, ref Range to, ref Range from, Directive directive);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    private static partial Decompressor CreateDecompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    private static partial nuint FreeDecompressor(nint decompressor);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressStream")]
    private static partial nuint DecompressStream(Decompressor decompressor, ref Range to, ref Range from);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint result);

    /// <summary>ZSTD_CCtx.</summary>
    public sealed class Compressor() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
    {
        /// <inheritdoc/>
        protected override bool ReleaseHandle() => IsError(FreeCompressor(handle)) == 0;
    }

    /// <summary>ZSTD_DCtx.</summary>
    public sealed class Decompressor() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
    {
        /// <inheritdoc/>
        protected override bool ReleaseHandle() => IsError(FreeDecompressor(handle)) == 0;
    }

    /// <summary>ZSTD_inBuffer and ZSTD_outBuffer.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Range(byte* bytes, nuint size)
    {
        public readonly byte* Bytes = bytes;
        public readonly nuint Size = size;
        public nuint Position;
    }
}
